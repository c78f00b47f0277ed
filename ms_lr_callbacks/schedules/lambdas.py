"""Schedules that call a function of the user: a factor of the base, or a factor per step."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, ClassVar

from ms_lr_callbacks.schedules import checks
from ms_lr_callbacks.schedules.base import FactorSchedule, Schedule
from ms_lr_callbacks.schedules.prefix import Prefix


@dataclass(frozen=True)
class LambdaLR(Schedule):
    """``base * lr_lambda(t)``.

    Args:
        lr_lambda: maps the step count ``t``, an int >= 0, to a factor. It must depend on ``t`` only.

    Raises:
        TypeError: ``lr_lambda`` is not a function.

    Reference: ``torch.optim.lr_scheduler.LambdaLR``.

    Example:
        >>> from ms_lr_callbacks.schedules import LambdaLR
        >>> schedule = LambdaLR(lambda t: 0.5 ** t)
        >>> [schedule(t, 0.8) for t in range(3)]
        [0.8, 0.4, 0.2]
    """

    lr_lambda: Callable[[int], float]

    def __post_init__(self) -> None:
        checks.function("LambdaLR", "lr_lambda", self.lr_lambda, "t")

    @property
    def closed_form(self) -> bool:
        """False: what the function computes is not known."""
        return False

    def _scalar(self, t: int, base: float) -> float:
        return float(base * self.lr_lambda(t))


@dataclass(frozen=True)
class MultiplicativeLR(FactorSchedule):
    """``base * lr_lambda(1) * lr_lambda(2) * ... * lr_lambda(t)``.

    The running product is kept, so that a call costs O(1) once its ``t`` has been reached. Behind a
    milestone of ``SequentialLR`` it starts as in torch: from the value the previous schedule left,
    times ``lr_lambda(0)``.

    Args:
        lr_lambda: maps a step count, an int >= 1 (0 only behind a milestone), to the factor of that
            step. It must depend on its argument only.

    Raises:
        TypeError: ``lr_lambda`` is not a function.

    Reference: ``torch.optim.lr_scheduler.MultiplicativeLR``.

    Example:
        >>> from ms_lr_callbacks.schedules import MultiplicativeLR
        >>> schedule = MultiplicativeLR(lambda t: 0.5)
        >>> [schedule(t, 0.8) for t in range(3)]
        [0.8, 0.4, 0.2]
    """

    lr_lambda: Callable[[int], float]
    _products: Prefix = field(init=False, repr=False, compare=False)

    _carries_on: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.function("MultiplicativeLR", "lr_lambda", self.lr_lambda, "t")
        self._set(_products=Prefix(1.0, lambda k, product: float(product * self.lr_lambda(k))))

    @property
    def closed_form(self) -> bool:
        """False: the product needs every factor up to ``t``."""
        return False

    def _factor_at(self, t: int) -> float:
        return self._products[t]

    def _scalar(self, t: int, base: float) -> float:
        return base * self._factor_at(t)

    def _next(self, k: int, value: float, base: float) -> float:
        return float(value * self.lr_lambda(k))

    def _restart(self, value: float, base: float) -> float:
        return float(value * self.lr_lambda(0))
