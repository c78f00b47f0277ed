"""Whether anybody could change an optimizer's Parameters behind our backs.

A Parameter gives no sign when it is written. What a training runs between two updates is known,
though: its train cell and its callbacks. If all of them are known not to write hyperparameters, a
value read once holds for the whole training.
"""
from __future__ import annotations

from typing import Any

from mindspore import train

from ms_lr_callbacks.optimizers import updates_at_each_call

# MindSpore's own that never write a hyperparameter. Not among them: LearningRateScheduler and
# ReduceLROnPlateau, which do; BackupAndRestore, which loads; LambdaCallback, which may do anything.
_HARMLESS = {train.EarlyStopping, train.History, train.LossMonitor, train.ModelCheckpoint, train.OnRequestExit,
             train.SummaryCollector, train.TimeMonitor}
_HARMLESS_INSIDE_MINDSPORE = {"_StepSync", "_FrameworkProfilerCallback"}


def only_known_code_runs(cb_params: Any) -> bool:
    """Return whether the train cell and every callback of a training are known not to write hyperparameters."""
    return updates_at_each_call(cb_params.train_network) and all(map(_is_known, cb_params.list_callback))


def _is_known(callback: Any) -> bool:
    cls = type(callback)
    if cls in _HARMLESS or cls.__module__.startswith("ms_lr_callbacks."):
        return True
    return cls.__module__.startswith("mindspore.") and cls.__name__ in _HARMLESS_INSIDE_MINDSPORE
