"""Counts every way between the device and the host that Python code has.

Only the outermost call counts: ``item()`` may well use ``asnumpy()``.
"""
from __future__ import annotations

import contextlib
import functools
from typing import Any, Iterator

from mindspore import Parameter, Tensor, ops
from mindspore.ops import functional

READS = ("asnumpy", "numpy", "item", "tolist", "get_bytes", "flush_from_cache", "_flush_from_cache", "_item", "_tolist",
         "_numpy_non_blocking", "__array__", "__float__", "__int__", "__bool__", "__index__", "__complex__", "__str__",
         "__repr__", "__format__", "__contains__", "__iter__")
WRITES = ("assign_value", "assign_value_cpp", "copy_", "set_data", "fill_", "zero_", "_update_data", "__setitem__")


class Traffic:
    """How often the host has read from the device and written to it.

    Attributes:
        reads: each read's way, in order.
        writes: each write's way, in order.
    """

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.writes: list[str] = []
        self._inside = False

    def counting(self, original: Any, name: str, calls: list[str]) -> Any:
        """Return `original` as a function that notes each outermost call."""
        @functools.wraps(original)
        def counted(*arguments: Any, **named: Any) -> Any:
            if self._inside:
                return original(*arguments, **named)
            calls.append(name)
            self._inside = True
            try:
                return original(*arguments, **named)
            finally:
                self._inside = False
        return counted


@contextlib.contextmanager
def counted_traffic() -> Iterator[Traffic]:
    """Count in the whole process for as long as the context is open.

    Objects that took a reference to one of the ways before, such as ``from ops import assign``, are
    not seen: everything has to be reached through its class or its module.
    """
    traffic = Traffic()
    places = [(cls, name, calls) for cls in (Tensor, Parameter)
              for names, calls in ((READS, traffic.reads), (WRITES, traffic.writes)) for name in names]
    places += [(ops, "assign", traffic.writes), (functional, "assign", traffic.writes),
               (ops.Assign, "__call__", traffic.writes)]
    undo = []
    for owner, name, calls in places:
        original = getattr(owner, name, None)
        if callable(original):
            undo.append((owner, name, vars(owner).get(name)))
            setattr(owner, name, traffic.counting(original, name, calls))
    try:
        yield traffic
    finally:
        for owner, name, own in undo:
            if own is None:
                delattr(owner, name)
            else:
                setattr(owner, name, own)
