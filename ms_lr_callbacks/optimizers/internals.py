"""What depends on the version of MindSpore, and what is taken from its modules that are not public.

These places moved between versions; this is the only file that knows where they are.
"""
from __future__ import annotations

import importlib
import re
import sys
import warnings
from typing import Any, Optional

import mindspore as ms

# The oldest and the newest minor version that the tests have been run with.
OLDEST, NEWEST = (2, 7), (2, 10)

# Where MindSpore keeps its executors and what ``@jit`` compiled: 2.8 and later, 2.7.
_EXECUTOR_MODULES = ("mindspore.graph.api", "mindspore.common.api")


def version_of(text: str) -> tuple[int, int]:
    """Return major and minor number of a version such as ``"2.10.0rc1"``; zeros if it names none."""
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def warn_if_untried(text: str) -> None:
    """Warn if this package was never tried with the MindSpore of version `text`."""
    if not OLDEST <= version_of(text) <= NEWEST:
        tested = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
        warnings.warn(
            f"ms_lr_callbacks was tested with MindSpore {tested}, and this is MindSpore {text}. It relies on how "
            f"MindSpore's optimizers are built: compare a short training with one that you know, or install a tested "
            f"version.", RuntimeWarning, stacklevel=2)


def mint_sgd_takes_parameters() -> bool:
    """Return whether the in-place operators of mint's SGD take Parameters, and not plain numbers only."""
    return version_of(ms.__version__) >= (2, 8)


def jit_graph_keys() -> Optional[set[str]]:
    """Return the keys of all graphs that ``@jit`` compiled; None if MindSpore does not tell."""
    keys: Optional[set[str]] = _executors("ms_compile_cache")
    return keys


def wait_for_eager_operations() -> None:
    """Wait until PYNATIVE_MODE has done every operation that it was given.

    Raises:
        Exception: whatever made one of them fail.
    """
    executor = _executors("_pynative_executor")
    if executor is not None:
        executor.sync()


def _executors(name: str) -> Optional[Any]:
    for module in _EXECUTOR_MODULES:
        try:
            found = sys.modules.get(module) or importlib.import_module(module)
        except ImportError:
            continue
        if hasattr(found, name):
            return getattr(found, name)
    return None
