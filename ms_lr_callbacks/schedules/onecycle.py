"""The 1cycle policy: one rise, one long fall, and the momentum that goes with it."""
from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Any, List, Optional, Sequence, Tuple

from ms_lr_callbacks.schedules import checks
from ms_lr_callbacks.schedules.backends import SCALAR, Ops
from ms_lr_callbacks.schedules.base import FloatArray, IntArray, Schedule


_KINDS = ("cos", "linear")


@dataclass(frozen=True)
class _Phase:
    """From ``first``, an int, on: go from ``a`` at ``start`` to ``b`` at ``end``."""

    first: int
    start: float
    end: float
    a: float
    b: float


def _phases(total: int, pct_start: float, three_phase: bool, levels: Sequence[float]) -> Tuple[_Phase, ...]:
    """Return torch's phases through ``levels``, without those that hold no step."""
    ends = [float(pct_start * total) - 1]
    if three_phase:
        ends.append(float(2 * pct_start * total) - 2)
    ends.append(total - 1)
    phases: List[_Phase] = []
    first, start = 0, 0.0
    for i, end in enumerate(ends):
        last = total - 1 if i == len(ends) - 1 else min(math.floor(end), total - 1)
        if last >= first and end > start:
            phases.append(_Phase(first, start, end, levels[i], levels[i + 1]))
            first = last + 1
        start = end
    if not phases:  # pct_start and total_steps leave only step 0, which is the peak.
        phases.append(_Phase(0, 0.0, 1.0, levels[1], levels[2]))
    return tuple(phases)


@dataclass(frozen=True)
class _OneCycle(Schedule):
    """What the learning rate and the momentum of the policy have in common."""

    _total: int = field(init=False, repr=False, compare=False)
    _path: Tuple[_Phase, ...] = field(init=False, repr=False, compare=False)
    _kind: str = field(init=False, repr=False, compare=False)
    _warned: bool = field(init=False, repr=False, compare=False)

    def _prepare(self, total: int, pct_start: float, kind: str, three_phase: bool,
                 levels: Sequence[float]) -> None:
        self._set(_total=total, _kind=kind, _path=_phases(total, pct_start, three_phase, levels),
                  _warned=False)

    def _formula(self, ops: Ops, t: Any, base: Any) -> Any:
        t = ops.minimum(t, self._total - 1)
        value: Any = None
        for p in self._path:
            part = ops.anneal(self._kind, p.a, p.b, t, p.start, p.end)
            value = part if value is None else ops.where(t >= p.first, part, value)
        return value

    def _scalar(self, t: int, base: float) -> float:
        if t >= self._total:
            if t > self._total:  # t = total_steps is asked for at the end of a run, and used by nobody
                self._warn(t)
            t = self._total - 1
        for p in reversed(self._path):
            if t >= p.first:
                break
        return SCALAR.anneal(self._kind, p.a, p.b, t, p.start, p.end)

    def _array(self, t: IntArray, base: float) -> FloatArray:
        if t.size and t.max() > self._total:
            self._warn(int(t.max()))
        return super()._array(t, base)

    def _warn(self, t: int) -> None:
        if self._warned:
            return
        self._set(_warned=True)
        warnings.warn(f"{type(self).__name__} was made for {self._total} steps in total and was asked for "
                      f"t={t}; from t={self._total} on it holds its last value", UserWarning, stacklevel=4)


@dataclass(frozen=True)
class OneCycleLR(_OneCycle):
    """Rise from ``max_lr / div_factor`` to ``max_lr``, then fall far below the start.

    As in torch ``max_lr`` is the value itself and replaces what the optimizer was constructed with:
    ``base`` has no effect. For other values per group give a list of schedules. Where torch raises
    in the middle of a run, past ``total_steps``, the last value is held, with one warning.

    Args:
        max_lr: the peak, >= 0.
        total_steps: number of updates of the whole cycle, an int >= 1.
        epochs: with ``steps_per_epoch``, in the place of ``total_steps``, an int >= 1.
        steps_per_epoch: with ``epochs``, in the place of ``total_steps``, an int >= 1.
        pct_start: fraction of the cycle that is spent rising, in [0, 1].
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether :meth:`momentum_schedule` may be called.
        base_momentum: lower momentum, in [0, 1].
        max_momentum: upper momentum, in [0, 1].
        div_factor: ``max_lr`` over the first value, > 0.
        final_div_factor: the first value over the last one, > 0.
        three_phase: fall to the first value as steeply as it rose, then go on to the last value.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range, or the number of steps is not given.

    Reference: Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates", https://arxiv.org/abs/1708.07120; ``torch.optim.lr_scheduler.OneCycleLR``.

    Example:
        >>> from ms_lr_callbacks.schedules import OneCycleLR
        >>> schedule = OneCycleLR(max_lr=1.0, total_steps=9, pct_start=1 / 3, anneal_strategy="linear")
        >>> [round(schedule(t, 0.8), 3) for t in range(9)]
        [0.04, 0.52, 1.0, 0.833, 0.667, 0.5, 0.333, 0.167, 0.0]
    """

    max_lr: float
    total_steps: Optional[int] = None
    epochs: Optional[int] = None
    steps_per_epoch: Optional[int] = None
    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    cycle_momentum: bool = True
    base_momentum: float = 0.85
    max_momentum: float = 0.95
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    three_phase: bool = False

    def __post_init__(self) -> None:
        name = "OneCycleLR"
        for argument in ("total_steps", "epochs", "steps_per_epoch"):
            value = getattr(self, argument)
            if value is not None:
                self._set(**{argument: checks.integer(name, argument, value, low=1)})
        total = self.total_steps
        if total is None:
            if self.epochs is None or self.steps_per_epoch is None:
                raise ValueError(f"{name}: give total_steps, or epochs and steps_per_epoch, got "
                                 f"total_steps=None, epochs={self.epochs}, "
                                 f"steps_per_epoch={self.steps_per_epoch}")
            total = self.epochs * self.steps_per_epoch
        self._set(max_lr=checks.real(name, "max_lr", self.max_lr, low=0.0),
                  pct_start=checks.real(name, "pct_start", self.pct_start, low=0.0, high=1.0),
                  anneal_strategy=checks.choice(name, "anneal_strategy", self.anneal_strategy, _KINDS),
                  cycle_momentum=checks.flag(name, "cycle_momentum", self.cycle_momentum),
                  base_momentum=checks.real(name, "base_momentum", self.base_momentum, low=0.0, high=1.0),
                  max_momentum=checks.real(name, "max_momentum", self.max_momentum, low=0.0, high=1.0),
                  div_factor=checks.real(name, "div_factor", self.div_factor, above=0.0),
                  final_div_factor=checks.real(name, "final_div_factor", self.final_div_factor, above=0.0),
                  three_phase=checks.flag(name, "three_phase", self.three_phase))
        first = self.max_lr / self.div_factor
        middle = (first,) if self.three_phase else ()
        levels = (first, self.max_lr, *middle, first / self.final_div_factor)
        self._prepare(total, self.pct_start, self.anneal_strategy, self.three_phase, levels)

    def momentum_schedule(self) -> OneCycleMomentum:
        """Return the momentum of the same cycle: lowest where the learning rate is highest.

        Returns:
            A schedule with torch's numbers, from ``max_momentum`` to ``base_momentum`` and back.

        Raises:
            ValueError: ``cycle_momentum`` is False.

        Example:
            >>> from ms_lr_callbacks.schedules import OneCycleLR
            >>> cycle = OneCycleLR(max_lr=1.0, total_steps=9, pct_start=1 / 3, anneal_strategy="linear")
            >>> [round(cycle.momentum_schedule()(t, 0.9), 3) for t in range(9)]
            [0.95, 0.9, 0.85, 0.867, 0.883, 0.9, 0.917, 0.933, 0.95]
        """
        if not self.cycle_momentum:
            raise ValueError("OneCycleLR was made with cycle_momentum=False and has no momentum schedule; "
                             "leave cycle_momentum at True")
        return OneCycleMomentum(self._total, self.pct_start, self.anneal_strategy, self.base_momentum,
                                self.max_momentum, self.three_phase)


@dataclass(frozen=True)
class OneCycleMomentum(_OneCycle):
    """The momentum that goes with a :class:`OneCycleLR`; its ``momentum_schedule()`` makes it.

    Args:
        total_steps: number of updates of the whole cycle, an int >= 1.
        pct_start: fraction of the cycle in which the momentum falls, in [0, 1].
        anneal_strategy: "cos" or "linear".
        base_momentum: lower momentum, in [0, 1].
        max_momentum: upper momentum, in [0, 1].
        three_phase: rise as steeply as it fell, then stay.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Reference: ``torch.optim.lr_scheduler.OneCycleLR``.

    Example:
        >>> from ms_lr_callbacks.schedules import OneCycleMomentum
        >>> momentum = OneCycleMomentum(total_steps=9, pct_start=1 / 3, anneal_strategy="linear")
        >>> [round(momentum(t, 0.9), 3) for t in range(4)]
        [0.95, 0.9, 0.85, 0.867]
    """

    total_steps: int
    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    base_momentum: float = 0.85
    max_momentum: float = 0.95
    three_phase: bool = False

    def __post_init__(self) -> None:
        name = "OneCycleMomentum"
        self._set(total_steps=checks.integer(name, "total_steps", self.total_steps, low=1),
                  pct_start=checks.real(name, "pct_start", self.pct_start, low=0.0, high=1.0),
                  anneal_strategy=checks.choice(name, "anneal_strategy", self.anneal_strategy, _KINDS),
                  base_momentum=checks.real(name, "base_momentum", self.base_momentum, low=0.0, high=1.0),
                  max_momentum=checks.real(name, "max_momentum", self.max_momentum, low=0.0, high=1.0),
                  three_phase=checks.flag(name, "three_phase", self.three_phase))
        high, low = self.max_momentum, self.base_momentum
        levels = (high, low, high, high) if self.three_phase else (high, low, high)
        self._prepare(self.total_steps, self.pct_start, self.anneal_strategy, self.three_phase, levels)
