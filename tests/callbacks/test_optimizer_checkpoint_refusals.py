"""What does not fit is refused in one error, and nothing is changed; what is damaged is passed over."""
from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
import pytest
from mindspore import nn
from resuming import Training, adam, by_step, grouped, momentum
from training import Regression, dataset

from ms_lr_callbacks import LRMonitor, OptimizerCheckpoint, ResumePoint
from ms_lr_callbacks.checkpoint import CheckpointError, NoUsableCheckpointError, list_checkpoints
from ms_lr_callbacks.resuming.data_position import doubts


class Wider(Regression):
    """Another shape, another type, a Parameter more and one less."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Dense(4, 1, has_bias=False)
        self.body.bias = type(self.body.bias)(self.body.bias.value().astype("float16"), name="body.bias")
        self.more = nn.Dense(1, 2)


def saved(directory: Path, *arguments: Any, **options: Any) -> None:
    Training(*arguments, **options).train(OptimizerCheckpoint(directory), epochs=1)


def refusal(directory: Path, training: Training, **options: Any) -> str:
    """Resume, expect a refusal, and see that nothing was changed."""
    before, seed = training.everything(), np.random.get_state()[1].tolist()
    with pytest.raises(CheckpointError) as caught:
        OptimizerCheckpoint(directory, **options).resume(training.model, training.data, training.callbacks)
    assert isinstance(caught.value, ValueError) and "nothing was changed" in str(caught.value)
    assert training.everything() == before and training.data.get_init_step() == 0
    assert np.random.get_state()[1].tolist() == seed
    return str(caught.value)


def test_all_differences_are_in_one_error(tmp_path: Path) -> None:
    saved(tmp_path)
    message = refusal(tmp_path, Training(adam, data=lambda: dataset(4), network=Wider))
    for line in ("the optimizer was mindspore.nn.optim.momentum.Momentum and is mindspore.nn.optim.adam.Adam",
                 "the number of steps per epoch was 5 and is 4", "network: more.weight is missing from the checkpoint",
                 "network: the checkpoint has head.bias, which is not there now",
                 "network: body.bias was float32 (4,) and is float16 (4,)",
                 "optimizer: moment1.body.weight is missing", "the checkpoint has moments.body.weight",
                 "group 0 held other parameters"):
        assert line in message


def test_another_shape(tmp_path: Path) -> None:
    saved(tmp_path)

    def wide() -> Any:
        network = Regression()
        network.head = nn.Dense(4, 2)
        return network

    assert "network: head.weight was float32 (1, 4) and is float32 (2, 4)" in refusal(tmp_path, Training(network=wide))


def rates(*values: float) -> Any:
    return lambda network: nn.SGD(network.trainable_params(), list(values) if len(values) > 1 else values[0])


@pytest.mark.parametrize("before, now, line", [
    (rates(0.1), rates(*[0.1] * 9), "learning_rate was float32 () and is float32 (9,)"),
    (rates(*[0.1] * 9), rates(0.1), "learning_rate was float32 (9,) and is float32 ()"),
    (rates(*[0.1] * 9), rates(*[0.2] * 9), "the learning rate of group 0 was a list of 9 values ("),
    (rates(0.1), lambda network: nn.SGD(network.trainable_params(), nn.CosineDecayLR(0.0, 0.1, 9)),
     "the learning rate of group 0 was a number and is CosineDecayLR"),
    (momentum, grouped, "the number of parameter groups was 1 and is 2"),
])
def test_another_form_of_rate_or_other_groups(tmp_path: Path, before: Any, now: Any, line: str) -> None:
    saved(tmp_path, before)
    assert line in refusal(tmp_path, Training(now))


def test_a_checkpoint_without_the_network(tmp_path: Path) -> None:
    Training().train(OptimizerCheckpoint(tmp_path, save_network=False), epochs=1)
    assert "saved with save_network=False; pass that here too" in refusal(tmp_path, Training())


def test_a_callback_that_refuses_its_state(tmp_path: Path) -> None:
    training = Training(callbacks=lambda: [LRMonitor(), *by_step()])
    training.train(OptimizerCheckpoint(tmp_path), epochs=1)
    other = Training(callbacks=lambda: [LRMonitor(), *by_step()])
    other.callbacks[1].load_state_dict = lambda state: 1 / 0
    before, monitor = other.everything(), other.callbacks[0].state_dict()
    with pytest.raises(ValueError, match="LRScheduler does not take the state .*ZeroDivisionError"):
        OptimizerCheckpoint(tmp_path).resume(other.model, other.data, other.callbacks)
    assert other.everything() == before and other.callbacks[0].state_dict() == monitor


def test_an_empty_directory_is_a_first_run(tmp_path: Path) -> None:
    training = Training()
    before = training.everything()
    assert OptimizerCheckpoint(tmp_path / "new").resume(training.model, training.data) == ResumePoint(0, 0, None)
    assert training.everything() == before and training.data.get_init_step() == 0


def test_a_damaged_checkpoint_is_reported_and_the_one_before_it_used(tmp_path: Path) -> None:
    training = Training()
    training.train(OptimizerCheckpoint(tmp_path))
    newest, middle, oldest = list_checkpoints(tmp_path)
    file = newest / "optimizer.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    again = Training()
    with pytest.warns(UserWarning, match="damaged, the one before it is used"):
        assert OptimizerCheckpoint(tmp_path).resume(again.model, again.data).path == middle
    for path in (middle, oldest):
        (path / "state.json").unlink()
    before = again.everything()
    with pytest.raises(NoUsableCheckpointError, match="all 3 checkpoints"), pytest.warns(UserWarning):
        OptimizerCheckpoint(tmp_path).resume(again.model, again.data)
    assert again.everything() == before


def warned(directory: Path, training: Training, dataset: Any = None) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        OptimizerCheckpoint(directory).resume(training.model, dataset, training.callbacks)
    return [str(warning.message) for warning in caught]


class Dropping(Regression):
    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(p=0.5)

    def construct(self, x: Any, y: Any) -> Any:
        return super().construct(self.drop(x), y)


def test_the_user_is_told_once_what_cannot_be_exact(tmp_path: Path) -> None:
    saved(tmp_path, network=Dropping)
    training = Training(network=Dropping)
    assert [text[:55] for text in warned(tmp_path, training, training.data)] == [
        "Dropout draws from a random stream that MindSpore can n"]


def test_a_first_run_and_a_plain_resume_say_nothing(tmp_path: Path) -> None:
    training = Training(callbacks=by_step)
    assert warned(tmp_path, training, training.data) == []
    training.train(OptimizerCheckpoint(tmp_path), epochs=1)
    assert warned(tmp_path, Training(callbacks=by_step), training.data) == []


def test_another_base_value_is_told(tmp_path: Path) -> None:
    saved(tmp_path, callbacks=by_step)
    other = Training(lambda network: nn.Momentum(network.trainable_params(), 0.2, 0.9, weight_decay=0.01), by_step)
    assert "lr of group 0 was 0.1 and is 0.2" in warned(tmp_path, other, other.data)[0]


def test_a_position_that_cannot_be_taken_is_told(tmp_path: Path) -> None:
    Training().train(OptimizerCheckpoint(tmp_path, save_steps=3), epochs=1)
    assert "pass dataset= to resume()" in warned(tmp_path, Training())[0]


def test_random_operations_of_the_data_are_told() -> None:
    data = dataset(5).map(ds.transforms.RandomApply([lambda x: x]), ["x"])
    fast = ds.config.get_fast_recovery()
    try:
        ds.config.set_fast_recovery(True)
        doubt = doubts(data, batches=3)
        assert doubt is not None and "set_fast_recovery(False)" in doubt
        assert doubts(data, batches=0) is None  # nothing is skipped
        ds.config.set_fast_recovery(False)
        assert doubts(data, batches=3) is None
    finally:
        ds.config.set_fast_recovery(fast)


def test_shuffled_data_without_a_seed_is_told(tmp_path: Path) -> None:
    seed = ds.config.get_seed()
    try:
        ds.config.set_seed(5489)  # MindSpore's value for none
        assert doubts(dataset(5), batches=3) is None  # nothing is shuffled
        doubt = doubts(dataset(5, shuffle=True).repeat(2), batches=3)
        assert doubt is not None and "shuffled and has no seed" in doubt and "set_seed" in doubt
        assert "has no seed" in str(doubts(dataset(5).shuffle(4), batches=3))
        assert doubts(dataset(5, shuffle=True), batches=0) is None
    finally:
        ds.config.set_seed(seed)


class WithComplex(Regression):
    def __init__(self) -> None:
        super().__init__()
        self.table = ms.Parameter(ms.Tensor(np.ones(2, np.complex64)), name="table", requires_grad=False)


@pytest.mark.parametrize("background", [True, False])
def test_a_parameter_that_no_checkpoint_holds_is_refused_at_once(tmp_path: Path, background: bool) -> None:
    training = Training(network=WithComplex)
    with pytest.raises(TypeError, match="cannot save the Parameter table.* the type complex64"):
        training.train(OptimizerCheckpoint(tmp_path, save_steps=10, async_save=background))
    assert training.losses.seen == []


def test_a_directory_that_another_run_has_filled_is_told(tmp_path: Path) -> None:
    """Its checkpoints are ahead of those of a run that starts anew, and would be taken for the newest."""
    saved(tmp_path)
    with pytest.warns(RuntimeWarning, match="holds step-00000005, and this training is at step 0.*of another run"):
        saved(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        training, checkpoint = Training(), OptimizerCheckpoint(tmp_path)
        start = checkpoint.resume(training.model, training.data)
        training.train(checkpoint, epochs=2, initial_epoch=start.epoch)
        training.train(checkpoint, epochs=1)


def test_another_dataset_than_resume_was_given(tmp_path: Path) -> None:
    Training().train(OptimizerCheckpoint(tmp_path, save_steps=3), epochs=1)
    training, other = Training(), Training()
    checkpoint = OptimizerCheckpoint(tmp_path)
    checkpoint.resume(training.model, other.data)
    with pytest.raises(ValueError, match="another dataset than resume"):
        training.train(checkpoint)


@pytest.mark.parametrize("arguments", [{"save_steps": 0}, {"save_epochs": -1}, {"keep_last": 0}, {"save_steps": 1.5},
                                       {"save_steps": True}])
def test_arguments(tmp_path: Path, arguments: Any) -> None:
    name, = arguments
    with pytest.raises(ValueError, match=f"{name} must be a whole number >= 1"):
        OptimizerCheckpoint(tmp_path, **arguments)


def test_whole_numbers_of_numpy_are_whole_numbers(tmp_path: Path) -> None:
    Training().train(OptimizerCheckpoint(tmp_path, save_steps=np.int64(4), keep_last=np.int32(1)))
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-00000012"]


def test_no_path() -> None:
    with pytest.raises(TypeError, match="directory must be a path"):
        OptimizerCheckpoint(3)  # type: ignore[arg-type]
