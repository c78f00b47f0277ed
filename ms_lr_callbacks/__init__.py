"""Training callbacks for MindSpore's ``Model.train``: what PyTorch users expect of an optimizer.

The public names are loaded when they are first used, so that importing the package costs next to
nothing and the schedules can be used on a machine without MindSpore.
"""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ms_lr_callbacks._version import __version__

if TYPE_CHECKING:
    from ms_lr_callbacks import schedules, writers
    from ms_lr_callbacks.callbacks.hyperparameter_scheduler import HyperparameterScheduler, WeightDecayScheduler
    from ms_lr_callbacks.callbacks.lr_finder import LRFinder, find_lr
    from ms_lr_callbacks.callbacks.lr_monitor import LRMonitor
    from ms_lr_callbacks.callbacks.lr_scheduler import LRScheduler
    from ms_lr_callbacks.callbacks.optimizer_checkpoint import OptimizerCheckpoint, ResumePoint
    from ms_lr_callbacks.callbacks.progress_bar import ProgressBar
    from ms_lr_callbacks.callbacks.one_cycle import one_cycle
    from ms_lr_callbacks.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
    from ms_lr_callbacks.checkpoint import latest_checkpoint, verify_checkpoint
    from ms_lr_callbacks.optimizers import get_last_lr, get_lr, hyperparameters, print_lr
    from ms_lr_callbacks.optimizers.state import load_state_dict, state_dict
    from ms_lr_callbacks.optimizers.torch_state import from_torch_state_dict, to_torch_state_dict

_HOME = {
    "HyperparameterScheduler": "ms_lr_callbacks.callbacks.hyperparameter_scheduler",
    "LRFinder": "ms_lr_callbacks.callbacks.lr_finder",
    "LRMonitor": "ms_lr_callbacks.callbacks.lr_monitor",
    "LRScheduler": "ms_lr_callbacks.callbacks.lr_scheduler",
    "OptimizerCheckpoint": "ms_lr_callbacks.callbacks.optimizer_checkpoint",
    "ProgressBar": "ms_lr_callbacks.callbacks.progress_bar",
    "ReduceLROnPlateau": "ms_lr_callbacks.callbacks.reduce_lr_on_plateau",
    "ResumePoint": "ms_lr_callbacks.callbacks.optimizer_checkpoint",
    "WeightDecayScheduler": "ms_lr_callbacks.callbacks.hyperparameter_scheduler",
    "find_lr": "ms_lr_callbacks.callbacks.lr_finder",
    "from_torch_state_dict": "ms_lr_callbacks.optimizers.torch_state",
    "get_last_lr": "ms_lr_callbacks.optimizers",
    "get_lr": "ms_lr_callbacks.optimizers",
    "hyperparameters": "ms_lr_callbacks.optimizers",
    "one_cycle": "ms_lr_callbacks.callbacks.one_cycle",
    "latest_checkpoint": "ms_lr_callbacks.checkpoint",
    "load_state_dict": "ms_lr_callbacks.optimizers.state",
    "print_lr": "ms_lr_callbacks.optimizers",
    "schedules": "ms_lr_callbacks.schedules",
    "state_dict": "ms_lr_callbacks.optimizers.state",
    "to_torch_state_dict": "ms_lr_callbacks.optimizers.torch_state",
    "verify_checkpoint": "ms_lr_callbacks.checkpoint",
    "writers": "ms_lr_callbacks.writers",
}

__all__ = ["__version__", *_HOME]  # noqa: F822


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_HOME[name])
    value = module if module.__name__ == f"{__name__}.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
