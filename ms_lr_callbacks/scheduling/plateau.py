"""The decision when to reduce, without any training: torch's arithmetic on plain numbers."""
from __future__ import annotations

import math
from typing import Any, Sequence, Union

from ms_lr_callbacks._checks import is_count, is_number


class Plateau:
    """Counts epochs without improvement.

    Attributes:
        best: the best metric so far; infinite at the start.
        bad_epochs: epochs without improvement in a row.
        cooldown_left: epochs of cool-down that are left.
    """

    def __init__(self, mode: str, factor: float, patience: int, threshold: float, threshold_mode: str, cooldown: int,
                 min_lr: Union[float, Sequence[float]], eps: float) -> None:
        """Arguments as of `ReduceLROnPlateau`, which documents them."""
        _check(mode in ("min", "max"), "mode", mode, "'min' or 'max'")
        _check(threshold_mode in ("rel", "abs"), "threshold_mode", threshold_mode, "'rel' or 'abs'")
        _check(is_number(factor) and 0.0 < factor < 1.0, "factor", factor, "a number in (0, 1)")
        _check(is_count(patience), "patience", patience, "a whole number >= 0")
        _check(is_count(cooldown), "cooldown", cooldown, "a whole number >= 0")
        _check(is_number(threshold) and threshold >= 0.0, "threshold", threshold, "a number >= 0")
        _check(is_number(eps) and eps >= 0.0, "eps", eps, "a number >= 0")
        lows: list[Any] = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr]
        _check(bool(lows) and all(is_number(each) and each >= 0.0 for each in lows), "min_lr", min_lr,
               "a number >= 0 or a list with one for each group")
        self._mode, self._threshold_mode = mode, threshold_mode
        self._factor, self._threshold, self._eps = float(factor), float(threshold), float(eps)
        self._patience, self._cooldown = int(patience), int(cooldown)
        self._min_lr: Any = min_lr
        self.best: float
        self.bad_epochs: int
        self.cooldown_left: int
        self.reset()

    def reset(self) -> None:
        """Forget every metric."""
        self.best = math.inf if self._mode == "min" else -math.inf
        self.bad_epochs = 0
        self.cooldown_left = 0

    def check_groups(self, groups: int) -> None:
        """Raise ValueError if ``min_lr`` is a list of another length than the number of groups."""
        if isinstance(self._min_lr, (list, tuple)) and len(self._min_lr) != groups:
            raise ValueError(f"min_lr has {len(self._min_lr)} values, but the optimizer has {groups} parameter groups; "
                             f"give one number, or one for each group.")

    def step(self, metric: float) -> bool:
        """Take in an epoch's metric; return whether the rates are to be reduced now."""
        if self._is_better(metric):
            self.best = metric
            self.bad_epochs = 0
        else:
            self.bad_epochs += 1
        if self.cooldown_left > 0:
            self.cooldown_left -= 1
            self.bad_epochs = 0
        if self.bad_epochs <= self._patience:
            return False
        self.cooldown_left = self._cooldown
        self.bad_epochs = 0
        return True

    def reduced(self, rates: Sequence[float]) -> list[float]:
        """Return the rates, one for each group, after a reduction."""
        lows = self._min_lr if isinstance(self._min_lr, (list, tuple)) else [self._min_lr] * len(rates)
        lower = [max(rate * self._factor, float(low)) for rate, low in zip(rates, lows)]
        return [new if rate - new > self._eps else rate for rate, new in zip(rates, lower)]

    def state_dict(self) -> dict[str, Any]:
        """Return what changes while training."""
        return {"best": self.best, "bad_epochs": self.bad_epochs, "cooldown_left": self.cooldown_left}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.best = float(state["best"])
        self.bad_epochs = int(state["bad_epochs"])
        self.cooldown_left = int(state["cooldown_left"])

    def _is_better(self, metric: float) -> bool:
        if self._mode == "min":
            relative, absolute = self.best * (1.0 - self._threshold), self.best - self._threshold
            return metric < (relative if self._threshold_mode == "rel" else absolute)
        relative, absolute = self.best * (self._threshold + 1.0), self.best + self._threshold
        return metric > (relative if self._threshold_mode == "rel" else absolute)


def _check(valid: bool, name: str, value: Any, allowed: str) -> None:
    if not valid:
        raise ValueError(f"{name} must be {allowed}, but got {value!r}.")
