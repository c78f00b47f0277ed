"""Cosine annealing, with and without restarts."""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Tuple

from ms_lr_callbacks.schedules import checks
from ms_lr_callbacks.schedules.backends import Ops
from ms_lr_callbacks.schedules.base import Schedule

# Steps are int64 in arrays and int32 in graphs; no cycle needs to begin later.
_LAST_STEP = 2 ** 62


@dataclass(frozen=True)
class CosineAnnealingLR(Schedule):
    """``eta_min + (base - eta_min) * (1 + cos(pi * t / T_max)) / 2``.

    Past ``T_max`` the value rises again, reaches ``base`` at ``2 * T_max`` and goes on to swing: this
    is what torch does when ``scheduler.step()`` is called in a loop. To stay at ``eta_min``, follow
    it with another schedule in ``SequentialLR``.

    Args:
        T_max: steps from the maximum to the minimum, an int >= 1.
        eta_min: the minimum, in the unit of ``base``, >= 0.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Reference: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts",
    https://arxiv.org/abs/1608.03983, equation 5; ``torch.optim.lr_scheduler.CosineAnnealingLR``.

    Example:
        >>> from ms_lr_callbacks.schedules import CosineAnnealingLR
        >>> [round(CosineAnnealingLR(T_max=4)(t, 0.8), 4) for t in range(6)]
        [0.8, 0.6828, 0.4, 0.1172, 0.0, 0.1172]
    """

    T_max: int
    eta_min: float = 0.0

    def __post_init__(self) -> None:
        self._set(T_max=checks.integer("CosineAnnealingLR", "T_max", self.T_max, low=1),
                  eta_min=checks.real("CosineAnnealingLR", "eta_min", self.eta_min, low=0.0))

    def _formula(self, ops: Ops, t: Any, base: Any) -> Any:
        return ops.cosine_wave(base, self.eta_min, t, self.T_max)

    def _first(self, value: float, base: float) -> float:
        return value

    def _next(self, k: int, value: float, base: float) -> float:
        n = self.T_max
        if (k - 1 - n) % (2 * n) == 0:
            return value + (base - self.eta_min) * (1 - math.cos(math.pi / n)) / 2
        ratio = (1 + math.cos(math.pi * k / n)) / (1 + math.cos(math.pi * (k - 1) / n))
        return ratio * (value - self.eta_min) + self.eta_min


@dataclass(frozen=True)
class CosineAnnealingWarmRestarts(Schedule):
    """Cosine annealing that jumps back to ``base`` at the end of each cycle.

    Within a cycle of ``T_i`` steps, ``T_cur`` steps after its start, the value is
    ``eta_min + (base - eta_min) * (1 + cos(pi * T_cur / T_i)) / 2``. The first cycle has ``T_0``
    steps, each later one ``T_mult`` times the steps of the one before.

    Args:
        T_0: steps of the first cycle, an int >= 1.
        T_mult: growth of the cycles, an int >= 1.
        eta_min: the minimum, in the unit of ``base``, >= 0.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Reference: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts",
    https://arxiv.org/abs/1608.03983; ``torch.optim.lr_scheduler.CosineAnnealingWarmRestarts``.

    Example:
        >>> from ms_lr_callbacks.schedules import CosineAnnealingWarmRestarts
        >>> [round(CosineAnnealingWarmRestarts(T_0=2, T_mult=2)(t, 0.8), 4) for t in range(7)]
        [0.8, 0.4, 0.8, 0.6828, 0.4, 0.1172, 0.8]
    """

    T_0: int
    T_mult: int = 1
    eta_min: float = 0.0
    _starts: Tuple[int, ...] = field(init=False, repr=False, compare=False)
    _lengths: Tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        name = "CosineAnnealingWarmRestarts"
        first = checks.integer(name, "T_0", self.T_0, low=1)
        growth = checks.integer(name, "T_mult", self.T_mult, low=1)
        starts, lengths = _cycles(first, growth)
        self._set(T_0=first, T_mult=growth, eta_min=checks.real(name, "eta_min", self.eta_min, low=0.0),
                  _starts=starts, _lengths=lengths)

    def _formula(self, ops: Ops, t: Any, base: Any) -> Any:
        if self.T_mult == 1:
            return ops.cosine(base, self.eta_min, t % self.T_0, self.T_0)
        edges = self._starts[1:]
        start, length = ops.lookup(t, edges, self._starts), ops.lookup(t, edges, self._lengths)
        return ops.cosine(base, self.eta_min, t - start, length)


def _cycles(first: int, growth: int) -> Tuple[Tuple[int, ...], Tuple[int, ...]]:
    """Return the first step and the length of every cycle that a 64-bit step can reach."""
    starts, lengths = [0], [first]
    while growth > 1 and starts[-1] + lengths[-1] <= _LAST_STEP:
        starts.append(starts[-1] + lengths[-1])
        lengths.append(lengths[-1] * growth)
    return tuple(starts), tuple(lengths)
