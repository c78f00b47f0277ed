"""The log of one training while it runs.

The timeline of a step; u is the number of updates done::

    on_train_step_begin    read what only the device knows, if update u is to be logged
    (updates u, u+1, ..: one, none, or several)
    on_train_step_end      ask the drivers what these updates used; keep the loss, not fetched
    take                   seldom: compute what can be computed later, fetch the losses
"""
from __future__ import annotations

from typing import Any, Callable, Optional, Sequence

import numpy as np

from ms_lr_callbacks._arrays import Float32Array
from ms_lr_callbacks.monitoring.logged_steps import NO_LOSS, LoggedSteps
from ms_lr_callbacks.training.losses import loss_of
from ms_lr_callbacks.monitoring.observed import UsedValues
from ms_lr_callbacks.training.run import TrainingRun, updates_per_call
from ms_lr_callbacks.monitoring.trust import only_known_code_runs
from ms_lr_callbacks.optimizers import updates_at_each_call


class Recording:
    """Notes the updates to be logged, until they are taken out.

    Attributes:
        run: the training.
        tags: one for each hyperparameter of each group; empty before the first step.
        asks_before: whether `before_step` has to be called; always before the first step.
    """

    def __init__(self, run: TrainingRun, cb_params: Any, every: int, groups: Optional[Sequence[str]],
                 hand_on: Callable[[], None]) -> None:
        """
        Args:
            run: the training.
            cb_params: its parameters.
            every: log each update whose number is a multiple of this; 0 logs the last of each epoch.
            groups: the names of the groups; None gives tags without a group.
            hand_on: called when no more can be noted; it has to call `take`.
        """
        self.run = run
        self.tags: list[str] = []
        self.asks_before = True
        self._every = every
        self._groups = groups
        self._hand_on = hand_on
        self._one_per_call = updates_at_each_call(cb_params.train_network)
        self._writers_are_known = only_known_code_runs(cb_params)
        self._steps = LoggedSteps(np.empty(0, np.float32))
        self._used: Optional[UsedValues] = None
        self._knows_counter = False
        self._seen = 0  # updates done when this looked last
        self._asked_at = -1  # updates done when the device was read last
        self._last_row = np.empty(0, np.float32)  # of the last update, while epochs are logged
        self._last_known = self._noted = 0  # updates done when that row, or any, was filled in last

    @property
    def full(self) -> bool:
        """Whether it is time to take out what was noted."""
        return self._steps.full

    def before_step(self, cb_params: Any) -> None:
        """Read what only the device knows and the coming update will use."""
        if self._used is None:
            self._prepare()
        assert self._used is not None
        if self.asks_before and self._may_be_logged(cb_params):
            self._asked_at = self.run.updates_done
            self._used.before(self._asked_at)

    def after_step(self, cb_params: Any) -> None:
        """Note the updates of the step that has just ended."""
        self.run.end_step(cb_params)
        first, seen = self._seen, self.run.updates_done
        if seen == first:
            return
        self._seen = seen
        assert self._used is not None
        if not self._knows_counter:
            self._used.learn_counter(self._seen)
            self._knows_counter = True
        if not self._every:
            # Which update is the epoch's last shows only later.
            if not self.asks_before or self._asked_at == first:
                self._used.after(self._seen - 1, self._last_row)
                self._last_known = self._seen
            return
        for update in range(first, seen):
            if (update + 1) % self._every == 0:
                # A dict; its attributes are slower by far.
                self._note(update, loss_of(cb_params["net_outputs"]) if update + 1 == seen else NO_LOSS)

    def after_epoch(self, cb_params: Any) -> None:
        """Note the last update of the epoch, if epochs are what is logged."""
        if not self._every and self._last_known == self._seen > self._noted:
            self._next_row()[:] = self._last_row
            self._steps.add(self._seen - 1, loss_of(cb_params.net_outputs))
            self._noted = self._seen

    def take(self, dying: bool = False) -> Optional[LoggedSteps]:
        """Return, complete, what was noted since the last time; None if nothing was.

        Args:
            dying: whether the training has failed; then a loss that cannot be had becomes NaN.
        """
        steps = self._steps
        if not len(steps):
            return None
        assert self._used is not None
        self._steps = LoggedSteps(self._used.held)
        self._used.complete(steps.updates, steps.rows)
        steps.fetch_losses(dying)
        return steps

    def _prepare(self) -> None:
        """Find out where each value comes from; by now all callbacks have taken in hand what they drive."""
        self._used = UsedValues(self.run, self._writers_are_known)
        self.asks_before = self._used.asks_before
        self._seen = self._noted = self.run.updates_done
        self.tags = [name if self._groups is None else f"{name}/{self._groups[group]}"
                     for name, group in self._used.columns]
        self._last_row = self._used.held.copy()
        self._steps = LoggedSteps(self._used.held)

    def _may_be_logged(self, cb_params: Any) -> bool:
        """Return whether an update that the coming step does may have to be logged."""
        if not self._one_per_call:
            return True
        if self._every:
            return (self._seen + updates_per_call(cb_params)) // self._every > self._seen // self._every
        return int(cb_params.cur_step_num) % int(cb_params.batch_num) == 0

    def _note(self, update: int, loss: Any) -> None:
        """Note what `update`, just done, used, and its loss."""
        assert self._used is not None
        if self._steps.full:
            self._hand_on()
        if self._used.changes:
            self._used.after(update, self._steps.next_row())
        self._steps.add(update, loss)

    def _next_row(self) -> Float32Array:
        if self._steps.full:
            self._hand_on()
        return self._steps.next_row()
