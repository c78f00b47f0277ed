"""Cyclic learning rates and the momentum that goes with them."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional

from ms_lr_callbacks.schedules import checks
from ms_lr_callbacks.schedules.backends import Ops
from ms_lr_callbacks.schedules.base import Schedule


@dataclass(frozen=True)
class CyclicLR(Schedule):
    """Rise from ``base_lr`` to ``max_lr`` and fall back, again and again.

    Cycle ``n = 1, 2, ...`` has the amplitude ``(max_lr - base_lr) * scale``. The scale is 1 in mode
    "triangular", ``1 / 2 ** (n - 1)`` in mode "triangular2" and ``gamma ** t`` in mode "exp_range".

    As in torch ``base_lr`` and ``max_lr`` are the values themselves and replace what the optimizer
    was constructed with: ``base`` has no effect. For other values per group give a list of schedules.

    Args:
        base_lr: lower value, >= 0.
        max_lr: upper value, >= 0.
        step_size_up: steps of the rise, an int >= 1.
        step_size_down: steps of the fall, an int >= 1; as many as the rise by default.
        mode: "triangular", "triangular2" or "exp_range"; without effect if ``scale_fn`` is given.
        gamma: factor per step in mode "exp_range", >= 0.
        scale_fn: function of the user for the scale.
        scale_mode: what ``scale_fn`` is called with: "cycle" for ``n``, "iterations" for ``t``.
        cycle_momentum: whether :meth:`momentum_schedule` may be called.
        base_momentum: lower momentum, in [0, 1].
        max_momentum: upper momentum, in [0, 1].

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Reference: Smith, "Cyclical Learning Rates for Training Neural Networks",
    https://arxiv.org/abs/1506.01186; ``torch.optim.lr_scheduler.CyclicLR``.

    Example:
        >>> from ms_lr_callbacks.schedules import CyclicLR
        >>> schedule = CyclicLR(base_lr=0.25, max_lr=1.25, step_size_up=2, mode="triangular2")
        >>> [schedule(t, 0.8) for t in range(8)]
        [0.25, 0.75, 1.25, 0.75, 0.25, 0.5, 0.75, 0.5]
    """

    base_lr: float
    max_lr: float
    step_size_up: int = 2000
    step_size_down: Optional[int] = None
    mode: str = "triangular"
    gamma: float = 1.0
    scale_fn: Optional[Callable[[float], float]] = None
    scale_mode: str = "cycle"
    cycle_momentum: bool = True
    base_momentum: float = 0.8
    max_momentum: float = 0.9

    def __post_init__(self) -> None:
        name = "CyclicLR"
        if self.scale_fn is not None:
            checks.function(name, "scale_fn", self.scale_fn, "x")
        if self.step_size_down is not None:
            self._set(step_size_down=checks.integer(name, "step_size_down", self.step_size_down, low=1))
        self._set(base_lr=checks.real(name, "base_lr", self.base_lr, low=0.0),
                  max_lr=checks.real(name, "max_lr", self.max_lr, low=0.0),
                  step_size_up=checks.integer(name, "step_size_up", self.step_size_up, low=1),
                  mode=checks.choice(name, "mode", self.mode, ("triangular", "triangular2", "exp_range")),
                  gamma=checks.real(name, "gamma", self.gamma, low=0.0),
                  scale_mode=checks.choice(name, "scale_mode", self.scale_mode, ("cycle", "iterations")),
                  cycle_momentum=checks.flag(name, "cycle_momentum", self.cycle_momentum),
                  base_momentum=checks.real(name, "base_momentum", self.base_momentum, low=0.0, high=1.0),
                  max_momentum=checks.real(name, "max_momentum", self.max_momentum, low=0.0, high=1.0))

    @property
    def closed_form(self) -> bool:
        """False if the scale is a function of the user."""
        return self.scale_fn is None

    def _formula(self, ops: Ops, t: Any, base: Any) -> Any:
        down = self.step_size_down or self.step_size_up
        height = (self.max_lr - self.base_lr) * ops.triangle(t, self.step_size_up, down)
        return self.base_lr + height * self._scale(ops, t, self.step_size_up + down)

    def _scale(self, ops: Ops, t: Any, total: int) -> Any:
        if self.scale_fn is not None:
            return float(self.scale_fn(t if self.scale_mode == "iterations" else 1 + t // total))
        if self.mode == "triangular":
            return 1.0
        if self.mode == "triangular2":
            return ops.power(0.5, t // total)
        return ops.power(self.gamma, t)

    def momentum_schedule(self) -> CyclicLR:
        """Return the momentum of the same cycle: high where the learning rate is low.

        Returns:
            A schedule whose value goes from ``max_momentum`` to ``base_momentum`` and back, with
            torch's numbers.

        Raises:
            ValueError: ``cycle_momentum`` is False.

        Example:
            >>> from ms_lr_callbacks.schedules import CyclicLR
            >>> momentum = CyclicLR(0.1, 0.3, step_size_up=2, base_momentum=0.5).momentum_schedule()
            >>> [momentum(t, 0.9) for t in range(5)]
            [0.9, 0.7, 0.5, 0.7, 0.9]
        """
        if not self.cycle_momentum:
            raise ValueError("CyclicLR was made with cycle_momentum=False and has no momentum schedule; "
                             "leave cycle_momentum at True")
        return CyclicLR(base_lr=self.max_momentum, max_lr=self.base_momentum,
                        step_size_up=self.step_size_up, step_size_down=self.step_size_down,
                        mode=self.mode, gamma=self.gamma, scale_fn=self.scale_fn,
                        scale_mode=self.scale_mode, cycle_momentum=False)
