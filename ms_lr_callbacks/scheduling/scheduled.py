"""What all callbacks that follow a schedule have in common.

The timeline of one training with ``interval="step"``; u is the number of updates done::

    on_train_begin         take the hyperparameter in hand, refuse what cannot work
    on_train_epoch_begin   the first one tells where the run starts: write the value of update u
    on_train_step_begin    raise what went wrong with the value that this step would use
    (update u)
    on_train_step_end      u += 1; write the value of update u
    on_train_end           give the hyperparameter back

A value is computed at least one step early, so that ``get_lr`` between two steps tells the next
update's. If that fails, the error is kept until a step begins that would use the value: a run that
ends first does not need it. Closed forms are computed in blocks: an ordinary step takes its value
from there, and does nothing at all where the value stays what it is.
"""
from __future__ import annotations

import math
from typing import Any, Optional

from ms_lr_callbacks._checks import checked_count
from ms_lr_callbacks.optimizers import updates_at_each_call
from ms_lr_callbacks.scheduling.driving import DrivingCallback
from ms_lr_callbacks.training.run import TrainingRun, updates_per_call
from ms_lr_callbacks.scheduling.values import GroupValues, Limits, Schedules, check_schedules, schedule_of_each_group

# How many updates' values to compute at once.
_BLOCK = 256


class ScheduledCallback(DrivingCallback):
    """Drives one hyperparameter by a schedule, for all groups or one for each group.

    Attributes:
        limits: which values the hyperparameter may have.
    """

    def __init__(self, name: str, limits: Limits, schedule: Schedules, interval: str,
                 start_step: Optional[int], lookahead: Optional[int]) -> None:
        super().__init__(name)
        check_schedules(schedule, type(self).__name__)
        if interval not in ("step", "epoch"):
            raise ValueError(f"interval must be 'step' or 'epoch', but got {interval!r}.")
        self.limits = limits
        self._schedule = schedule
        self._by_epoch = interval == "epoch"
        self._start = checked_count("start_step", start_step, 0)
        self._lookahead = checked_count("lookahead", lookahead, 1)
        if self._by_epoch and lookahead not in (None, 1):
            raise ValueError(f"lookahead={lookahead} has no effect with interval='epoch', where one value holds for "
                             f"the whole epoch; leave lookahead out.")
        # t is the number of the update (or epoch) plus this offset; None until the first run starts.
        self._offset: Optional[int] = None
        self._written_until = 0
        # The update before which there is something to write.
        self._due: float = math.inf
        self._unverified = False
        self._error: Optional[Exception] = None
        self._values: GroupValues

    def on_train_begin(self, run_context: Any) -> None:
        """Take the hyperparameter in hand, or say why that is impossible."""
        self._run = TrainingRun.of(run_context)
        access = self._run.access
        schedules = schedule_of_each_group(self._schedule, len(access.groups), type(self).__name__)
        self._values = GroupValues(schedules, access.place(self.name).bases(), self.limits)
        self._take(run_context, self._values.streams, self._rows(run_context.original_args()))
        self._error = None
        self._written_until = -1
        self._due = math.inf

    def on_train_epoch_begin(self, run_context: Any) -> None:
        """Write the first value of the training."""
        cb_params = run_context.original_args()
        self._run.begin(cb_params)
        if self._written_until < 0:
            position = self._position(cb_params)
            if self._offset is None:
                self._offset = 0 if self._start is None else self._start - position
            self._write(cb_params, position)
            self._unverified = self._error is None and self._driver is not None and self._driver.rows > 1
            if self._unverified:
                self._due = self._run.updates_done + 1

    def on_train_step_begin(self, run_context: Any) -> None:
        """Raise the error that the value of this step has met."""
        if self._error is not None:
            raise self._error

    def on_train_step_end(self, run_context: Any) -> None:
        """Write the value of the next update."""
        run = self._run
        cb_params = run_context.original_args()
        run.end_step(cb_params)
        if run.updates_done >= self._due:
            self._go_on(cb_params, run.updates_done)

    def on_train_epoch_end(self, run_context: Any) -> None:
        """Write the value of the next epoch, and leave the Parameters as a checkpoint should find them."""
        cb_params = run_context.original_args()
        if self._by_epoch:
            self._write(cb_params, self._run.epoch(cb_params) + 1)
        self._end_epoch(cb_params)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint has to keep of this callback.

        Returns:
            Plain numbers by name, for `load_state_dict`.

        Examples:
            >>> from ms_lr_callbacks import LRScheduler
            >>> from ms_lr_callbacks import schedules as S
            >>> LRScheduler(S.ExponentialLR(0.9)).state_dict()  # no training has started
            {'offset': None}
        """
        return {"offset": self._offset}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on as the callback that returned `state` would have.

        Args:
            state: what `state_dict` returned.

        Raises:
            ValueError: it is something else.

        Examples:
            >>> from ms_lr_callbacks import LRScheduler
            >>> from ms_lr_callbacks import schedules as S
            >>> scheduler, another = LRScheduler(S.ExponentialLR(0.9)), LRScheduler(S.ExponentialLR(0.9))
            >>> another.load_state_dict(scheduler.state_dict())
        """
        offset = state.get("offset", "nothing")
        if offset is not None and type(offset) is not int:
            raise ValueError(f"'offset' in the state of {type(self).__name__} must be a whole number or None, but got "
                             f"{offset!r}; pass what state_dict() returned.")
        self._offset = offset

    def _position(self, cb_params: Any) -> int:
        """Return the number of the next update, or of the current epoch."""
        return self._run.epoch(cb_params) if self._by_epoch else self._run.updates_done

    def _rows(self, cb_params: Any) -> int:
        """Return how many updates one write is to serve: whole sinks, at least `lookahead` updates."""
        if self._by_epoch:
            return 1
        sink = updates_per_call(cb_params)
        return -(-(self._lookahead or 1) // sink) * sink

    def _go_on(self, cb_params: Any, done: int) -> None:
        """Hand over the values of update `done`, the next one, and of those after it."""
        assert self._driver is not None
        if self._unverified:
            self._unverified = False
            self._driver.verify(done)
            self._due = self._driver.due
            if done < self._due:
                return
        if done > self._due and self._error is None:
            raise RuntimeError(
                f"The train network has done {done - int(self._due)} updates more than {type(self).__name__} "
                f"had handed over values for. Pass lookahead=, a multiple of the number of updates that one call "
                f"of the train network does.")
        if done < self._written_until:
            self._driver.advance(done)
            self._due = self._driver.due
        else:
            self._write(cb_params, done)

    def _write(self, cb_params: Any, position: int) -> None:
        """Compute the values for `position` and for some after it, and write what the driver takes of them."""
        assert self._driver is not None and self._offset is not None
        try:
            values = self._values.rows(position + self._offset, self._count(cb_params))
        except Exception as error:  # from a user's schedule too: kept for the step that needs the value
            self._error = error
            return
        self._driver.write(self._run.updates_done, values)
        self._written_until = position + len(values)
        if not self._by_epoch:
            self._due = self._driver.due

    def _count(self, cb_params: Any) -> int:
        """Return for how many updates (or epochs) to compute values now."""
        assert self._driver is not None
        rows = self._driver.rows
        if self._by_epoch:
            return 1
        count = rows * max(1, _BLOCK // rows) if self._values.foreseeable else rows
        if count == 1:
            return 1
        # Nothing beyond the end: a schedule may warn there. A train cell of the user's may do several
        # updates in a call; it is handed whole tables.
        left = self._run.calls_left(cb_params)
        if not updates_at_each_call(cb_params.train_network) and not cb_params.get("dataset_sink_mode"):
            left = -(-left // rows) * rows
        return max(1, min(count, left))
