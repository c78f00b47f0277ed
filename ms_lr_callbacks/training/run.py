"""One training, as all callbacks of this package see it.

`Model.train` makes one ``cb_params`` for each training and hands it to every callback. The first
callback of ours that sees it leaves a `TrainingRun` there, so that all of them agree on the
optimizer, on who drives what, and on how many updates are done. ``cb_params`` alone cannot tell the
last: its ``cur_step_num`` starts at 0 in every training, also with ``initial_epoch=``, and counts
calls of the train network, which are not updates under gradient accumulation or an overflow.
"""
from __future__ import annotations

from typing import Any

from ms_lr_callbacks.training.updates import UpdateCounter
from ms_lr_callbacks.optimizers import access_to, find_optimizer, updates_at_each_call

_KEY = "_ms_lr_callbacks_run"


class TrainingRun:
    """The state that the callbacks of one training share.

    Attributes:
        access: the optimizer of this training.
        epochs_before: epochs that count as done when the training starts.
        updates_before: updates that count as done when the training starts.
        updates_done: updates done up to the last step that ended.
    """

    def __init__(self, cb_params: Any) -> None:
        self.access = access_to(find_optimizer(cb_params.train_network, cb_params.optimizer))
        self.access.drivers.clear()  # whoever drove an earlier training says nothing about this one
        self.epochs_before = 0
        self.updates_before = 0
        self.updates_done = 0
        self._counter = UpdateCounter(self.access, updates_at_each_call(cb_params.train_network))
        self._calls_before = int(cb_params.cur_step_num)
        self._last_call = self._calls_before
        self._started = False
        self._owners: dict[tuple[str, int], Any] = {}

    @classmethod
    def of(cls, run_context: Any) -> TrainingRun:
        """Return the run that `run_context` belongs to.

        Raises:
            ValueError: no optimizer can be found.
        """
        cb_params = run_context.original_args()
        run = cb_params.get(_KEY)
        if not isinstance(run, cls):
            run = cb_params[_KEY] = cls(cb_params)
        return run

    def claim(self, what: str, groups: list[int], callback: Any) -> None:
        """Say that `callback` drives `what` in `groups`.

        Raises:
            ValueError: another callback of this training drives it already.
        """
        for group in groups:
            owner = self._owners.setdefault((what, group), callback)
            if owner is not callback:
                raise ValueError(
                    f"{type(owner).__name__} and {type(callback).__name__} both drive the {what} of group {group}. Use "
                    f"one of them, or combine their schedules with ChainedScheduler or SequentialLR.")

    def is_driven(self, name: str) -> bool:
        """Return whether a callback of this training drives `name`."""
        return name in self.access.drivers

    def begin(self, cb_params: Any) -> None:
        """Settle where the training starts; call it at the begin of each epoch.

        The first epoch's number is the first thing that tells ``initial_epoch``.
        """
        if self._started:
            return
        self._started = True
        initial_epoch = int(cb_params.cur_epoch_num) - 1
        progress = self.access.progress
        before = self._counter.start(progress, initial_epoch * int(cb_params.batch_num))
        self.updates_before = self.updates_done = before
        continued = before == progress.updates and (progress.epochs > 0 or progress.restored)
        if not initial_epoch:
            initial_epoch = progress.epochs if continued else before // int(cb_params.batch_num)
            self.epochs_before = initial_epoch
        progress.epochs = initial_epoch
        progress.updates = before
        progress.counter = None
        progress.restored = False

    def end_step(self, cb_params: Any) -> None:
        """Count the updates of the step that has just ended; call it first at each step end."""
        call = cb_params["cur_step_num"]  # a dict; its attributes are slower by far
        if call != self._last_call:
            self.updates_done = self._counter.after(call - self._calls_before)
            self._last_call = call
            self.access.progress.updates = self.updates_done

    def end_epoch(self, cb_params: Any) -> None:
        """Count the epoch that has just ended."""
        self.access.progress.epochs = self.epoch(cb_params) + 1

    def end(self) -> None:
        """Write down where the training ended."""
        self.access.progress.counter = self.access.read_counter()

    def epoch(self, cb_params: Any) -> int:
        """Return the number, from 0, of the current epoch."""
        return self.epochs_before + int(cb_params.cur_epoch_num) - 1

    def calls_left(self, cb_params: Any) -> int:
        """Return how many more times this training calls its train network; updates under dataset sinking."""
        total = int(cb_params.epoch_num) * int(cb_params.batch_num)
        return total - (int(cb_params.cur_step_num) - self._calls_before)


def updates_per_call(cb_params: Any) -> int:
    """Return how many updates one call of the train network does: the sink size, or 1."""
    if not cb_params.get("dataset_sink_mode"):
        return 1
    sink_size = int(cb_params.get("sink_size", -1))
    return sink_size if sink_size > 0 else int(cb_params.batch_num)
