"""Resume equality: no bit of any Parameter and of any loss tells that a training was interrupted."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
import pytest
from mindspore import nn, ops
from mindspore.experimental import optim as experimental_optim
from mindspore.train import Callback
from resuming import (STEPS, Crash, Crashed, Training, adam, adam_weight_decay, by_epoch, by_step, crash_after,
                      grouped, momentum, no_callbacks, plateau, with_decay, with_momentum)
from train_cells import AccumulatingTrainCell, NotCountingSGD, TrainCell
from training import Regression

from ms_lr_callbacks import LRMonitor, LRScheduler, OptimizerCheckpoint, ReduceLROnPlateau, ResumePoint, state_dict
from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.checkpoint import list_checkpoints, load_checkpoint

CASES: list[tuple[Callable[[Any], Any], Callable[[], list[Any]]]] = [
    (momentum, no_callbacks), (adam, by_step), (adam_weight_decay, by_step), (grouped, by_step), (momentum, by_epoch),
    (adam_weight_decay, with_decay), (momentum, plateau), (momentum, with_momentum), (grouped, with_decay),
]


@pytest.mark.parametrize("optimizer, callbacks", CASES)
def test_resumed_in_the_middle_of_an_epoch(mode: str, tmp_path: Path, optimizer: Any, callbacks: Any) -> None:
    whole = Training(optimizer, callbacks)
    whole.train()
    crash_after(Training(optimizer, callbacks), 8, tmp_path, save_steps=4)
    resumed = Training(optimizer, callbacks)
    start = resumed.resume(tmp_path, save_steps=4)
    assert start == ResumePoint(1, 8, tmp_path / "step-00000008")
    resumed.assert_same(whole)
    assert resumed.losses.seen == whole.losses.seen[8:]


@pytest.mark.parametrize("callbacks", [by_step, by_epoch, plateau])
@pytest.mark.parametrize("crash, expected", [(5, (1, 5)), (7, (1, 5)), (12, (2, 10))])
def test_resumed_at_the_end_of_an_epoch(tmp_path: Path, callbacks: Any, crash: int, expected: tuple[int, int]) -> None:
    whole = Training(momentum, callbacks)
    whole.train()
    crash_after(Training(momentum, callbacks), crash, tmp_path)
    resumed = Training(momentum, callbacks)
    start = resumed.resume(tmp_path)
    assert (start.epoch, start.step) == expected
    resumed.assert_same(whole)
    assert resumed.losses.seen == whole.losses.seen[start.step:]


@pytest.mark.parametrize("callbacks", [by_step, by_epoch, with_decay, plateau])
def test_place_in_the_list_does_not_matter(tmp_path: Path, callbacks: Any) -> None:
    whole = Training(momentum, callbacks)
    whole.train()
    for first, crash, options in ((True, 6, {"save_steps": 6}), (True, 11, {"save_steps": 5}),
                                  (False, 11, {"save_steps": 5}), (True, 11, {"save_epochs": 2})):
        directory = tmp_path / f"{first}{options}"
        crash_after(Training(momentum, callbacks), crash, directory, first=first, **options)
        resumed = Training(momentum, callbacks)
        start = resumed.resume(directory, first=first)
        assert start.step == (6 if crash == 6 else 10)
        resumed.assert_same(whole)


def test_resumed_again_and_again(mode: str, tmp_path: Path) -> None:
    whole = Training(adam, with_decay)
    whole.train()
    crash_after(Training(adam, with_decay), 3, tmp_path, save_steps=1)
    for steps, total in ((1, 4), (3, 7), (5, 12)):
        again = Training(adam, with_decay)
        checkpoint = OptimizerCheckpoint(tmp_path, save_steps=1)
        start = checkpoint.resume(again.model, again.data, again.callbacks)
        with pytest.raises(Crashed):
            again.train(checkpoint, Crash(steps), initial_epoch=start.epoch)
        assert list_checkpoints(tmp_path)[0].name == f"step-{total:08}"
    last = Training(adam, with_decay)
    last.resume(tmp_path, save_steps=1)
    last.assert_same(whole)


def test_a_model_that_has_been_trained_is_taken_back(mode: str, tmp_path: Path) -> None:
    """The graph is compiled; what is restored has to be seen by it."""
    training = Training(adam_weight_decay, with_decay)
    training.train(OptimizerCheckpoint(tmp_path, save_steps=4, keep_last=None))
    end, losses = training.everything(), training.losses.seen
    for path in list_checkpoints(tmp_path)[:1]:
        path.rename(tmp_path / f"kept-{path.name}")
    training.losses.seen = []
    assert training.resume(tmp_path, save_steps=100).step == 8
    assert training.everything() == end and training.losses.seen == losses[8:]


def test_saving_changes_nothing(mode: str, tmp_path: Path) -> None:
    without, with_it, in_front = (Training(grouped, with_decay) for _ in range(3))
    without.train()
    with_it.train(OptimizerCheckpoint(tmp_path / "a", save_steps=1))
    in_front.train(first=[OptimizerCheckpoint(tmp_path / "b", save_steps=2, async_save=False)])
    with_it.assert_same(without)
    in_front.assert_same(without)
    assert with_it.losses.seen == in_front.losses.seen == without.losses.seen


def test_checkpoints_differ_from_the_start_and_from_each_other(tmp_path: Path) -> None:
    training = Training(adam, lambda: [LRScheduler(S.ExponentialLR(0.9))])
    start = {name.partition(" ")[2]: bits for name, (_, _, bits) in training.everything().items()}
    training.train(OptimizerCheckpoint(tmp_path, save_steps=1, keep_last=None))
    seen: dict[str, set[bytes]] = {}
    for path in list_checkpoints(tmp_path):
        for section in load_checkpoint(path).sections.values():
            for name, record in section.items():
                seen.setdefault(name, set()).add(record.array.tobytes())
    assert len(start) == len(seen)
    for name in ("body.weight", "head.weight", "moment1.body.weight", "moment2.head.weight", "global_step",
                 "beta1_power", "learning_rate"):
        assert len(seen[name]) == 15, name
        assert name == "learning_rate" or start[name] not in seen[name], name


def test_synchronous_and_asynchronous_saves_are_the_same(tmp_path: Path) -> None:
    for name, background in (("a", True), ("b", False)):
        Training(adam, by_step).train(OptimizerCheckpoint(tmp_path / name, save_steps=4, async_save=background))
    for one, other in zip(list_checkpoints(tmp_path / "a"), list_checkpoints(tmp_path / "b")):
        for file in ("network.safetensors", "optimizer.safetensors"):
            left, right = (load_checkpoint(path).sections[file.partition(".")[0]] for path in (one, other))
            assert {k: v.array.tobytes() for k, v in left.items()} == {k: v.array.tobytes() for k, v in right.items()}


def test_each_tensor_is_saved_once(tmp_path: Path) -> None:
    training = Training(momentum)
    training.train(OptimizerCheckpoint(tmp_path), epochs=1)
    sections = load_checkpoint(list_checkpoints(tmp_path)[0]).sections
    assert sorted(sections["network"]) == ["body.bias", "body.weight", "head.bias", "head.weight"]
    assert sorted(sections["optimizer"]) == ["global_step", "learning_rate", "moments.body.bias",
                                             "moments.body.weight", "moments.head.bias", "moments.head.weight",
                                             "momentum"]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("buffered", [False, True])
def test_shuffled_data_of_several_workers(tmp_path: Path, workers: int, buffered: bool) -> None:
    rows = np.random.default_rng(3).normal(size=(12, 4)).astype(np.float32)

    def data() -> Any:
        source = ds.GeneratorDataset([(row[:3], row[3:]) for row in rows], ["x", "y"], shuffle=not buffered,
                                     num_parallel_workers=workers)
        source = source.shuffle(6) if buffered else source
        return source.map(lambda x: x * 2, ["x"], num_parallel_workers=workers).batch(2, num_parallel_workers=workers)

    whole = Training(momentum, by_step, data)
    whole.train()
    assert len(set(whole.losses.seen)) == 18, "each batch has a loss of its own"
    crash_after(Training(momentum, by_step, data), 8, tmp_path, save_steps=4)
    resumed = Training(momentum, by_step, data)
    resumed.resume(tmp_path)
    resumed.assert_same(whole)
    assert resumed.losses.seen == whole.losses.seen[8:]


def test_a_later_training_with_the_dataset_starts_at_its_first_batch(tmp_path: Path) -> None:
    crash_after(Training(), 8, tmp_path, save_steps=4)
    resumed, fresh = Training(), Training()
    resumed.resume(tmp_path)
    assert resumed.data.get_init_step() == 0
    assert _batches(resumed.data) == _batches(fresh.data)


def experimental_adam(network: Any) -> Any:
    return experimental_optim.NAdam([{"params": network.body.trainable_params(), "lr": 0.05},
                                     {"params": network.head.trainable_params()}], lr=0.01, weight_decay=0.1)


def not_counting(network: Any) -> Any:
    return NotCountingSGD(network.trainable_params(), 0.1)


@pytest.mark.parametrize("optimizer, cell", [
    (experimental_adam, TrainCell), (not_counting, TrainCell),
    (momentum, lambda network, optimizer: AccumulatingTrainCell(network, optimizer, 2))])
def test_a_train_cell_of_the_users_own(mode: str, tmp_path: Path, optimizer: Any, cell: Any) -> None:
    def made() -> Training:
        return Training(optimizer, by_step, cell=cell)

    step = 7 if cell is TrainCell else 3
    whole = made()
    whole.train()
    crash_after(made(), 7, tmp_path, save_steps=step)
    resumed = made()
    start = resumed.resume(tmp_path, save_steps=3)
    assert (start.epoch, start.step) == (1, step)
    resumed.assert_same(whole)
    if cell is TrainCell:
        assert resumed.losses.seen == whole.losses.seen[7:]


def test_sections_of_a_users_train_cell(tmp_path: Path) -> None:
    training = Training(momentum, cell=lambda network, optimizer: AccumulatingTrainCell(network, optimizer, 2))
    training.train(OptimizerCheckpoint(tmp_path, save_network=False), epochs=1)
    sections = load_checkpoint(list_checkpoints(tmp_path)[0]).sections
    assert sorted(sections) == ["optimizer", "train_cell"]
    assert sorted(sections["train_cell"]) == ["calls", "sum.body.bias", "sum.body.weight", "sum.head.bias",
                                              "sum.head.weight"]


@pytest.mark.parametrize("callbacks", [
    lambda: [LRScheduler(S.CosineAnnealingLR(T_max=12), lookahead=4)],
    lambda: [ReduceLROnPlateau("loss", patience=0, threshold=0.9, factor=0.5, warmup=7)],
    lambda: [LRScheduler(lambda t, base: base / (1 + t), start_step=20)],
    lambda: [LRMonitor(), LRScheduler(S.ExponentialLR(0.9))],
])
@pytest.mark.parametrize("crash", [3, 8])
def test_callbacks_go_on_where_they_were(tmp_path: Path, callbacks: Any, crash: int) -> None:
    whole = Training(momentum, callbacks)
    whole.train()
    crash_after(Training(momentum, callbacks), crash, tmp_path, save_steps=crash)
    resumed = Training(momentum, callbacks)
    resumed.resume(tmp_path)
    resumed.assert_same(whole)


def test_optimizer_side_alone(tmp_path: Path) -> None:
    crash_after(Training(), 8, tmp_path, save_steps=1, save_network=False)
    resumed = Training()
    start = [parameter.asnumpy().copy() for parameter in resumed.network.get_parameters()]
    checkpoint = OptimizerCheckpoint(tmp_path, save_network=False)
    assert checkpoint.resume(resumed.model, resumed.data).step == 8
    for before, parameter in zip(start, resumed.network.get_parameters()):
        assert np.array_equal(before, parameter.asnumpy())
    assert state_dict(resumed.optimizer)["global_step"] == 8
    assert resumed.optimizer.moments[0].asnumpy().any()


class Counting(Callback):
    """A user's callback with a state that changes at every event."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = {"step_begin": 0, "step_end": 0, "epoch_begin": 0, "epoch_end": 0}

    def state_dict(self) -> dict[str, Any]:
        return self.counts

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.counts = dict(state)

    def on_train_step_begin(self, run_context: Any) -> None:
        self.counts["step_begin"] += 1

    def on_train_step_end(self, run_context: Any) -> None:
        self.counts["step_end"] += 1

    def on_train_epoch_begin(self, run_context: Any) -> None:
        self.counts["epoch_begin"] += 1

    def on_train_epoch_end(self, run_context: Any) -> None:
        self.counts["epoch_end"] += 1


@pytest.mark.parametrize("given", [True, False])
def test_users_callbacks_are_saved_between_two_events_wherever_they_stand(tmp_path: Path, given: bool) -> None:
    training, checkpoint = Training(), OptimizerCheckpoint(tmp_path, save_steps=4, keep_last=None)
    training.train(Counting(), first=[Counting(), checkpoint])
    saved = {path.name: [entry["state"] for entry in load_checkpoint(path).state["callbacks"]]
             for path in list_checkpoints(tmp_path)}
    assert saved == {f"step-{step:08}": 2 * [{"step_begin": step, "step_end": step, "epoch_begin": step // STEPS + 1,
                                              "epoch_end": step // STEPS}] for step in (4, 8, 12)}
    resumed, counting = Training(), [Counting(), Counting()]
    counting[1].counts["step_end"] = 77
    again = OptimizerCheckpoint(tmp_path)
    start = again.resume(resumed.model, resumed.data, counting if given else ())
    assert (counting[0].counts["step_end"] == 12) == given
    resumed.train(counting[1], again, first=[counting[0]], initial_epoch=start.epoch)
    assert counting[0].counts == counting[1].counts == {"step_begin": 15, "step_end": 15, "epoch_begin": 4,
                                                        "epoch_end": 3}


class Average(Callback):
    """A moving average of the weights, in Tensors."""

    def __init__(self, parameters: Any) -> None:
        super().__init__()
        self.parameters = parameters
        self.average = [ms.Parameter(each.value(), name=f"average.{each.name}") for each in parameters]
        self.brain = ms.Tensor(1.7).astype(ms.bfloat16)

    def state_dict(self) -> dict[str, Any]:
        return {"average": self.average, "nested": {"brain": (self.brain, 1)}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.average = state["average"]
        self.brain, _ = state["nested"]["brain"]

    def on_train_step_end(self, run_context: Any) -> None:
        self.average = [each * 0.9 + parameter * 0.1 for each, parameter in zip(self.average, self.parameters)]
        self.brain = (self.brain.float() * 0.9).astype(ms.bfloat16)

    def bits(self) -> list[bytes]:
        return [each.float().asnumpy().tobytes() for each in [*self.average, self.brain]]


def test_tensors_in_the_state_of_a_callback(mode: str, tmp_path: Path) -> None:
    def made() -> tuple[Training, Average]:
        training = Training()
        training.callbacks = [Average(training.network.trainable_params())]
        return training, training.callbacks[0]

    whole, expected = made()
    whole.train()
    crash_after(made()[0], 8, tmp_path, save_steps=4)
    resumed, average = made()
    resumed.resume(tmp_path)
    resumed.assert_same(whole)
    assert average.bits() == expected.bits() and average.brain.dtype == ms.bfloat16


def test_half_precision_and_frozen_parameters(mode: str, tmp_path: Path) -> None:
    def made() -> Training:
        return Training(momentum, network=Mixed)

    whole = made()
    whole.train()
    crash_after(made(), 8, tmp_path, save_steps=4)
    kinds = {record.dtype for record in load_checkpoint(list_checkpoints(tmp_path)[0]).sections["network"].values()}
    assert {"bfloat16", "float16", "int64", "bool", "float32"} <= kinds
    resumed = made()
    resumed.network.brain.copy_(ms.Tensor(0.0, ms.float32).astype(ms.bfloat16))
    resumed.resume(tmp_path)
    resumed.assert_same(whole)


class Mixed(Regression):
    """A network with Parameters of several types, and with running means."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.half = ms.Parameter(ms.Tensor(np.full((2, 1), 0.3, np.float16)), name="half", requires_grad=False)
        # NumPy 2 keeps MindSpore from making one of bfloat16 at once, and the CPU has no kernel for it.
        self.brain = ms.Parameter(ms.Tensor(1.7, ms.float32), name="brain", requires_grad=False)
        self.brain.set_dtype(ms.bfloat16)
        self.calls = ms.Parameter(ms.Tensor(0, ms.int64), name="calls", requires_grad=False)
        self.flag = ms.Parameter(ms.Tensor(False), name="flag", requires_grad=False)

    def construct(self, x: Any, y: Any) -> Any:
        calls = ops.assign_add(self.calls, ms.Tensor(1, ms.int64))
        half = ops.assign(self.half, self.half * ms.Tensor(0.9, ms.float16))
        x = self.norm(ops.tanh(self.body(x))) * (1.0 + 0.01 * calls.astype(ms.float32))
        return ops.square(self.head(x) - y + half.astype(ms.float32)).mean()


def _batches(data: Any) -> list[bytes]:
    return [x.asnumpy().tobytes() for x, _ in data.create_tuple_iterator(num_epochs=1)]
