"""A linear warm-up in front of anything."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np

from ms_lr_callbacks.schedules import checks
from ms_lr_callbacks.schedules.backends import ARRAY, SCALAR, Ops
from ms_lr_callbacks.schedules.base import FloatArray, IntArray, Schedule, ScheduleLike, as_schedule


@dataclass(frozen=True)
class Warmup(Schedule):
    """Rise linearly to the first value of ``schedule`` in ``steps`` steps, then run ``schedule``.

    The schedule's own ``t`` is 0 at the end of the warm-up. :func:`warmup` makes one.

    Args:
        schedule: a schedule or a function ``f(t, base) -> float``.
        steps: steps of the rise, an int >= 0.
        start_factor: value at ``t = 0`` over the first value of ``schedule``, in [0, 1].

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Example:
        >>> from ms_lr_callbacks.schedules import StepLR, Warmup
        >>> schedule = Warmup(StepLR(step_size=2, gamma=0.5), steps=2)
        >>> [schedule(t, 0.8) for t in range(6)]
        [0.0, 0.4, 0.8, 0.8, 0.4, 0.4]
    """

    schedule: ScheduleLike
    steps: int
    start_factor: float = 0.0
    _part: Schedule = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        part = as_schedule("warmup", "schedule", self.schedule)
        self._set(schedule=part, _part=part, steps=checks.integer("warmup", "steps", self.steps, low=0),
                  start_factor=checks.real("warmup", "start_factor", self.start_factor, low=0.0, high=1.0))

    @property
    def closed_form(self) -> bool:
        """True if ``schedule`` has one."""
        return self._part.closed_form

    def _scalar(self, t: int, base: float) -> float:
        if t >= self.steps:
            return self._part._scalar(t - self.steps, base)
        return self._part._scalar(0, base) * SCALAR.lerp(self.start_factor, 1.0, t, self.steps)

    def _array(self, t: IntArray, base: float) -> FloatArray:
        values = np.empty(t.shape, np.float64)
        late = t >= self.steps
        values[late] = self._part._array(t[late] - self.steps, base)
        if self.steps:
            factor = ARRAY.lerp(self.start_factor, 1.0, t[~late], self.steps)
            values[~late] = self._part._scalar(0, base) * factor
        return values

    def _table(self, t: IntArray, bases: FloatArray) -> FloatArray:
        values = np.empty((t.size, bases.size))
        late = t >= self.steps
        values[late] = self._part._table(t[late] - self.steps, bases)
        if self.steps:
            factor = ARRAY.lerp(self.start_factor, 1.0, t[~late], self.steps)
            first = np.array([self._part._scalar(0, base) for base in bases.tolist()])
            values[~late] = np.multiply.outer(factor, first)
        return values

    def _formula(self, ops: Ops, t: Any, base: Any) -> Any:
        if self.steps == 0:
            return self._part._formula(ops, t, base)
        factor = ops.lerp(self.start_factor, 1.0, ops.minimum(t, self.steps), self.steps)
        late = self._part._formula(ops, ops.maximum(t - self.steps, 0), base)
        return ops.where(t < self.steps, self._part._scalar(0, base) * factor, late)


@overload
def warmup(schedule: ScheduleLike, steps: int, start_factor: float = 0.0) -> Warmup: ...


@overload
def warmup(schedule: Any, steps: int, start_factor: float = 0.0) -> Any: ...


def warmup(schedule: Any, steps: int, start_factor: float = 0.0) -> Any:
    """Put a linear warm-up in front of ``schedule``, a plateau callback included.

    The value rises from ``start_factor`` times the first value of ``schedule`` at ``t = 0`` to that
    first value at ``t = steps``; from there on ``schedule`` runs with its own ``t`` starting at 0.

    Args:
        schedule: a schedule, a function ``f(t, base) -> float``, or an object with a method
            ``with_warmup(steps, start_factor)``, as ``ReduceLROnPlateau`` has it.
        steps: steps of the rise, an int >= 0.
        start_factor: value at ``t = 0`` over the first value of ``schedule``, in [0, 1].

    Returns:
        A :class:`Warmup`; for an object with ``with_warmup`` what that method returns.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Example:
        >>> from ms_lr_callbacks.schedules import CosineAnnealingLR, warmup
        >>> schedule = warmup(CosineAnnealingLR(T_max=2), steps=4)
        >>> [round(schedule(t, 0.8), 4) for t in range(7)]
        [0.0, 0.2, 0.4, 0.6, 0.8, 0.4, 0.0]
    """
    own = getattr(schedule, "with_warmup", None)
    if callable(own):
        return own(steps, start_factor)
    return Warmup(schedule, steps, start_factor)
