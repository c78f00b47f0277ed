"""Checkpoints from which a training goes on bit for bit."""
from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, Optional, Union

import mindspore as ms
from mindspore.train import Callback

from ms_lr_callbacks import _ranks
from ms_lr_callbacks._checks import checked_count
from ms_lr_callbacks.resuming.agreement import agreed_step, wait_for_all
from ms_lr_callbacks.resuming.callback_states import match, restore_callbacks, stateful
from ms_lr_callbacks.resuming.resume import ResumePoint, Target
from ms_lr_callbacks.training.run import TrainingRun
from ms_lr_callbacks.resuming.saving import Interval, TrainingSaver
from ms_lr_callbacks.resuming.stop_signals import StopSignals
from ms_lr_callbacks.checkpoint import CheckpointStore, LoadedCheckpoint
from ms_lr_callbacks.checkpoint.names import step_of

__all__ = ["OptimizerCheckpoint", "ResumePoint"]


class OptimizerCheckpoint(Callback):
    """Save everything a training is, and bring it back so that it goes on as if never interrupted.

    A checkpoint holds the network and the optimizer (moments, counters, hyperparameters), the loss
    scale, the position in the data down to the batch, the state of every callback that has
    ``state_dict()`` and ``load_state_dict()``, and the random seeds. It does not matter where in the
    list of callbacks this one stands.

    Args:
        directory: where the checkpoints go, one directory each; one run at a time.
        save_steps: save after every so many optimizer updates, >= 1.
        save_epochs: save after every so many epochs, >= 1. With neither, after every epoch.
        keep_last: how many checkpoints that verify are kept, >= 1; None keeps all.
        save_network: False saves the optimizer's side alone.
        async_save: the training waits for a copy in host memory only, and goes on while it is
            written. That takes as much host memory as the state has.
        save_on_signal: at SIGTERM or SIGINT save at the end of the current step and stop the
            training; `stopped_by` then has the signal's number. The handlers that were there come
            back when the training ends.
        sharded: whether each rank holds a part of the state and writes it. None: in MindSpore's
            semi-automatic and automatic parallel modes; else rank 0 writes for all.

    Attributes:
        stopped_by: the signal that has stopped the last training; None if none did.

    Raises:
        TypeError: `directory` is no path. At train begin: a Parameter has a type that no checkpoint holds.
        ValueError: an argument is out of range. At train begin and in `resume`: there is no optimizer.
        DirectoryInUseError: at train begin and in `resume`: another run saves into `directory`.
        CheckpointWriteError: at a later step or at train end: a checkpoint could not be written.

    Examples:
        >>> import tempfile
        >>> from ms_lr_callbacks import OptimizerCheckpoint
        >>> checkpoint = OptimizerCheckpoint(tempfile.mkdtemp(), save_steps=200)
        >>> # callbacks = [scheduler, monitor, checkpoint]
        >>> # start = checkpoint.resume(model, dataset, callbacks)
        >>> # model.train(10, dataset, callbacks=callbacks, initial_epoch=start.epoch)
    """

    def __init__(self, directory: Union[str, os.PathLike[str]], *, save_steps: Optional[int] = None,
                 save_epochs: Optional[int] = None, keep_last: Optional[int] = 3, save_network: bool = True,
                 async_save: bool = True, save_on_signal: bool = False, sharded: Optional[bool] = None) -> None:
        super().__init__()
        if not isinstance(directory, (str, os.PathLike)):
            raise TypeError(f"directory must be a path, but got {type(directory).__name__}.")
        self._directory = Path(os.path.abspath(directory))
        steps, epochs = checked_count("save_steps", save_steps, 1), checked_count("save_epochs", save_epochs, 1)
        self._interval = Interval(steps, 1 if steps is None and epochs is None else epochs)
        self._keep_last = checked_count("keep_last", keep_last, 1)
        self._save_network = bool(save_network)
        self._async_save = bool(async_save)
        self._sharded = sharded
        self._signals = StopSignals() if save_on_signal else None
        self._store: Optional[CheckpointStore] = None
        self._saver: Optional[TrainingSaver] = None
        self._waiting_states: list[dict[str, Any]] = []
        self._expected_batches: Optional[int] = None
        self._looked = False

    @property
    def directory(self) -> Path:
        """Where the checkpoints go."""
        return self._directory

    @property
    def stopped_by(self) -> Optional[int]:
        """The number of the signal that has stopped the last training; None if none did."""
        return None if self._signals is None else self._signals.received

    def resume(self, model: Any, dataset: Any = None, callbacks: Any = ()) -> ResumePoint:
        """Bring a training to where the newest checkpoint that verifies stands.

        A damaged checkpoint is warned about, and the one before it is used. In a directory without
        checkpoints nothing happens: a first run. All ranks of a distributed training call this.

        Args:
            model: the `Model` that is going to be trained, with its optimizer.
            dataset: its training data, built as before: its next iterator starts with the very next
                batch. None leaves the data alone.
            callbacks: the callbacks of the training. What is not given here has its state loaded when
                the training begins.

        Returns:
            Where the training goes on; pass its `epoch` as ``initial_epoch`` to ``Model.train``.

        Raises:
            CheckpointMismatchError: the checkpoint is not one of this training. The error lists all
                that differs: missing, unexpected, differently shaped or typed parameters, another
                optimizer, other groups or forms of learning rates, another number of ranks or of
                steps per epoch. Nothing was changed.
            NoUsableCheckpointError: all checkpoints are damaged.
            DirectoryInUseError: another run saves into the directory.
            ValueError: there is no optimizer, or a callback refuses its state; nothing was changed.

        Examples:
            >>> import tempfile
            >>> from mindspore import nn
            >>> from mindspore.train import Model
            >>> from ms_lr_callbacks import OptimizerCheckpoint
            >>> network = nn.Dense(2, 3)
            >>> model = Model(network, nn.MSELoss(), nn.Momentum(network.trainable_params(), 0.5, 0.5))
            >>> checkpoint = OptimizerCheckpoint(tempfile.mkdtemp())
            >>> checkpoint.resume(model)  # there is no checkpoint yet
            ResumePoint(epoch=0, step=0, path=None)
        """
        target = Target(model, dataset, callbacks)
        loaded = self._load()
        self._waiting_states, self._expected_batches = [], None
        if loaded is None:
            self._looked = True
            return ResumePoint(0, 0, None)
        self._waiting_states = target.restore(loaded, self._save_network, _ranks.rank() == 0 or self._writes_shards())
        if dataset is not None:
            self._expected_batches = loaded.state["position"]["batches"]
        wait_for_all()
        self._looked = True  # what is ahead of this one is damaged, and was warned about
        return ResumePoint(loaded.state["epoch"], loaded.state["step"], loaded.path)

    def on_train_begin(self, run_context: Any) -> None:
        """Take the directory, and load what `resume` could not."""
        cb_params = run_context.original_args()
        self._close()
        run = TrainingRun.of(run_context)
        self._load_waiting_states(cb_params)
        self._check_data(cb_params)
        self._store = self._open_store() if _ranks.rank() == 0 or self._writes_shards() else None
        self._saver = TrainingSaver(run, cb_params, self, self._store, self._interval, self._save_network,
                                    self._async_save)
        if self._signals is not None:
            self._signals.received = None
            self._signals.install()

    def on_train_epoch_begin(self, run_context: Any) -> None:
        """Finish the checkpoint of the epoch before."""
        self._now.begin_epoch(run_context.original_args())
        self._warn_of_another_run()

    def on_train_step_begin(self, run_context: Any) -> None:
        """Finish the checkpoint of the step before."""
        self._now.begin_step(run_context.original_args())

    def on_train_step_end(self, run_context: Any) -> None:
        """Begin a checkpoint if one is due; stop if a signal asks for it."""
        stop = self._stop_if_told(run_context)
        self._now.end_step(run_context.original_args(), stop)

    def on_train_epoch_end(self, run_context: Any) -> None:
        """Begin a checkpoint of the end of the epoch if one is due."""
        stop = self._stop_if_told(run_context)
        self._now.end_epoch(run_context.original_args(), stop)

    def on_train_end(self, run_context: Any) -> None:
        """Wait until everything is written, and let go of the directory."""
        self._now.finish(run_context.original_args())
        self._now.run.end()
        self._close()

    def __exit__(self, *error: Any) -> None:
        # Model.fit also enters and exits the callbacks around each evaluation; only an exception ends the run.
        if error and error[0] is not None:
            try:
                self._close()
            except Exception as late:  # the error that ends the training is the one to raise
                warnings.warn(f"The last checkpoint was not written: {late}", RuntimeWarning, stacklevel=2)

    @property
    def _now(self) -> TrainingSaver:
        assert self._saver is not None, "on_train_begin comes first"
        return self._saver

    def _stop_if_told(self, run_context: Any) -> bool:
        if self._signals is None or self._signals.received is None:
            return False
        run_context.request_stop()
        return True

    def _load(self) -> Optional[LoadedCheckpoint]:
        """Find and load the checkpoint that all ranks are to use."""
        if _ranks.world_size() == 1:
            with self._open_store() as store:
                return store.load_latest()
        return agreed_step(self._directory, self._open_store, self._writes_shards())

    def _open_store(self) -> CheckpointStore:
        shards = self._writes_shards()
        return CheckpointStore(self._directory, keep_last=self._keep_last, rank=_ranks.rank() if shards else 0,
                               world_size=_ranks.world_size() if shards else 1)

    def _writes_shards(self) -> bool:
        if self._sharded is not None:
            return self._sharded and _ranks.world_size() > 1
        mode = ms.get_auto_parallel_context("parallel_mode")
        return mode in ("semi_auto_parallel", "auto_parallel") and _ranks.world_size() > 1

    def _warn_of_another_run(self) -> None:
        """Say once that the directory is ahead of a training that did not begin with `resume`."""
        if self._store is None or self._looked:
            return
        self._looked = True
        newest, done = next(iter(self._store.checkpoints()), None), self._now.run.updates_done
        if newest is not None and (step_of(newest.name) or 0) > done:
            warnings.warn(
                f"{self._directory} holds {newest.name}, and this training is at step {done}: that checkpoint is of "
                f"another run. It would be kept before those of this run, and resume() would load it. Call resume() "
                f"before training to go on with it, or give this run a directory of its own.",
                RuntimeWarning, stacklevel=3)

    def _load_waiting_states(self, cb_params: Any) -> None:
        """Load the states of callbacks that `resume` was not given."""
        pairs, left = match(stateful(cb_params.list_callback), self._waiting_states)
        self._waiting_states = []
        restore_callbacks(pairs)
        if left:
            classes = ", ".join(entry["class"].rpartition(".")[2] for entry in left)
            warnings.warn(f"The checkpoint holds the state of callbacks that this training does not have: {classes}.",
                          RuntimeWarning, stacklevel=2)

    def _check_data(self, cb_params: Any) -> None:
        expected, self._expected_batches = self._expected_batches, None
        if expected is not None and cb_params.train_dataset.get_init_step() != expected:
            raise ValueError("The training has another dataset than resume() was given, so it would start with another "
                             "batch than the next one. Pass the same dataset to both.")

    def _close(self) -> None:
        """Wait for the write, raise its error, and give back what the training had taken."""
        store, self._store, self._saver = self._store, None, None
        if self._signals is not None:
            self._signals.restore()
        if store is not None:
            store.close()
