"""One schedule after another."""
from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, List, Sequence, Tuple

import numpy as np

from ms_lr_callbacks.schedules import checks
from ms_lr_callbacks.schedules.backends import Ops
from ms_lr_callbacks.schedules.base import FloatArray, IntArray, Schedule, ScheduleLike, as_schedule


@dataclass(frozen=True)
class SequentialLR(Schedule):
    """Run ``schedules[i]`` from ``milestones[i - 1]`` on, with its own ``t`` starting at 0 there.

    As in torch, called in a loop, each schedule starts from ``base`` whatever came before, except
    ``MultiplicativeLR`` and ``SWALR``, which go on from the value they find.

    A ``SequentialLR`` may hold any schedule, also a ``ChainedScheduler`` or another ``SequentialLR``,
    which is the same as listing the inner schedules one by one. Torch 2.13 silently runs a composition that comes first
    one step ahead, a bug reported there, and raises NotImplementedError for a later one.

    Args:
        schedules: schedules or functions ``f(t, base) -> float``, at least one.
        milestones: the steps at which the second and later schedules take over, one fewer than
            ``schedules``, ints >= 0 in ascending order.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: the numbers of schedules and milestones do not fit, or the order is wrong.

    Reference: ``torch.optim.lr_scheduler.SequentialLR``.

    Example:
        >>> from ms_lr_callbacks.schedules import CosineAnnealingLR, LinearLR, SequentialLR
        >>> schedule = SequentialLR([LinearLR(0.5, total_iters=2), CosineAnnealingLR(T_max=2)], [2])
        >>> [round(schedule(t, 0.8), 4) for t in range(5)]
        [0.4, 0.6, 0.8, 0.4, 0.0]
    """

    schedules: Sequence[ScheduleLike]
    milestones: Sequence[int]
    # What runs from which step on, sequences inside this one taken apart.
    _parts: Tuple[Schedule, ...] = field(init=False, repr=False, compare=False)
    _starts: Tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        schedules = as_schedules("SequentialLR", self.schedules)
        milestones = checks.integers("SequentialLR", "milestones", self.milestones)
        if len(milestones) != len(schedules) - 1:
            raise ValueError(f"SequentialLR: milestones must be one fewer than schedules, got "
                             f"{len(milestones)} milestones for {len(schedules)} schedules")
        if list(milestones) != sorted(milestones):
            raise ValueError(f"SequentialLR: milestones must be in ascending order, got {list(milestones)}")
        parts, starts = _flat(schedules, milestones)
        self._set(schedules=schedules, milestones=milestones, _parts=parts, _starts=starts)

    @property
    def closed_form(self) -> bool:
        """True if every schedule in it has one."""
        return all(part.closed_form for part in self._parts)

    def _own_base(self, index: int, base: float) -> float:
        """Return the base that part ``index`` sees."""
        part = self._parts[index]
        if index == 0 or not part._carries_on:
            return base
        return part._restart(self._scalar(self._starts[index] - 1, base), base)

    def _scalar(self, t: int, base: float) -> float:
        index = bisect_right(self._starts, t) - 1
        part = self._parts[index]
        if part._carries_on:
            base = self._own_base(index, base)
        return part._scalar(t - self._starts[index], base)

    def _array(self, t: IntArray, base: float) -> FloatArray:
        owner = np.searchsorted(np.asarray(self._starts, dtype=np.int64), t, side="right") - 1
        values = np.empty(t.shape, np.float64)
        for index in np.unique(owner).tolist():
            mine = owner == index
            values[mine] = self._parts[index]._array(t[mine] - self._starts[index], self._own_base(index, base))
        return values

    def _table(self, t: IntArray, bases: FloatArray) -> FloatArray:
        owner = np.searchsorted(np.asarray(self._starts, dtype=np.int64), t, side="right") - 1
        values = np.empty((t.size, bases.size))
        for index in np.unique(owner).tolist():
            mine = owner == index
            own = np.array([self._own_base(index, base) for base in bases.tolist()])
            values[mine] = self._parts[index]._table(t[mine] - self._starts[index], own)
        return values

    def _formula(self, ops: Ops, t: Any, base: Any) -> Any:
        value = self._parts[0]._formula(ops, t, base)
        for index, start in enumerate(self._starts[1:], 1):
            late = self._parts[index]._formula(ops, ops.maximum(t - start, 0), self._own_base(index, base))
            value = ops.where(t >= start, late, value)
        return value

    def _first(self, value: float, base: float) -> float:
        # Torch resets the optimizer to its initial value when it constructs a SequentialLR.
        return self._parts[0]._first(base, base)

    def _next(self, k: int, value: float, base: float) -> float:
        index = bisect_right(self._starts, k) - 1
        if index and self._starts[index] == k:
            return self._parts[index]._restart(value, base)
        return self._parts[index]._next(k - self._starts[index], value, base)

    def _restart(self, value: float, base: float) -> float:
        return self._first(value, base)


def _flat(schedules: Sequence[Schedule], milestones: Sequence[int]
          ) -> Tuple[Tuple[Schedule, ...], Tuple[int, ...]]:
    """Return the schedules that ever run and the steps at which they start, without inner sequences."""
    parts: List[Schedule] = []
    starts: List[int] = []
    for i, schedule in enumerate(schedules):
        begin = milestones[i - 1] if i else 0
        end = milestones[i] if i < len(milestones) else math.inf
        inner = schedule if isinstance(schedule, SequentialLR) else None
        for part, offset in zip(inner._parts, inner._starts) if inner else [(schedule, 0)]:
            if begin + offset < end:
                parts.append(part._restarted() if parts else part)
                starts.append(begin + offset)
    return tuple(parts), tuple(starts)


def as_schedules(owner: str, value: object) -> Tuple[Schedule, ...]:
    """Return the items of ``value``, at least one schedule or function, as schedules."""
    if isinstance(value, Schedule):
        raise TypeError(f"{owner}: schedules must be a list of schedules, got one {type(value).__name__}")
    items = checks.sequence(owner, "schedules", value, "a list of schedules")
    if not items:
        raise ValueError(f"{owner}: schedules must hold at least one schedule, got {list(items)}")
    return tuple(as_schedule(owner, f"schedules[{i}]", item) for i, item in enumerate(items))
