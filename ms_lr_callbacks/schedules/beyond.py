"""Schedules that torch does not have: inverse square root, Noam, and warm-up, stable, decay."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from ms_lr_callbacks.schedules import checks
from ms_lr_callbacks.schedules.backends import Ops
from ms_lr_callbacks.schedules.base import FactorSchedule

# Scale of the decay without a warm-up, as in big_vision and Hugging Face transformers.
_TIMESCALE_WITHOUT_WARMUP = 10_000


@dataclass(frozen=True)
class InverseSqrtLR(FactorSchedule):
    """Rise linearly from 0 to ``base``, then decay as ``base * sqrt(timescale / (t + shift))``.

    ``shift = timescale - warmup_steps``, so that the decay begins at ``base``. With the default
    ``timescale`` it is ``base * sqrt(warmup_steps / t)``.

    Args:
        warmup_steps: steps of the rise, an int >= 0.
        timescale: steps after which the decay counts, an int >= 1; ``warmup_steps`` by default, or
            10,000 if that is 0.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Reference: ``get_inverse_sqrt_schedule`` of Hugging Face transformers, after Zhai et al., "Scaling
    Vision Transformers", https://arxiv.org/abs/2106.04560.

    Example:
        >>> from ms_lr_callbacks.schedules import InverseSqrtLR
        >>> [InverseSqrtLR(warmup_steps=4)(t, 0.8) for t in (0, 2, 4, 16, 64)]
        [0.0, 0.4, 0.8, 0.4, 0.2]
    """

    warmup_steps: int
    timescale: Optional[int] = None

    def __post_init__(self) -> None:
        name = "InverseSqrtLR"
        self._set(warmup_steps=checks.integer(name, "warmup_steps", self.warmup_steps, low=0))
        if self.timescale is not None:
            self._set(timescale=checks.integer(name, "timescale", self.timescale, low=1))

    def _factor(self, ops: Ops, t: Any) -> Any:
        warmup = self.warmup_steps
        scale = self.timescale or warmup or _TIMESCALE_WITHOUT_WARMUP
        decay = ops.root(ops.maximum(t, warmup) / scale + (scale - warmup) / scale, -0.5)
        return ops.where(t < warmup, t / max(1, warmup), decay)


@dataclass(frozen=True)
class NoamLR(FactorSchedule):
    """``base * factor * model_size ** -0.5 * min(n ** -0.5, n * warmup_steps ** -1.5)``, ``n = t + 1``.

    The paper counts steps from 1, hence ``n``; its learning rate is the one for ``base = 1``. The
    peak is at ``t = warmup_steps - 1``.

    Args:
        model_size: width of the model, an int >= 1.
        warmup_steps: steps of the linear rise, an int >= 1.
        factor: scale of the whole curve, > 0.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Reference: Vaswani et al., "Attention Is All You Need", https://arxiv.org/abs/1706.03762,
    equation 3.

    Example:
        >>> from ms_lr_callbacks.schedules import NoamLR
        >>> schedule = NoamLR(model_size=64, warmup_steps=4)
        >>> [schedule(t, 1.0) for t in (0, 1, 3, 15)]
        [0.015625, 0.03125, 0.0625, 0.03125]
    """

    model_size: int
    warmup_steps: int
    factor: float = 1.0

    def __post_init__(self) -> None:
        self._set(model_size=checks.integer("NoamLR", "model_size", self.model_size, low=1),
                  warmup_steps=checks.integer("NoamLR", "warmup_steps", self.warmup_steps, low=1),
                  factor=checks.real("NoamLR", "factor", self.factor, above=0.0))

    def _factor(self, ops: Ops, t: Any) -> Any:
        n = t + 1
        scale = self.factor * self.model_size ** -0.5
        return scale * ops.minimum(ops.root(n / 1, -0.5), n * self.warmup_steps ** -1.5)


@dataclass(frozen=True)
class WarmupStableDecayLR(FactorSchedule):
    """Rise linearly to ``base``, stay there, decay to ``base * min_lr_ratio`` and stay there.

    The rise starts at ``base * min_lr_ratio``. A fraction ``p`` into the decay the way still to go is
    ``1 - p`` ("linear"), ``(1 + cos(pi * p)) / 2`` ("cosine") or ``1 - sqrt(p)`` ("1-sqrt").

    Args:
        warmup_steps: steps of the rise, an int >= 0.
        stable_steps: steps at ``base``, an int >= 0.
        decay_steps: steps of the decay, an int >= 0.
        decay_type: "linear", "cosine" or "1-sqrt".
        min_lr_ratio: last value over ``base``, in [0, 1].

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Reference: Hu et al., "MiniCPM", https://arxiv.org/abs/2404.06395; for "1-sqrt" Haegele et al.,
    "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations",
    https://arxiv.org/abs/2405.18392; ``get_wsd_schedule`` of Hugging Face transformers.

    Example:
        >>> from ms_lr_callbacks.schedules import WarmupStableDecayLR
        >>> schedule = WarmupStableDecayLR(2, 3, 4, decay_type="linear")
        >>> [schedule(t, 1.0) for t in range(11)]
        [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """

    warmup_steps: int
    stable_steps: int
    decay_steps: int
    decay_type: str = "linear"
    min_lr_ratio: float = 0.0

    def __post_init__(self) -> None:
        name = "WarmupStableDecayLR"
        self._set(warmup_steps=checks.integer(name, "warmup_steps", self.warmup_steps, low=0),
                  stable_steps=checks.integer(name, "stable_steps", self.stable_steps, low=0),
                  decay_steps=checks.integer(name, "decay_steps", self.decay_steps, low=0),
                  decay_type=checks.choice(name, "decay_type", self.decay_type,
                                           ("linear", "cosine", "1-sqrt")),
                  min_lr_ratio=checks.real(name, "min_lr_ratio", self.min_lr_ratio, low=0.0, high=1.0))

    def _factor(self, ops: Ops, t: Any) -> Any:
        low, warmup, decay = self.min_lr_ratio, self.warmup_steps, self.decay_steps
        start = warmup + self.stable_steps
        rise = ops.lerp(low, 1.0, ops.minimum(t, warmup), warmup) if warmup else 1.0
        if decay == 0:
            return ops.where(t < start, rise, low)
        k = ops.minimum(ops.maximum(t - start, 0), decay)
        return ops.where(t < start, rise, self._decay(ops, k, decay, low))

    def _decay(self, ops: Ops, k: Any, n: int, low: float) -> Any:
        if self.decay_type == "linear":
            return ops.lerp(1.0, low, k, n)
        if self.decay_type == "cosine":
            return low + (1.0 - low) * ops.half_cosine(k, n)
        # 1 - sqrt(p), written so that no digits cancel near the end.
        return low + (1.0 - low) * ((n - k) / n / (1.0 + ops.root(k / n, 0.5)))
