"""Logging of what each update really used."""
from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Optional, Union

from mindspore.train import Callback

from ms_lr_callbacks._checks import is_count
from ms_lr_callbacks._ranks import rank
from ms_lr_callbacks.monitoring.group_names import GroupNames, check_group_names, names_of_groups
from ms_lr_callbacks.monitoring.history import History
from ms_lr_callbacks.monitoring.history_plot import plot_history
from ms_lr_callbacks.monitoring.recording import Recording
from ms_lr_callbacks.training.run import TrainingRun
from ms_lr_callbacks.training.termination import TerminationGuard
from ms_lr_callbacks.writers import BackgroundWriter, MultiWriter, ScalarWriter, TensorBoardWriter, as_writer

_FLUSH_SECONDS = 5.0


class LRMonitor(Callback):
    """Log the hyperparameters that each update really used, and the loss.

    A point stands at x = number of updates done (the first is 1) and holds what that update used,
    whatever other callbacks there are and wherever in the list this one stands: a value that
    somebody writes at a step's end belongs to the next step. (Only somebody who writes at a step's
    *begin* must stand before the monitor.) A step that did no update, because gradients are being
    accumulated or the loss overflowed, is not logged; a call that does several updates logs each.

    Tags: ``lr``, ``weight_decay``, ``momentum`` (``beta1`` for an optimizer that has that instead)
    and ``loss``, the mean if a train network returns several numbers. With several parameter groups
    ``lr/<name>`` and so on. What an optimizer does not have is not logged.

    Nothing is read from the device for a rate that a callback of this package drives, nor for one
    that MindSpore computes. Losses are fetched in batches: after 1024 logged updates, where there are
    writers also after 5 seconds, and whenever `history` is looked at. A static rate that nobody of ours drives may
    be changed by anyone, so it is read before each logged update; use `every` to read it seldom.

    Args:
        log_dir: a folder for TensorBoard; None writes no event files. A run that goes on in the same
            folder continues its curves.
        writers: more places to write to: writers of ``ms_lr_callbacks.writers``, or objects with a
            method ``add_scalar(tag, value, step)``. In a distributed training only rank 0 writes.
        every: log each update whose number is a multiple of this whole number >= 1; ``"epoch"`` logs
            the last update of each epoch.
        group_names: a list with one name for each parameter group, in the order in which the
            optimizer was given them, or a dict from some groups' numbers to their names.

    Attributes:
        history: for each tag a `Series` with ``steps`` (int64) and ``values`` (float32; loss
            float64); always up to date.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range, or a group name or a writer is given twice. At train
            begin: there is no optimizer, or `group_names` does not fit its groups.
        OSError: `log_dir` is a file, or nothing can be written there.

    Examples:
        >>> from ms_lr_callbacks import LRMonitor
        >>> monitor = LRMonitor(every=10, group_names=["body", "head"])
        >>> # model.train(10, dataset, callbacks=[scheduler, monitor])
        >>> # monitor.history["lr/head"].values
        >>> # monitor.plot("curves.png")
        >>> monitor.flush()
        >>> list(monitor.history)
        []
    """

    def __init__(self, log_dir: Optional[Union[str, os.PathLike[str]]] = None, *, writers: Iterable[Any] = (),
                 every: Union[int, str] = 1, group_names: Optional[GroupNames] = None) -> None:
        super().__init__()
        check_group_names(group_names)
        self._every = _checked_every(every)
        self._group_names = group_names
        outputs: list[ScalarWriter] = [] if log_dir is None else [TensorBoardWriter(log_dir)]
        outputs += _checked_writers(writers)
        self._writer = BackgroundWriter(MultiWriter(outputs)) if outputs else None
        self._writing = False
        self._history = History(self._settle)
        self._cursor: Optional[int] = None
        self._recording: Optional[Recording] = None
        self._started = False
        self._flushed_at = 0.0
        self._guard = TerminationGuard(self.flush)

    @property
    def history(self) -> History:
        """All curves by tag, up to date whenever they are looked at."""
        return self._history

    def flush(self) -> None:
        """Bring everything logged so far to where it outlives the process; waits for the device and the writers."""
        self._settle(dying=True)
        if self._writing and self._writer is not None:
            self._writer.flush()

    def plot(self, path: Union[str, os.PathLike[str]]) -> Path:
        """Draw the history into one PNG file: a panel for each hyperparameter, its groups together, and the loss.

        Args:
            path: the file to write, with the ending ``.png``; missing folders are made.

        Returns:
            The path of the file.

        Raises:
            ImportError: matplotlib is not installed.
            ValueError: nothing has been logged, or `path` does not end in ``.png``.
        """
        return plot_history(self._history, path)

    def on_train_begin(self, run_context: Any) -> None:
        """Check the group names against the optimizer."""
        run = TrainingRun.of(run_context)
        names = names_of_groups(self._group_names, len(run.access.groups))
        several = len(names) > 1 or self._group_names is not None
        self._recording = Recording(run, run_context.original_args(), self._every, names if several else None,
                                    self._settle)
        self._started = False

    def on_train_epoch_begin(self, run_context: Any) -> None:
        """Open the writers where the run starts."""
        run = self._now.run
        run.begin(run_context.original_args())
        if self._started:
            return
        self._started = True
        self._flushed_at = time.monotonic()
        after = run.updates_done
        if self._cursor is not None:
            after, self._cursor = min(after, self._cursor), None
        self._history.truncate(after)
        if self._writer is not None and rank() == 0:
            self._writing = True
            self._writer.open(after)
            self._guard.install()

    def on_train_step_begin(self, run_context: Any) -> None:
        """Read what only the device knows and the coming update will use."""
        recording = self._recording
        assert recording is not None, "on_train_begin comes first"
        if recording.asks_before:
            recording.before_step(run_context.original_args())

    def on_train_step_end(self, run_context: Any) -> None:
        """Note what the updates of this step used."""
        recording = self._recording
        assert recording is not None, "on_train_begin comes first"
        recording.after_step(run_context.original_args())
        if self._writing:  # without writers the recording says itself when it is full
            self._settle_in_time()

    def on_train_epoch_end(self, run_context: Any) -> None:
        """Note the last update of the epoch, if epochs are what is logged."""
        cb_params = run_context.original_args()
        self._now.after_epoch(cb_params)
        self._now.run.end_epoch(cb_params)
        self._settle_in_time()

    def on_train_end(self, run_context: Any) -> None:
        """Write what is left and close the writers."""
        self._now.run.end()
        self._finish(dying=False)

    def __exit__(self, *error: Any) -> None:
        # Model.fit also enters and exits the callbacks around each evaluation; only an exception ends the run.
        if error and error[0] is not None:
            self._finish(dying=True)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint has to keep of this monitor.

        Returns:
            ``{"step": updates}``, how far it has logged.

        Examples:
            >>> from ms_lr_callbacks import LRMonitor
            >>> LRMonitor().state_dict()
            {'step': 0}
        """
        return {"step": 0 if self._recording is None else self._recording.run.updates_done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on as the monitor that returned `state` would have.

        What was logged behind that step, here or by a process that was killed later, is taken back
        when the next training starts.

        Args:
            state: what `state_dict` returned.

        Examples:
            >>> from ms_lr_callbacks import LRMonitor
            >>> monitor, another = LRMonitor(), LRMonitor()
            >>> another.load_state_dict(monitor.state_dict())
        """
        self._cursor = int(state["step"])

    @property
    def _now(self) -> Recording:
        assert self._recording is not None, "on_train_begin comes first"
        return self._recording

    def _settle_in_time(self) -> None:
        """Settle when it is time to, and let the writers flush."""
        if self._now.full or (self._writing and time.monotonic() - self._flushed_at > _FLUSH_SECONDS):
            self._flushed_at = time.monotonic()
            self._settle()
            if self._writing and self._writer is not None:
                self._writer.request_flush()

    def _settle(self, dying: bool = False) -> None:
        """Bring everything noted into the history and to the writers."""
        with self._guard:
            steps = None if self._recording is None else self._recording.take(dying)
            if steps is None:
                return
            tags = self._now.tags
            self._history.table(tags).append(steps.updates + 1, steps.rows)
            self._history.table(["loss"], float).append(*steps.losses())
            if self._writing and self._writer is not None:
                self._writer.write(steps.scalars(tags))

    def _finish(self, dying: bool) -> None:
        try:
            self._settle(dying)
        finally:
            self._guard.remove()
            if self._writing and self._writer is not None:
                self._writing = False
                self._writer.close()


def _checked_every(every: Any) -> int:
    """Return `every` as a number; 0 stands for epochs."""
    if every == "epoch":
        return 0
    if not is_count(every, 1):
        raise ValueError(f"every must be a whole number >= 1 or 'epoch', but got {every!r}.")
    return int(every)


def _checked_writers(given: Any) -> list[ScalarWriter]:
    """Return what the user gave as writers, each once."""
    if isinstance(given, (str, ScalarWriter)) or not isinstance(given, Iterable):
        raise TypeError(f"writers must be a list of writers, but got {type(given).__name__}; put it into a list.")
    targets = list(given)
    for index, target in enumerate(targets):
        if any(target is other for other in targets[:index]):
            raise ValueError(f"writers holds the same {type(target).__name__} twice, which would get each point twice; "
                             f"give it once.")
    return [as_writer(target) for target in targets]
