"""Torch's plain decays and ramps: the base value times a factor."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Sequence, Tuple

from ms_lr_callbacks.schedules import checks
from ms_lr_callbacks.schedules.backends import SCALAR, Ops
from ms_lr_callbacks.schedules.base import FactorSchedule, Schedule


@dataclass(frozen=True)
class StepLR(FactorSchedule):
    """``base * gamma ** (t // step_size)``.

    Args:
        step_size: steps from one decay to the next, an int >= 1.
        gamma: factor of each decay, >= 0.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Reference: ``torch.optim.lr_scheduler.StepLR``.

    Example:
        >>> from ms_lr_callbacks.schedules import StepLR
        >>> [StepLR(step_size=2, gamma=0.5)(t, 0.8) for t in range(5)]
        [0.8, 0.8, 0.4, 0.4, 0.2]
    """

    step_size: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        self._set(step_size=checks.integer("StepLR", "step_size", self.step_size, low=1),
                  gamma=checks.real("StepLR", "gamma", self.gamma, low=0.0))

    def _factor(self, ops: Ops, t: Any) -> Any:
        return ops.power(self.gamma, t // self.step_size)

    def _next(self, k: int, value: float, base: float) -> float:
        return value * self.gamma if k > 0 and k % self.step_size == 0 else value


@dataclass(frozen=True)
class MultiStepLR(FactorSchedule):
    """``base * gamma ** n``, ``n`` being the number of milestones up to and including ``t``.

    Args:
        milestones: steps at which the value decays, ints >= 0 in any order. One that is listed
            twice counts twice.
        gamma: factor of each decay, >= 0.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Reference: ``torch.optim.lr_scheduler.MultiStepLR``.

    Example:
        >>> from ms_lr_callbacks.schedules import MultiStepLR
        >>> [MultiStepLR(milestones=[1, 3], gamma=0.5)(t, 0.8) for t in range(5)]
        [0.8, 0.4, 0.4, 0.2, 0.2]
    """

    milestones: Sequence[int]
    gamma: float = 0.1
    _powers: Tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        milestones = tuple(sorted(checks.integers("MultiStepLR", "milestones", self.milestones)))
        gamma = checks.real("MultiStepLR", "gamma", self.gamma, low=0.0)
        powers = tuple(SCALAR.power(gamma, n) for n in range(len(milestones) + 1))
        self._set(milestones=milestones, gamma=gamma, _powers=powers)

    def _factor(self, ops: Ops, t: Any) -> Any:
        return ops.lookup(t, self.milestones, self._powers)

    def _next(self, k: int, value: float, base: float) -> float:
        return value * self._powers[tuple(self.milestones).count(k)]


@dataclass(frozen=True)
class ConstantLR(FactorSchedule):
    """``base * factor`` until ``total_iters``, then ``base``.

    With ``total_iters=0`` torch, called in a loop, never leaves ``base * factor``, and neither does
    this one; behind a milestone of ``SequentialLR`` it is ``base`` at once, again as in torch.
    Where torch divides by zero (``factor=0`` at ``total_iters``), the value is ``base``.

    Args:
        factor: between 0 and 1.
        total_iters: number of steps with the factor, an int >= 0.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Reference: ``torch.optim.lr_scheduler.ConstantLR``.

    Example:
        >>> from ms_lr_callbacks.schedules import ConstantLR
        >>> [ConstantLR(factor=0.5, total_iters=2)(t, 0.8) for t in range(4)]
        [0.4, 0.4, 0.8, 0.8]
    """

    factor: float = 1.0 / 3
    total_iters: int = 5

    def __post_init__(self) -> None:
        self._set(factor=checks.real("ConstantLR", "factor", self.factor, low=0.0, high=1.0),
                  total_iters=checks.integer("ConstantLR", "total_iters", self.total_iters, low=0))

    def _factor(self, ops: Ops, t: Any) -> Any:
        if self.total_iters == 0:
            return self.factor
        return ops.where(t < self.total_iters, self.factor, 1.0)

    def _next(self, k: int, value: float, base: float) -> float:
        if k != self.total_iters or k == 0:
            return value
        return value * (1.0 / self.factor) if self.factor else base

    def _restarted(self) -> Schedule:
        return self if self.total_iters else ConstantLR(1.0, 0)


@dataclass(frozen=True)
class LinearLR(FactorSchedule):
    """``base`` times a factor that goes linearly from ``start_factor`` to ``end_factor``.

    From ``total_iters`` on the factor is ``end_factor``. With ``total_iters=0`` torch, called in a
    loop, stays at ``base * start_factor`` for ever, and so does this one.

    Args:
        start_factor: factor at ``t = 0``, in (0, 1].
        end_factor: factor from ``total_iters`` on, in [0, 1].
        total_iters: number of steps of the ramp, an int >= 0.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Reference: ``torch.optim.lr_scheduler.LinearLR``.

    Example:
        >>> from ms_lr_callbacks.schedules import LinearLR
        >>> [LinearLR(start_factor=0.5, total_iters=2)(t, 0.5) for t in range(4)]
        [0.25, 0.375, 0.5, 0.5]
    """

    start_factor: float = 1.0 / 3
    end_factor: float = 1.0
    total_iters: int = 5

    def __post_init__(self) -> None:
        hint = "; warmup(schedule, steps) starts from 0"
        try:
            start = checks.real("LinearLR", "start_factor", self.start_factor, above=0.0, high=1.0)
        except ValueError as error:
            raise ValueError(f"{error}{hint}") if self.start_factor == 0 else error
        self._set(start_factor=start,
                  end_factor=checks.real("LinearLR", "end_factor", self.end_factor, low=0.0, high=1.0),
                  total_iters=checks.integer("LinearLR", "total_iters", self.total_iters, low=0))

    def _factor(self, ops: Ops, t: Any) -> Any:
        n = self.total_iters
        if n == 0:
            return self.start_factor
        return ops.lerp(self.start_factor, self.end_factor, ops.minimum(t, n), n)

    def _next(self, k: int, value: float, base: float) -> float:
        if k == 0:
            return value * self.start_factor
        if k > self.total_iters:
            return value
        if k == self.total_iters and self.end_factor == 0.0:
            return 0.0  # The quotient below would leave a rounding error of either sign.
        rise = self.end_factor - self.start_factor
        return value * (1.0 + rise / (self.total_iters * self.start_factor + (k - 1) * rise))


@dataclass(frozen=True)
class ExponentialLR(FactorSchedule):
    """``base * gamma ** t``.

    Args:
        gamma: factor of each step, >= 0.

    Raises:
        TypeError: ``gamma`` is not a number.
        ValueError: ``gamma`` is out of range.

    Reference: ``torch.optim.lr_scheduler.ExponentialLR``.

    Example:
        >>> from ms_lr_callbacks.schedules import ExponentialLR
        >>> [ExponentialLR(gamma=0.5)(t, 0.8) for t in range(4)]
        [0.8, 0.4, 0.2, 0.1]
    """

    gamma: float

    def __post_init__(self) -> None:
        self._set(gamma=checks.real("ExponentialLR", "gamma", self.gamma, low=0.0))

    def _factor(self, ops: Ops, t: Any) -> Any:
        return ops.power(self.gamma, t)

    def _next(self, k: int, value: float, base: float) -> float:
        return value * self.gamma


@dataclass(frozen=True)
class PolynomialLR(FactorSchedule):
    """``base * (1 - t / total_iters) ** power``, and 0 from ``total_iters`` on.

    With ``total_iters=0`` the value stays ``base``, as torch has it when called in a loop.

    Args:
        total_iters: number of steps of the decay, an int >= 0.
        power: exponent, >= 0. 1 is a straight line.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Reference: ``torch.optim.lr_scheduler.PolynomialLR``.

    Example:
        >>> from ms_lr_callbacks.schedules import PolynomialLR
        >>> [PolynomialLR(total_iters=4, power=2.0)(t, 1.6) for t in range(6)]
        [1.6, 0.9, 0.4, 0.1, 0.0, 0.0]
    """

    total_iters: int = 5
    power: float = 1.0

    def __post_init__(self) -> None:
        self._set(total_iters=checks.integer("PolynomialLR", "total_iters", self.total_iters, low=0),
                  power=checks.real("PolynomialLR", "power", self.power, low=0.0))

    def _factor(self, ops: Ops, t: Any) -> Any:
        n = self.total_iters
        if n == 0:
            return 1.0
        return ops.root(ops.lerp(1.0, 0.0, ops.minimum(t, n), n), self.power)

    def _next(self, k: int, value: float, base: float) -> float:
        n = self.total_iters
        if k > n:
            return value
        return value * float(((1.0 - k / n) / (1.0 - (k - 1) / n)) ** self.power)
