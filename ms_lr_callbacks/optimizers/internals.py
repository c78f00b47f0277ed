"""What is taken from MindSpore's own modules and not from its public names.

These places moved between versions; this is the only file that knows where they are.
"""
from __future__ import annotations

import importlib
import sys
from typing import Any, Optional

# Where MindSpore keeps its executors and what ``@jit`` compiled: 2.8 and later, 2.7.
_EXECUTOR_MODULES = ("mindspore.graph.api", "mindspore.common.api")


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
