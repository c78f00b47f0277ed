"""Schedules for every other hyperparameter: weight decay, momentum, betas, eps, …"""
from __future__ import annotations

import math
from typing import Any, Optional

from ms_lr_callbacks.scheduling.scheduled import ScheduledCallback
from ms_lr_callbacks.scheduling.values import Limits, Schedules
from ms_lr_callbacks.training.run import TrainingRun

# What an update reads is a float32: from here on a number rounds to 1, up to here to 0.
_ONE = 1.0 - 2.0 ** -25
_ZERO = 2.0 ** -150

_LIMITS = {
    "weight_decay": Limits("weight decay"),
    "momentum": Limits("momentum"),
    "beta1": Limits("beta1", below=_ONE),
    "beta2": Limits("beta2", below=_ONE),
    "eps": Limits("eps", low=_ZERO, low_is_valid=False),
    "epsilon": Limits("epsilon", low=_ZERO, low_is_valid=False),
}


class HyperparameterScheduler(ScheduledCallback):
    """Drive any hyperparameter that the optimizer reads from a tensor or a Parameter.

    Update ``t`` uses exactly ``float32(schedule(t, base))``, where `base` is what the optimizer's
    constructor was given. MindSpore compiles most hyperparameters into the graph as constants; they
    are replaced by Parameters before the training starts, and given back after it.

    Adam with a changing beta1 keeps the exact bias correction: its running power is the product of
    the betas that were used, and ``1 - product`` is the total weight that the moving average
    ``m_t = beta_t m_{t-1} + (1 - beta_t) g_t`` has given to gradients so far (by induction:
    ``beta_t (1 - p_{t-1}) + 1 - beta_t = 1 - beta_t p_{t-1}``). torch takes ``beta_t ** t`` there.

    Args:
        name: ``"momentum"``, ``"beta1"``, ``"beta2"``, ``"eps"``, or whatever else
            ``hyperparameters(optimizer)`` shows as drivable.
        schedule: one schedule or callable ``f(t, base) -> float`` for all groups, or a list with one
            for each group, None to leave a group alone.
        interval: ``"step"``: ``t`` counts updates. ``"epoch"``: ``t`` is the number of the epoch.
        start_step: the ``t`` of the first update (or epoch) of the next training; None goes on where
            the optimizer stands. A whole number >= 0.

    Raises:
        TypeError: `schedule` is neither a schedule nor a callable nor a list of these.
        ValueError: an argument is out of range. At train begin: the optimizer has no such
            hyperparameter, or cannot change it; the message lists those that it can change. Before
            the step that would use it: a value is out of the hyperparameter's range.
        RuntimeError: as `LRScheduler`, under dataset sinking.

    Examples:
        >>> from ms_lr_callbacks import HyperparameterScheduler, LRScheduler
        >>> from ms_lr_callbacks import schedules as S
        >>> cycle = S.OneCycleLR(max_lr=0.1, total_steps=1000)
        >>> callbacks = [LRScheduler(cycle), HyperparameterScheduler("momentum", cycle.momentum_schedule())]
    """

    def __init__(self, name: str, schedule: Schedules, *, interval: str = "step",
                 start_step: Optional[int] = None) -> None:
        if name in ("lr", "learning_rate"):
            raise ValueError(f"HyperparameterScheduler does not drive {name!r}; use LRScheduler.")
        if not isinstance(name, str) or not name:
            raise ValueError(f"name must be the name of a hyperparameter such as 'momentum', but got {name!r}.")
        super().__init__(name, _LIMITS.get(name, Limits(name, low=-math.inf)), schedule, interval, start_step, None)
        self._given_name = name

    def on_train_begin(self, run_context: Any) -> None:
        """Take the hyperparameter in hand, under the name that it has in this optimizer."""
        self.name = TrainingRun.of(run_context).access.place(self._given_name).name
        super().on_train_begin(run_context)


class WeightDecayScheduler(HyperparameterScheduler):
    """Drive the weight decay of an optimizer by a schedule.

    Update ``t`` uses the decay ``schedule(t, base)``; the optimizer's ``loss_scale`` is taken care of.
    It may start from a base of 0. Parameters that MindSpore exempts (those with ``beta`` or ``gamma``
    in their names, unless they were grouped) stay exempt.

    Args:
        schedule: one schedule or callable ``f(t, base) -> float`` for all groups, or a list with one
            for each group, None to leave a group alone.
        interval: ``"step"``: ``t`` counts updates. ``"epoch"``: ``t`` is the number of the epoch.
        start_step: the ``t`` of the first update (or epoch) of the next training; None goes on where
            the optimizer stands. A whole number >= 0.

    Raises:
        TypeError: `schedule` is neither a schedule nor a callable nor a list of these.
        ValueError: as `HyperparameterScheduler`.

    Examples:
        >>> from ms_lr_callbacks import WeightDecayScheduler
        >>> from ms_lr_callbacks import schedules as S
        >>> callback = WeightDecayScheduler(S.LinearLR(1.0, 0.1, total_iters=1000))
        >>> from_zero = WeightDecayScheduler(lambda t, base: 1e-4 * min(t / 1000, 1.0))
    """

    def __init__(self, schedule: Schedules, *, interval: str = "step", start_step: Optional[int] = None) -> None:
        super().__init__("weight_decay", schedule, interval=interval, start_step=start_step)
