"""LRScheduler with everything that Model can train: fit, own train cells, other optimizers, checkpoints."""
from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, Callable

import mindspore as ms
import numpy as np
import pytest
from mindspore import mint, nn
from mindspore.experimental import optim as experimental_optim
from mindspore.train import CheckpointConfig, LossMonitor, Model, ModelCheckpoint
from train_cells import EvaluationCell, RepeatedTrainCell, TrainCell, UserSGD, float32_values
from training import ConstantGradient, Record, Regression, applied_rates, assert_same_weights, dataset, model

from ms_lr_callbacks import LRScheduler, get_last_lr, get_lr
from ms_lr_callbacks import schedules as S

COSINE = S.CosineAnnealingLR(T_max=50)
HALVING = S.StepLR(step_size=1, gamma=0.5)


def with_evaluation(network: Any, optimizer: Any) -> Model:
    return model(network, optimizer, eval_network=EvaluationCell(network), eval_indexes=[0, 1, 2], metrics={"loss"})


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_fit_with_evaluation_after_every_epoch(mode: str, interval: str) -> None:
    network = ConstantGradient()
    target = with_evaluation(network, nn.SGD(network.trainable_params(), 0.1))
    moves = applied_rates(network, [LRScheduler(COSINE, interval=interval)], lambda callbacks: target.fit(
        3, dataset(2), dataset(2), callbacks=callbacks, dataset_sink_mode=False))
    t = range(6) if interval == "step" else [0, 0, 1, 1, 2, 2]
    np.testing.assert_array_equal(moves[:, 0], np.array([COSINE(each, 0.1) for each in t], np.float32))


def test_the_same_callback_does_nothing_in_evaluation() -> None:
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 0.1)
    target = with_evaluation(network, optimizer)
    callback = LRScheduler(COSINE)
    target.train(1, dataset(3), callback)
    before = get_lr(optimizer)
    target.eval(dataset(3), callback)
    assert get_lr(optimizer) == before
    moves = applied_rates(network, [callback], lambda callbacks: target.train(1, dataset(3), callbacks))
    np.testing.assert_array_equal(moves[:, 0], float32_values(COSINE, 0.1, 3, start=3))


@pytest.mark.parametrize("first", [True, False], ids=["before", "behind"])
def test_the_place_in_the_callback_list_does_not_matter(first: bool) -> None:
    network = ConstantGradient()
    target = model(network, nn.SGD(network.trainable_params(), 0.1))
    others = [LossMonitor(100), Record(lambda context: None)]
    callbacks = [LRScheduler(COSINE), *others] if first else [*others, LRScheduler(COSINE)]
    moves = applied_rates(network, callbacks, lambda each: target.train(2, dataset(3), each))
    np.testing.assert_array_equal(moves[:, 0], float32_values(COSINE, 0.1, 6))


def mint_trains_in(mode: str, optimizer: Callable[..., Any]) -> bool:
    """Return False in PYNATIVE_MODE, after a look that mint's optimizers change no weight there on a CPU.

    MindSpore 2.7 has no kernel for some of them, and says so.
    """
    if mode == "pynative":
        network = ConstantGradient()
        before = network.w.asnumpy()
        bare = model(TrainCell(network, optimizer(network.trainable_params(), lr=0.5)), None)
        try:
            bare.train(1, dataset(3))
        except RuntimeError as error:
            assert re.search(r"kernel \w+ unregistered", str(error))
        np.testing.assert_array_equal(network.w.asnumpy(), before)
    return mode != "pynative"


def experimental_groups(network: Any) -> Any:
    return [{"params": [network.a], "lr": 0.25}, {"params": [network.b]}]


@pytest.mark.parametrize("grouped", [False, True], ids=["flat", "grouped"])
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_experimental_sgd(mode: str, grouped: bool, interval: str) -> None:
    """Its rates are Parameters in ``param_groups``, and it does not count its updates."""
    network = ConstantGradient("ab")
    optimizer = experimental_optim.SGD(experimental_groups(network) if grouped else network.trainable_params(), lr=0.5)
    callback = LRScheduler([COSINE, HALVING] if grouped else COSINE, interval=interval)
    cell = TrainCell(network, optimizer)
    moves = np.concatenate([
        applied_rates(network, [callback], lambda callbacks: model(cell, None).train(1, dataset(3), callbacks))
        for _ in range(2)])
    t = range(6) if interval == "step" else [0, 0, 0, 1, 1, 1]
    first, second = ((COSINE, 0.25), (HALVING, 0.5)) if grouped else ((COSINE, 0.5), (COSINE, 0.5))
    for column, (schedule, base) in enumerate([first, second]):
        np.testing.assert_array_equal(moves[:, column], np.array([schedule(each, base) for each in t], np.float32))


@pytest.mark.parametrize("build", [
    pytest.param(experimental_optim.Adam, id="experimental.Adam"),
    pytest.param(experimental_optim.AdamW, id="experimental.AdamW"),
    pytest.param(mint.optim.Adam, id="mint.Adam"),
])
def test_adam_in_a_train_cell_of_the_users(mode: str, build: Callable[..., Any]) -> None:
    """With a constant gradient Adam moves by nearly its learning rate."""
    if build is mint.optim.Adam and not mint_trains_in(mode, build):
        return
    network = ConstantGradient("ab")
    optimizer = build(experimental_groups(network), lr=0.5, weight_decay=0.0)
    cell = TrainCell(network, optimizer)
    moves = applied_rates(network, [LRScheduler([COSINE, HALVING])],
                          lambda callbacks: model(cell, None).train(2, dataset(3), callbacks))
    np.testing.assert_allclose(moves[:, 0], float32_values(COSINE, 0.25, 6), rtol=1e-4)
    np.testing.assert_allclose(moves[:, 1], float32_values(HALVING, 0.5, 6), rtol=1e-4)


@pytest.mark.parametrize("grouped", [False, True], ids=["flat", "grouped"])
def test_mint_sgd(mode: str, grouped: bool) -> None:
    """It computes with a Python float beside the Parameter, which the graph would fold in."""
    if not mint_trains_in(mode, mint.optim.SGD):
        return
    network = ConstantGradient("ab")
    optimizer = mint.optim.SGD(experimental_groups(network) if grouped else network.trainable_params(), lr=0.5)
    callback = LRScheduler([COSINE, HALVING] if grouped else COSINE)
    cell = TrainCell(network, optimizer)
    if ms.__version__.startswith("2.7."):
        with pytest.raises(ValueError, match="'lr' of SGD cannot be changed while training"):
            model(cell, None).train(1, dataset(3), callback)
        return
    moves = np.concatenate([
        applied_rates(network, [callback], lambda callbacks: model(cell, None).train(1, dataset(3), callbacks))
        for _ in range(2)])
    first, second = ((COSINE, 0.25), (HALVING, 0.5)) if grouped else ((COSINE, 0.5), (COSINE, 0.5))
    for column, (schedule, base) in enumerate([first, second]):
        np.testing.assert_allclose(moves[:, column], float32_values(schedule, base, 6), rtol=1e-6)


class WithWrapper(nn.Cell):
    """An optimizer behind a cell that is none, as distributed wrappers are."""

    def __init__(self, optimizer: Any) -> None:
        super().__init__(auto_prefix=False)
        self.inner = optimizer

    def construct(self, gradients: Any) -> Any:
        return self.inner(gradients)


def test_optimizer_behind_a_wrapper_in_a_train_cell(mode: str) -> None:
    network = ConstantGradient()
    optimizer = UserSGD(network.trainable_params(), 0.5)
    cell = TrainCell(network, optimizer)
    cell.optimizer = WithWrapper(optimizer)
    moves = applied_rates(network, [LRScheduler(COSINE)],
                          lambda callbacks: model(cell, None).train(1, dataset(3), callbacks))
    np.testing.assert_array_equal(moves[:, 0], float32_values(COSINE, 0.5, 3))


def test_loss_scale(mode: str) -> None:
    """A fixed loss scale changes gradients, not learning rates."""
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 0.5, loss_scale=8.0)
    manager = ms.amp.FixedLossScaleManager(8.0, drop_overflow_update=False)
    target = model(network, optimizer, loss_scale_manager=manager)
    moves = applied_rates(network, [LRScheduler(COSINE)], lambda callbacks: target.train(1, dataset(3), callbacks))
    np.testing.assert_array_equal(moves[:, 0], float32_values(COSINE, 0.5, 3))


SHAPES: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "flat": (lambda net: net.trainable_params(), COSINE, None),
    "grouped": (lambda net: [{"params": net.body.trainable_params(), "lr": 0.2},
                             {"params": net.head.trainable_params()}], [COSINE, HALVING], None),
    "shared default rate": (lambda net: [{"params": net.body.trainable_params()},
                                         {"params": net.head.trainable_params()}], [COSINE, HALVING], None),
    "lookahead": (lambda net: net.trainable_params(), COSINE, 4),
    "lookahead, grouped": (lambda net: [{"params": net.body.trainable_params(), "lr": 0.2},
                                        {"params": net.head.trainable_params()}], [COSINE, HALVING], 4),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_checkpoints_hold_the_same_parameters_as_without_us(mode: str, shape: str, tmp_path: Path) -> None:
    """ModelCheckpoint files of a driven training fit a training without our callback, and hold the last rate."""
    groups, schedule, lookahead = SHAPES[shape]
    held: list[dict[str, Any]] = []
    for name, callbacks in (("with", [LRScheduler(schedule, lookahead=lookahead)]), ("without", [])):
        network = Regression()
        optimizer = nn.Momentum(groups(network), 0.1, 0.9)
        saver = ModelCheckpoint(name, str(tmp_path), CheckpointConfig(save_checkpoint_steps=2))
        model(network, optimizer).train(1, dataset(4), [*callbacks, saver])
        path = max(tmp_path.glob(f"{name}*.ckpt"), key=lambda each: each.stat().st_mtime_ns)
        held.append(ms.load_checkpoint(str(path)))
    ours, theirs = ({key: (value.shape, value.dtype) for key, value in each.items()} for each in held)
    assert ours == theirs and "learning_rate" in ours
    # After the training the optimizer has its own Parameters back, with the last value in them.
    network = Regression()
    optimizer = nn.Momentum(groups(network), 0.1, 0.9)
    missing = ms.load_param_into_net(optimizer, held[0])
    assert missing == ([], [])


@pytest.mark.parametrize("shape", ["flat", "grouped"])
def test_lookahead_gives_the_weights_of_no_lookahead(mode: str, shape: str) -> None:
    groups, schedule, _ = SHAPES[shape]
    networks = []
    for lookahead in (None, 1, 2, 3, 5, 100):
        networks.append(Regression())
        optimizer = nn.Momentum(groups(networks[-1]), 0.1, 0.9)
        callback = LRScheduler(schedule, lookahead=lookahead)
        target = model(networks[-1], optimizer)
        target.train(1, dataset(4), callback)
        target.train(1, dataset(3), callback)
    for network in networks[1:]:
        assert_same_weights(networks[0], network)


@pytest.mark.parametrize("lookahead", [4, 8, 12])
def test_updates_inside_one_call_get_their_own_values(mode: str, lookahead: int) -> None:
    """As under dataset sinking: four updates run in one compiled call of the train cell."""
    network = ConstantGradient()
    cell = RepeatedTrainCell(network, UserSGD(network.trainable_params(), 0.5), repeats=4)
    record = Record(lambda context: context.original_args().net_outputs.asnumpy().copy())
    callback = LRScheduler(COSINE, lookahead=lookahead)
    Model(cell).train(1, dataset(3), [callback, record])
    Model(cell).train(1, dataset(2), [callback, record])
    moves = np.concatenate(record.seen)
    np.testing.assert_allclose(moves, float32_values(COSINE, 0.5, 20), atol=1e-6)


def test_too_small_a_lookahead_is_an_error_and_no_silence() -> None:
    network = ConstantGradient()
    cell = RepeatedTrainCell(network, UserSGD(network.trainable_params(), 0.5), repeats=4)
    with pytest.raises(RuntimeError, match="3 updates more than LRScheduler .*lookahead="):
        Model(cell).train(1, dataset(3), LRScheduler(COSINE))


@pytest.mark.parametrize("shared", [False, True], ids=["rates of their own", "the default rate"])
def test_two_callbacks_drive_a_group_each(mode: str, shared: bool) -> None:
    network = ConstantGradient("ab")
    groups = [{"params": [network.a], "weight_decay": 0.0}, {"params": [network.b]}]
    rates = (0.1, 0.1) if shared else (0.3, 0.7)
    if not shared:
        groups = [{**group, "lr": rate} for group, rate in zip(groups, rates)]
    callbacks = [LRScheduler([COSINE, None]), LRScheduler([None, HALVING])]
    seen = Record(lambda context: [read(context.original_args().optimizer) for read in (get_lr, get_last_lr)])
    target = model(network, nn.SGD(groups, 0.1))
    moves = applied_rates(network, [*callbacks, seen], lambda each: target.train(2, dataset(3), each))
    wanted = np.stack([float32_values(COSINE, rates[0], 7), float32_values(HALVING, rates[1], 7)], axis=1)
    np.testing.assert_array_equal(moves, wanted[:6])
    np.testing.assert_array_equal(np.float32(seen.seen), np.stack([wanted[1:], wanted[:6]], axis=1))


@pytest.mark.parametrize("cell", [
    lambda network, optimizer: model(network, optimizer),
    lambda network, optimizer: Model(TrainCell(network, optimizer)),
], ids=["Model's", "a user's train cell"])
def test_a_run_as_long_as_its_schedule_asks_for_nothing_beyond(cell: Callable[..., Any]) -> None:
    """OneCycleLR warns past its end, and values are computed many updates before they are used."""
    for steps, warned in ((3, 0), (5, 1)):
        network = ConstantGradient()
        schedule = S.OneCycleLR(max_lr=0.5, total_steps=6)
        target = cell(network, UserSGD(network.trainable_params(), 0.1))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            moves = applied_rates(network, [LRScheduler(schedule)],
                                  lambda callbacks: target.train(2, dataset(steps), callbacks))
            assert len([each for each in caught if "OneCycleLR was made for 6" in str(each.message)]) == warned
        held = [schedule(min(t, 5), 0.1) for t in range(2 * steps)]
        np.testing.assert_array_equal(moves[:, 0], np.float32(held))
