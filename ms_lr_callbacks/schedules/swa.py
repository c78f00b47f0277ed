"""The learning rate of stochastic weight averaging."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ms_lr_callbacks.schedules import checks
from ms_lr_callbacks.schedules.backends import SCALAR, Ops
from ms_lr_callbacks.schedules.base import Schedule


@dataclass(frozen=True)
class SWALR(Schedule):
    """Anneal from ``base`` to ``swa_lr`` in ``anneal_epochs`` steps and stay there.

    Behind a milestone of ``SequentialLR`` it starts from the value the previous schedule left, as in
    torch.

    Args:
        swa_lr: the value to reach, >= 0.
        anneal_epochs: number of steps (or epochs, if it is driven per epoch) of the way, an int >= 0.
        anneal_strategy: "cos" or "linear".

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.

    Reference: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization",
    https://arxiv.org/abs/1803.05407; ``torch.optim.swa_utils.SWALR``.

    Example:
        >>> from ms_lr_callbacks.schedules import SWALR
        >>> [SWALR(swa_lr=0.25, anneal_epochs=2, anneal_strategy="linear")(t, 0.75) for t in range(4)]
        [0.75, 0.5, 0.25, 0.25]
    """

    swa_lr: float
    anneal_epochs: int = 10
    anneal_strategy: str = "cos"

    _carries_on: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._set(swa_lr=checks.real("SWALR", "swa_lr", self.swa_lr, low=0.0),
                  anneal_epochs=checks.integer("SWALR", "anneal_epochs", self.anneal_epochs, low=0),
                  anneal_strategy=checks.choice("SWALR", "anneal_strategy", self.anneal_strategy,
                                                ("cos", "linear")))

    def _formula(self, ops: Ops, t: Any, base: Any) -> Any:
        n = self.anneal_epochs
        if n == 0:
            return self.swa_lr
        old, new = ops.weights(self.anneal_strategy, ops.minimum(t, n), n)
        return self.swa_lr * new + base * old

    def _first(self, value: float, base: float) -> float:
        return value if self.anneal_epochs else self.swa_lr

    def _next(self, k: int, value: float, base: float) -> float:
        n = self.anneal_epochs
        if k > n or n == 0:
            return self.swa_lr
        if k == 0:
            return value
        old, new = SCALAR.weights(self.anneal_strategy, k - 1, n)
        start = (value - new * self.swa_lr) / old
        old, new = SCALAR.weights(self.anneal_strategy, k, n)
        return self.swa_lr * new + start * old

    def _restart(self, value: float, base: float) -> float:
        return self._first(value, base)
