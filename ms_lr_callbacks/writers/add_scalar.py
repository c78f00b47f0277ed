"""Any object with ``add_scalar``."""
from __future__ import annotations

from typing import Any, Sequence

from ms_lr_callbacks.writers.base import Scalars, ScalarWriter


class AddScalarWriter(ScalarWriter):
    """Hand scalars to an object with a method ``add_scalar(tag, value, step)``.

    That is the interface of TensorBoard's ``SummaryWriter`` and of many experiment trackers. The
    object stays the caller's: it is flushed where it has a ``flush`` method, and never closed.
    Points cannot be taken back there; a run that is resumed from an earlier step sends them again.

    Args:
        target: the object.

    Raises:
        TypeError: `target` has no method ``add_scalar``.

    Examples:
        >>> from ms_lr_callbacks.writers import AddScalarWriter, Scalars
        >>> class Show:
        ...     def add_scalar(self, tag, value, step):
        ...         print(step, tag, value)
        >>> AddScalarWriter(Show()).write([Scalars(7, {"lr": 0.5}, wall_time=0.0)])
        7 lr 0.5
    """

    def __init__(self, target: Any) -> None:
        if not callable(getattr(target, "add_scalar", None)):
            raise TypeError(f"AddScalarWriter takes an object with a method add_scalar(tag, value, step), but got "
                            f"{type(target).__name__}, which has none.")
        self._target = target

    def write(self, points: Sequence[Scalars]) -> None:
        for point in points:
            for tag, value in point.values.items():
                self._target.add_scalar(tag, float(value), point.step)

    def flush(self) -> None:
        flush = getattr(self._target, "flush", None)
        if callable(flush):
            flush()
