"""Learning-rate schedules for static learning rates."""
from __future__ import annotations

import warnings
from typing import Any, Optional

from ms_lr_callbacks.scheduling.scheduled import ScheduledCallback
from ms_lr_callbacks.scheduling.values import Limits, Schedules


class LRScheduler(ScheduledCallback):
    """Drive the static learning rate of an optimizer by a schedule.

    Update ``t`` (counted from 0) uses exactly ``float32(schedule(t, base))``, the number that torch
    uses when ``scheduler.step()`` follows every ``optimizer.step()``. `base` is what the optimizer's
    constructor was given for the group, whatever a checkpoint has left in the Parameter since. A run
    that goes on (a second ``Model.train``, ``initial_epoch=``, a restored ``global_step``) goes on at
    its true ``t``.

    Args:
        schedule: one schedule for all groups; a list with one for each group, in the order in which
            the optimizer was given the groups, None for a group to be left alone; or any callable
            ``f(t, base) -> float``.
        interval: ``"step"``: ``t`` counts updates. ``"epoch"``: ``t`` is the number of the epoch, from
            0, and the value holds for the whole epoch.
        start_step: the ``t`` of the first update (or epoch) of the next training; None goes on where
            the optimizer stands. A whole number >= 0.
        lookahead: how many updates' values to hand to the device at once, >= 1. None means 1, and
            the sink size under dataset sinking, where each update inside a sink gets its own value.

    Raises:
        TypeError: `schedule` is neither a schedule nor a callable nor a list of these.
        ValueError: an argument is out of range. At train begin: there is no optimizer, a driven group
            has a dynamic rate, or the number of schedules is not that of the groups. Before the step
            that would use it: a value is NaN, infinite or negative.
        RuntimeError: after the first step, where values of several updates were handed over at once
            (`lookahead` above 1, dataset sinking): the optimizer's ``global_step`` has not counted its
            updates, so that its graph would read the same value for ever. After a step: a call of
            the train network has done more updates than values were handed over for.

    Examples:
        >>> from ms_lr_callbacks import LRScheduler
        >>> from ms_lr_callbacks import schedules as S
        >>> warm_cosine = LRScheduler(S.SequentialLR(
        ...     [S.LinearLR(0.01, 1.0, total_iters=100), S.CosineAnnealingLR(T_max=900)], milestones=[100]))
        >>> halved_each_epoch = LRScheduler(lambda epoch, base: base * 0.5 ** epoch, interval="epoch")
        >>> # model.train(10, dataset, callbacks=[warm_cosine])
    """

    def __init__(self, schedule: Schedules, *, interval: str = "step", start_step: Optional[int] = None,
                 lookahead: Optional[int] = None) -> None:
        super().__init__("lr", Limits("learning rate"), schedule, interval, start_step, lookahead)

    def on_train_begin(self, run_context: Any) -> None:
        """Take the learning rate in hand, or say why that is impossible."""
        super().on_train_begin(run_context)
        access = self._run.access
        if not access.knows_bases() and access.read_counter():
            warnings.warn(
                f"{access.name} was built before ms_lr_callbacks was imported and keeps no record of its arguments: "
                f"its present learning rates are taken for the base values, though it has done updates already. "
                f"Import ms_lr_callbacks before the optimizer is built.", RuntimeWarning, stacklevel=2)
