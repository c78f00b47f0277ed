"""When a checkpoint is written, by whom, and what happens when something goes wrong meanwhile."""
from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn
from mindspore.train import Callback, Loss, Model
from resuming import Crash, Crashed, Training, by_step, crash_after, momentum, with_decay
from training import dataset

from ms_lr_callbacks import LRMonitor, OptimizerCheckpoint, ReduceLROnPlateau, latest_checkpoint, verify_checkpoint
from ms_lr_callbacks.checkpoint import (CheckpointStore, CheckpointWriteError, DirectoryInUseError, list_checkpoints,
                                        load_checkpoint)


class At(Callback):
    """Does something after a step."""

    def __init__(self, step: int, what: Any) -> None:
        super().__init__()
        self.step, self.what = step, what

    def on_train_step_end(self, run_context: Any) -> None:
        if run_context.original_args().cur_step_num == self.step:
            self.what()


class Evaluation(nn.Cell):
    """Loss, output and label, as `Model` wants them of an evaluation network."""

    def __init__(self, network: Any) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, x: Any, y: Any) -> Any:
        return self.network(x, y), y, y


def steps(directory: Path) -> list[int]:
    return [int(path.name[5:]) for path in list_checkpoints(directory)]


@pytest.mark.parametrize("options, expected", [
    ({}, [15, 10, 5]), ({"save_steps": 4}, [12, 8, 4]), ({"save_epochs": 2}, [10]),
    ({"save_steps": 6, "save_epochs": 3}, [15, 12, 6]), ({"keep_last": 1}, [15]), ({"save_steps": 100}, [])])
def test_when(tmp_path: Path, options: Any, expected: list[int]) -> None:
    Training().train(OptimizerCheckpoint(tmp_path, **options))
    assert steps(tmp_path) == expected


def test_what_the_state_tells(tmp_path: Path) -> None:
    Training(callbacks=with_decay).train(LRMonitor(), OptimizerCheckpoint(tmp_path, save_steps=8, keep_last=1))
    path = latest_checkpoint(tmp_path)
    assert path is not None and verify_checkpoint(path)
    state = load_checkpoint(path).state
    assert (state["step"], state["epoch"], state["ranks"]) == (8, 1, 1)
    assert state["position"] == {"batch": 3, "batches": 8, "steps_per_epoch": 5}
    group, = state["groups"]
    assert group["name"] == "group_0" and group["params"] == ["body.weight", "body.bias", "head.weight", "head.bias"]
    assert group["lr"] == pytest.approx(0.1 * 0.9 ** 8)
    assert state["hyperparameters"]["base"]["weight_decay"] == [0.01]
    assert state["hyperparameters"]["driven"]["lr"] == [group["lr"]]
    assert [entry["class"].rpartition(".")[2] for entry in state["callbacks"]] == [
        "WeightDecayScheduler", "LRScheduler", "LRMonitor"]
    assert state["versions"]["mindspore"] == ms.__version__


def test_fit_with_evaluation(tmp_path: Path) -> None:
    """Model.fit enters and exits the callbacks around each evaluation."""
    def fitted() -> Training:
        training = Training(momentum, lambda: [ReduceLROnPlateau("eval_loss", patience=0, threshold=0.9, factor=0.5)])
        training.model = Model(training.network, None, training.optimizer, metrics={"loss": Loss()},
                               eval_network=Evaluation(training.network), eval_indexes=[0, 1, 2])
        return training

    def fit(training: Training, *extra: Any, initial_epoch: int = 0) -> None:
        training.model.fit(3, training.data, dataset(2, seed=9), callbacks=[*training.callbacks, *extra],
                           initial_epoch=initial_epoch, dataset_sink_mode=False, valid_dataset_sink_mode=False)

    whole, first, resumed = fitted(), fitted(), fitted()
    fit(whole)
    with pytest.raises(Crashed):
        fit(first, OptimizerCheckpoint(tmp_path), Crash(11))
    checkpoint = OptimizerCheckpoint(tmp_path)
    start = checkpoint.resume(resumed.model, resumed.data, resumed.callbacks)
    assert start.epoch == 2
    fit(resumed, checkpoint, initial_epoch=start.epoch)
    resumed.assert_same(whole)


def test_directory_belongs_to_one_run(tmp_path: Path) -> None:
    with CheckpointStore(tmp_path):
        with pytest.raises(DirectoryInUseError):
            Training().train(OptimizerCheckpoint(tmp_path))
        training = Training()
        with pytest.raises(DirectoryInUseError):
            OptimizerCheckpoint(tmp_path).resume(training.model)
    Training().train(OptimizerCheckpoint(tmp_path), epochs=1)
    CheckpointStore(tmp_path).close()


@pytest.mark.parametrize("background", [True, False])
def test_a_failed_write_is_raised_and_earlier_checkpoints_stay(tmp_path: Path, background: bool) -> None:
    directory = tmp_path / "ckpt"
    training = Training()
    with pytest.raises(CheckpointWriteError, match="removed"):
        training.train(OptimizerCheckpoint(directory, save_steps=2, async_save=background),
                       At(5, lambda: directory.rename(tmp_path / "kept")))
    assert len(training.losses.seen) < 15
    assert steps(tmp_path / "kept")[-1] == 2  # 4 may have been under way
    CheckpointStore(tmp_path / "kept").close()


def test_a_write_that_fails_last_is_raised_at_train_end(tmp_path: Path) -> None:
    directory = tmp_path / "ckpt"
    with pytest.raises(CheckpointWriteError):
        Training().train(OptimizerCheckpoint(directory, save_steps=15),
                         At(14, lambda: directory.rename(tmp_path / "a")))


def test_train_end_and_exceptions_wait_for_the_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    write = CheckpointStore._write
    monkeypatch.setattr(CheckpointStore, "_write", lambda self, *rest: (release.wait(20), write(self, *rest))[1])
    threading.Timer(1.0, release.set).start()
    crash_after(Training(), 8, tmp_path, save_steps=8)
    assert steps(tmp_path) == [8] and not list(tmp_path.glob(".step-*"))


def test_training_goes_on_while_a_checkpoint_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the values are those of the moment, not those of later steps."""
    release, ran = threading.Event(), []
    write = CheckpointStore._write
    monkeypatch.setattr(CheckpointStore, "_write", lambda self, *rest: (release.wait(20), write(self, *rest))[1])
    before: list[Any] = []
    training = Training()

    def note() -> None:
        before.append(training.network.body.weight.asnumpy().copy())

    training.train(At(8, note), At(12, lambda: (ran.append(release.is_set()), release.set())),
                   OptimizerCheckpoint(tmp_path, save_steps=8))
    assert ran == [False]
    loaded = load_checkpoint(list_checkpoints(tmp_path)[0])
    assert np.array_equal(loaded.sections["network"]["body.weight"].array, before[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_signal_saves_and_stops_at_the_end_of_the_step(tmp_path: Path, number: int, place: str) -> None:
    def stopping(signal_at: int) -> tuple[Training, OptimizerCheckpoint]:
        training = Training(momentum, lambda: [*with_decay(), LRMonitor()])
        checkpoint = OptimizerCheckpoint(tmp_path, save_epochs=10, save_on_signal=True)
        kill = At(signal_at, lambda: os.kill(os.getpid(), number))
        if place == "first":
            training.train(kill, first=[checkpoint])
        else:
            training.train(kill, checkpoint)
        return training, checkpoint

    previous = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    whole = Training(momentum, with_decay)
    whole.train()
    training, checkpoint = stopping(8)
    # Once a graph has run, MindSpore's own handler of SIGINT sends SIGTERM instead.
    assert checkpoint.stopped_by in (number, signal.SIGTERM)
    # The handler of a signal in step 8 comes behind the checkpoint's turn, if that is first.
    done = 9 if place == "first" else 8
    assert len(training.losses.seen) == done and steps(tmp_path) == [done]
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == previous
    resumed = Training(momentum, lambda: [*with_decay(), LRMonitor()])
    assert resumed.resume(tmp_path).step == done
    resumed.assert_same(whole)


def test_a_second_signal_is_not_held_back(tmp_path: Path) -> None:
    class Told(Exception):
        pass

    def tell(number: int, frame: Any) -> None:
        raise Told

    def twice() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, tell)
    try:
        with pytest.raises(Told):
            Training().train(At(8, twice), OptimizerCheckpoint(tmp_path, save_on_signal=True))
        assert signal.getsignal(signal.SIGTERM) is tell
    finally:
        signal.signal(signal.SIGTERM, before)


def test_without_the_argument_signals_are_left_alone(tmp_path: Path) -> None:
    seen: list[Any] = []
    before = signal.getsignal(signal.SIGINT)
    Training().train(At(3, lambda: seen.append(signal.getsignal(signal.SIGINT))), OptimizerCheckpoint(tmp_path))
    assert seen == [before]


def test_seeds_and_generators_come_back(tmp_path: Path) -> None:
    import random
    np.random.seed(4)
    random.seed(4)
    Training().train(OptimizerCheckpoint(tmp_path), epochs=1)
    expected = np.random.rand(), random.random()
    training = Training()
    OptimizerCheckpoint(tmp_path).resume(training.model, training.data)
    assert (np.random.rand(), random.random()) == expected


def test_loss_scale_manager(tmp_path: Path) -> None:
    from mindspore.amp import FixedLossScaleManager
    first, second = (Training(loss_scale_manager=FixedLossScaleManager(8.0, drop_overflow_update=False))
                     for _ in range(2))
    first.train(OptimizerCheckpoint(tmp_path), epochs=1)
    manager = second.model._loss_scale_manager
    manager._loss_scale = 2.0
    OptimizerCheckpoint(tmp_path).resume(second.model, second.data)
    assert manager.get_loss_scale() == 8.0


def test_callbacks_of_later_trainings_are_not_mistaken(tmp_path: Path) -> None:
    """Two trainings with the same checkpoint: the directory is taken and given back each time."""
    training, checkpoint = Training(callbacks=by_step), OptimizerCheckpoint(tmp_path)
    training.train(checkpoint, epochs=1)
    training.train(checkpoint, epochs=2, initial_epoch=1)
    assert steps(tmp_path) == [10, 5]
    assert dataset(2).get_init_step() == 0
