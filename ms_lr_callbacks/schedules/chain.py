"""Several schedules at the same time: torch's chain of step-by-step changes, and the plain product."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Sequence, Tuple

from ms_lr_callbacks.schedules.backends import Ops
from ms_lr_callbacks.schedules.base import FactorSchedule, Schedule, ScheduleLike
from ms_lr_callbacks.schedules.prefix import Prefix
from ms_lr_callbacks.schedules.sequence import as_schedules

# Base values whose history one chain keeps; there is one per parameter group.
_MAX_BASES = 64


@dataclass(frozen=True)
class ChainedScheduler(Schedule):
    """Apply every schedule's step to the same value, one after the other, as torch does.

    Schedules that multiply ``base`` (``StepLR``, ``LinearLR``, ``ExponentialLR`` and so on) give the
    product of their factors. The others act as they do in torch when ``step()`` is called in a loop:

    * ``LambdaLR``, ``CosineAnnealingWarmRestarts``, ``CyclicLR`` and ``OneCycleLR``, and likewise
      warm-ups, products and functions, replace whatever stands before them in the list.
    * ``CosineAnnealingLR`` and ``SWALR`` move the current value towards ``eta_min`` and ``swa_lr``.
      If another schedule pushed it below that, they can throw it below 0, as in torch.
    * ``SequentialLR`` sets the value back to ``base`` when one of its schedules takes over.

    For a plain product of any schedules write ``a * b`` (:class:`ProductLR`).

    With only factors the value is a closed form. Otherwise it follows from the values of all steps
    before: the first call for a step costs O(t), which is kept for the calls after it.

    Args:
        schedules: schedules or functions ``f(t, base) -> float``, at least one.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: ``schedules`` is empty.

    Reference: ``torch.optim.lr_scheduler.ChainedScheduler``.

    Example:
        >>> from ms_lr_callbacks.schedules import ChainedScheduler, ConstantLR, ExponentialLR
        >>> schedule = ChainedScheduler([ConstantLR(0.5, total_iters=2), ExponentialLR(gamma=0.5)])
        >>> [schedule(t, 0.8) for t in range(4)]
        [0.4, 0.2, 0.2, 0.1]
    """

    schedules: Sequence[ScheduleLike]
    _parts: Tuple[Schedule, ...] = field(init=False, repr=False, compare=False)
    _product: bool = field(init=False, repr=False, compare=False)
    _histories: Dict[float, Prefix] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = as_schedules("ChainedScheduler", self.schedules)
        self._set(schedules=parts, _parts=parts, _product=all(map(_is_factor, parts)), _histories={})

    @property
    def closed_form(self) -> bool:
        """True if every schedule in it multiplies ``base`` and has a closed form."""
        return self._product and all(part.closed_form for part in self._parts)

    def _formula(self, ops: Ops, t: Any, base: Any) -> Any:
        for part in self._parts:
            base = part._formula(ops, t, base)
        return base

    def _scalar(self, t: int, base: float) -> float:
        if self._product:
            for part in self._parts:
                base = part._scalar(t, base)
            return base
        history = self._histories.get(base)
        if history is None:
            if len(self._histories) >= _MAX_BASES:
                self._histories.clear()
            history = Prefix(self._first(base, base), lambda k, value: self._next(k, value, base))
            self._histories[base] = history
        return history[t]

    def _first(self, value: float, base: float) -> float:
        for part in self._parts:
            value = part._first(value, base)
        return value

    def _next(self, k: int, value: float, base: float) -> float:
        for part in self._parts:
            value = part._next(k, value, base)
        return value

    def _restart(self, value: float, base: float) -> float:
        return self._first(base, base)


def _is_factor(schedule: Schedule) -> bool:
    if isinstance(schedule, ChainedScheduler):
        return schedule._product
    return isinstance(schedule, FactorSchedule)


@dataclass(frozen=True)
class ProductLR(Schedule):
    """``schedules[0](t, base)`` times the values that the other schedules have for ``base = 1``.

    ``a * b`` makes the same. Unlike :class:`ChainedScheduler` each schedule keeps its own curve.

    Args:
        schedules: schedules or functions ``f(t, base) -> float``, at least one.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: ``schedules`` is empty.

    Example:
        >>> from ms_lr_callbacks.schedules import CosineAnnealingWarmRestarts, ExponentialLR
        >>> schedule = CosineAnnealingWarmRestarts(T_0=2) * ExponentialLR(gamma=0.5)
        >>> [round(schedule(t, 0.8), 6) for t in range(5)]
        [0.8, 0.2, 0.2, 0.05, 0.05]
    """

    schedules: Sequence[ScheduleLike]
    _parts: Tuple[Schedule, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = as_schedules("ProductLR", self.schedules)
        self._set(schedules=parts, _parts=parts)

    @property
    def closed_form(self) -> bool:
        """True if every schedule in it has one."""
        return all(part.closed_form for part in self._parts)

    def _formula(self, ops: Ops, t: Any, base: Any) -> Any:
        value = self._parts[0]._formula(ops, t, base)
        for part in self._parts[1:]:
            value = value * part._formula(ops, t, 1.0)
        return value

    def _scalar(self, t: int, base: float) -> float:
        value = self._parts[0]._scalar(t, base)
        for part in self._parts[1:]:
            value *= part._scalar(t, 1.0)
        return value

    def _array(self, t: Any, base: float) -> Any:
        value = self._parts[0]._array(t, base)
        for part in self._parts[1:]:
            value = value * part._array(t, 1.0)
        return value
