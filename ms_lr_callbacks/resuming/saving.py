"""Saving one training: when a checkpoint is due, and handing it to the store."""
from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Optional

from ms_lr_callbacks._ranks import world_size
from ms_lr_callbacks.resuming.capture import Moment, Position, split_callbacks
from ms_lr_callbacks.resuming.data_position import DataPosition
from ms_lr_callbacks.training.run import TrainingRun
from ms_lr_callbacks.checkpoint import CheckpointStore
from ms_lr_callbacks.checkpoint.tensors import DTYPES
from ms_lr_callbacks.optimizers.host import HostMemory, Sections, dtype_name, look
from ms_lr_callbacks.optimizers.inventory import Inventory


@dataclass(frozen=True)
class Interval:
    """How often to save: after every so many updates, every so many epochs, or both."""

    steps: Optional[int]
    epochs: Optional[int]

    def step_is_due(self, before: int, now: int) -> bool:
        """Return whether a save falls due between `before` and `now` updates."""
        return self.steps is not None and now // self.steps > before // self.steps

    def epoch_is_due(self, epochs: int) -> bool:
        """Return whether a save falls due when `epochs` epochs are finished."""
        return self.epochs is not None and epochs % self.epochs == 0


class TrainingSaver:
    """Saves one training while it runs.

    Attributes:
        run: the training.
    """

    def __init__(self, run: TrainingRun, cb_params: Any, own: Any, store: Optional[CheckpointStore],
                 interval: Interval, with_network: bool, in_background: bool) -> None:
        """
        Args:
            run: the training.
            cb_params: its parameters.
            own: the callback for which this saves.
            store: where to; None on a rank that writes nothing.
            interval: how often.
            with_network: whether to save the network too.
            in_background: whether the training goes on while a checkpoint is written.
        """
        self.run = run
        self._store = store
        self._interval = interval
        self._data = DataPosition(cb_params)
        self._before, self._after, self._last = split_callbacks(cb_params.list_callback, own)
        self._with_network = with_network
        self._memory = HostMemory() if in_background and store is not None else None
        self._prepared = False
        self._preparing: Optional[threading.Thread] = None
        self._moment: Optional[Moment] = None
        self._seen = 0
        self._due = False

    def begin_epoch(self, cb_params: Any) -> None:
        """Note where the training starts; finish a checkpoint of the epoch before."""
        self.finish(cb_params)
        self.run.begin(cb_params)
        self._seen = self.run.updates_done
        if self._store is not None and not self._prepared:
            self._prepared = True
            self._prepare(self._sections(cb_params))

    def begin_step(self, cb_params: Any) -> None:
        """Finish a checkpoint of the step before."""
        self.finish(cb_params)
        self._data.release(cb_params)

    def end_step(self, cb_params: Any, now: bool) -> None:
        """Begin a checkpoint if one is due, or if `now` says so.

        The last step of an epoch has its checkpoint when the epoch has ended, as what happens there
        would be lost to a training that resumes behind it.
        """
        self.raise_errors()
        self.run.end_step(cb_params)
        done = self.run.updates_done
        self._due = self._due or now or self._interval.step_is_due(self._seen, done)
        self._seen = done
        if self._due and not self._data.ends_epoch(cb_params):
            self._begin(cb_params, self.run.epoch(cb_params))

    def end_epoch(self, cb_params: Any, now: bool) -> None:
        """Begin a checkpoint of the end of the epoch if one is due, or finish that of a step.

        A training that was told to stop ends its epoch early.
        """
        self.raise_errors()
        self.run.end_epoch(cb_params)
        if not self._data.ends_epoch(cb_params):
            self.finish(cb_params)
            return
        epochs = self.run.epoch(cb_params) + 1
        if self._due or now or self._interval.epoch_is_due(epochs):
            self._begin(cb_params, epochs)

    def finish(self, cb_params: Any) -> None:
        """Take the second half of the moment that was noted, and hand everything to the store."""
        moment, self._moment = self._moment, None
        if moment is None or self._store is None:
            return
        for name, driver in self.run.access.drivers.items():
            if self.run.is_driven(name):
                driver.settle(moment.position.step)
        state = moment.state(self.run, cb_params, world_size())
        sections = self._sections(cb_params)
        if self._memory is None:
            views = {section: {name: look(each) for name, each in part.items()} for section, part in sections.items()}
            self._store.save(moment.position.step, views, state)
            return
        if self._preparing is not None:
            self._preparing.join()
        self._store.wait()
        self._store.save_async(moment.position.step, self._memory.copy(sections), state)

    def raise_errors(self) -> None:
        """Raise the error of a checkpoint that could not be written."""
        if self._store is not None:
            self._store.poll()

    def _prepare(self, sections: Sections) -> None:
        """Refuse before the first step what no save could keep; have the memory for the rest provided."""
        for part in sections.values():
            for name, parameter in part.items():
                if dtype_name(parameter) not in DTYPES:
                    raise TypeError(f"OptimizerCheckpoint cannot save the Parameter {name}: a checkpoint has no place "
                                    f"for the type {dtype_name(parameter)}. Keep it in one of {', '.join(DTYPES)}.")
        if self._memory is not None:
            self._preparing = threading.Thread(target=self._memory.prepare, args=(sections,),
                                               name="checkpoint memory", daemon=True)
            self._preparing.start()

    def _begin(self, cb_params: Any, epochs: int) -> None:
        self._due = False
        data = self._data
        position = Position(self.run.updates_done, epochs, data.batch(cb_params), data.batches(cb_params),
                            data.steps_per_epoch)
        if self._store is not None:
            self._moment = Moment(position, self._before, self._after)
            if self._last:
                self.finish(cb_params)

    def _sections(self, cb_params: Any) -> Sections:
        """List what to save; a user's train cell may be wrapped by MindSpore once the training runs."""
        return Inventory.of(cb_params.train_network, self.run.access.optimizer).sections(self._with_network)
