"""A run goes on at its true t, whatever it goes on from."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn
from train_cells import AccumulatingTrainCell, NotCountingSGD, SkippingTrainCell, TrainCell, UserSGD, float32_values
from training import ConstantGradient, Regression, applied_rates, dataset, model

from ms_lr_callbacks import LRScheduler, get_lr
from ms_lr_callbacks import schedules as S

# Every t has a value of its own, so a wrong t shows.
SCHEDULE = S.CosineAnnealingLR(T_max=100)
STEPS = 4


def sgd(network: Any) -> Any:
    return nn.SGD(network.trainable_params(), 0.1)


def rates(network: Any, target: Any, callback: Any, epochs: int, **arguments: Any) -> np.ndarray:
    """Train and return what each update applied."""
    moves = applied_rates(network, [callback],
                          lambda callbacks: target.train(epochs, dataset(STEPS), callbacks, **arguments))
    return moves[:, 0]


def expected(interval: str, first_epoch: int, epochs: int) -> np.ndarray:
    """Return the values of whole epochs."""
    if interval == "step":
        return float32_values(SCHEDULE, 0.1, epochs * STEPS, first_epoch * STEPS)
    return np.repeat(float32_values(SCHEDULE, 0.1, epochs, first_epoch), STEPS)


@pytest.mark.parametrize("interval", ["step", "epoch"])
class TestGoesOn:
    @pytest.mark.parametrize("optimizer", [sgd, lambda net: NotCountingSGD(net.trainable_params(), 0.1)],
                             ids=["counting", "not counting"])
    @pytest.mark.parametrize("same", [True, False], ids=["same callback", "new callback"])
    def test_in_a_second_train(self, mode: str, interval: str, same: bool,
                               optimizer: Callable[[Any], Any]) -> None:
        network = ConstantGradient()
        target = model(network, optimizer(network))
        callback = LRScheduler(SCHEDULE, interval=interval)
        rates(network, target, callback, 2)
        if not same:
            callback = LRScheduler(SCHEDULE, interval=interval)
        np.testing.assert_array_equal(rates(network, target, callback, 1), expected(interval, 2, 1))
        np.testing.assert_array_equal(rates(network, target, callback, 2), expected(interval, 3, 2))

    def test_with_a_new_model_of_the_same_optimizer(self, mode: str, interval: str) -> None:
        network = ConstantGradient()
        optimizer = sgd(network)
        callback = LRScheduler(SCHEDULE, interval=interval)
        rates(network, model(network, optimizer), callback, 2)
        np.testing.assert_array_equal(rates(network, model(network, optimizer), callback, 2), expected(interval, 2, 2))

    @pytest.mark.parametrize("optimizer", [sgd, lambda net: NotCountingSGD(net.trainable_params(), 0.1)],
                             ids=["counting", "not counting"])
    def test_with_initial_epoch(self, mode: str, interval: str, optimizer: Callable[[Any], Any]) -> None:
        network = ConstantGradient()
        target = model(network, optimizer(network))
        moves = rates(network, target, LRScheduler(SCHEDULE, interval=interval), 5, initial_epoch=3)
        np.testing.assert_array_equal(moves, expected(interval, 3, 2))

    def test_with_initial_epoch_after_a_first_train(self, mode: str, interval: str) -> None:
        network = ConstantGradient()
        target = model(network, sgd(network))
        callback = LRScheduler(SCHEDULE, interval=interval)
        rates(network, target, callback, 2)
        np.testing.assert_array_equal(rates(network, target, callback, 4, initial_epoch=2), expected(interval, 2, 2))

    @pytest.mark.parametrize("arguments", [{}, {"initial_epoch": 2}], ids=["", "initial_epoch"])
    def test_with_a_restored_global_step(self, mode: str, interval: str, arguments: dict[str, int],
                                         tmp_path: Path) -> None:
        network = ConstantGradient()
        optimizer = sgd(network)
        rates(network, model(network, optimizer), LRScheduler(SCHEDULE, interval=interval), 2)
        ms.save_checkpoint(optimizer, str(tmp_path / "optimizer.ckpt"))

        network = ConstantGradient()
        optimizer = sgd(network)
        ms.load_param_into_net(optimizer, ms.load_checkpoint(str(tmp_path / "optimizer.ckpt")))
        moves = rates(network, model(network, optimizer), LRScheduler(SCHEDULE, interval=interval),
                      3 if arguments else 1, **arguments)
        np.testing.assert_array_equal(moves, expected(interval, 2, 1))

    def test_where_start_step_says(self, mode: str, interval: str) -> None:
        network = ConstantGradient()
        target = model(network, sgd(network))
        rates(network, target, LRScheduler(SCHEDULE, interval=interval), 1)
        callback = LRScheduler(SCHEDULE, interval=interval, start_step=8 if interval == "step" else 2)
        np.testing.assert_array_equal(rates(network, target, callback, 2), expected(interval, 2, 2))
        # start_step holds for the training that follows; a further one goes on from there.
        np.testing.assert_array_equal(rates(network, target, callback, 1), expected(interval, 4, 1))

    def test_start_step_zero_starts_anew_on_a_trained_optimizer(self, mode: str, interval: str) -> None:
        network = ConstantGradient()
        target = model(network, sgd(network))
        rates(network, target, LRScheduler(SCHEDULE, interval=interval), 2)
        moves = rates(network, target, LRScheduler(SCHEDULE, interval=interval, start_step=0), 1)
        np.testing.assert_array_equal(moves, expected(interval, 0, 1))

    def test_start_step_overrides_initial_epoch(self, mode: str, interval: str) -> None:
        network = ConstantGradient()
        callback = LRScheduler(SCHEDULE, interval=interval, start_step=0)
        moves = rates(network, model(network, sgd(network)), callback, 3, initial_epoch=1)
        np.testing.assert_array_equal(moves, expected(interval, 0, 2))

    def test_in_a_train_cell_of_the_users(self, mode: str, interval: str) -> None:
        network = ConstantGradient()
        cell = TrainCell(network, sgd(network))
        callback = LRScheduler(SCHEDULE, interval=interval)
        np.testing.assert_array_equal(rates(network, model(cell, None), callback, 2), expected(interval, 0, 2))
        np.testing.assert_array_equal(rates(network, model(cell, None), callback, 1), expected(interval, 2, 1))

    def test_in_a_users_train_cell_whose_optimizer_never_counts(self, mode: str, interval: str) -> None:
        network = ConstantGradient()
        cell = TrainCell(network, NotCountingSGD(network.trainable_params(), 0.1))
        callback = LRScheduler(SCHEDULE, interval=interval)
        np.testing.assert_array_equal(rates(network, model(cell, None), callback, 2), expected(interval, 0, 2))
        np.testing.assert_array_equal(rates(network, model(cell, None), callback, 1), expected(interval, 2, 1))

    def test_base_is_the_constructors_after_a_plain_checkpoint(self, mode: str, interval: str, tmp_path: Path) -> None:
        path = str(tmp_path / "optimizer.ckpt")
        network = ConstantGradient()
        optimizer = UserSGD(network.trainable_params(), 0.1)
        rates(network, model(network, optimizer), LRScheduler(SCHEDULE, interval=interval), 3)
        ms.save_checkpoint(optimizer, path)

        network = ConstantGradient()
        optimizer = UserSGD(network.trainable_params(), 0.1)
        ms.load_param_into_net(optimizer, ms.load_checkpoint(path))
        assert get_lr(optimizer) != [pytest.approx(0.1)], "the checkpoint has not left a decayed value"
        moves = rates(network, model(network, optimizer), LRScheduler(SCHEDULE, interval=interval), 1)
        np.testing.assert_array_equal(moves, expected(interval, 3, 1))


@pytest.mark.parametrize("build", [
    lambda parameters: nn.Momentum(parameters, 0.1, 0.9),
    lambda parameters: nn.AdamWeightDecay(parameters, 0.1),
    lambda parameters: UserSGD(parameters, 0.1),
], ids=["Momentum", "AdamWeightDecay", "user-defined"])
@pytest.mark.parametrize("grouped", [False, True], ids=["flat", "grouped"])
def test_base_values_survive_a_plain_checkpoint(build: Callable[[Any], Any], grouped: bool, tmp_path: Path) -> None:
    def new_optimizer() -> Any:
        network = Regression()
        groups = [{"params": network.body.trainable_params()}, {"params": network.head.trainable_params(), "lr": 0.3}]
        return network, build(groups if grouped else network.trainable_params())

    path = str(tmp_path / "optimizer.ckpt")
    network, optimizer = new_optimizer()
    halving = S.LambdaLR(lambda t: 0.5 ** t)
    model(network, optimizer).train(1, dataset(3), LRScheduler(halving))
    ms.save_checkpoint(optimizer, path)

    network, optimizer = new_optimizer()
    ms.load_param_into_net(optimizer, ms.load_checkpoint(path))
    seen: list[float] = []

    def watch(t: int, base: float) -> float:
        seen.append(base)
        return base

    model(network, optimizer).train(1, dataset(1), LRScheduler(watch, start_step=0))
    assert set(seen) == ({0.1, 0.3} if grouped else {0.1})


@pytest.mark.parametrize("skipped", [set(), {0}, {0, 1, 4}, {2, 3}], ids=str)
def test_t_counts_updates_and_not_calls_when_steps_are_skipped(mode: str, skipped: set[int]) -> None:
    """As after an overflow: the step that is left out does not advance the schedule."""
    network = ConstantGradient()
    cell = SkippingTrainCell(network, UserSGD(network.trainable_params(), 0.1))
    calls = 6
    x = np.zeros((calls, 1, 1), np.float32)
    x[sorted(skipped)] = 1
    data = ms.dataset.GeneratorDataset(list(zip(x, x)), ["x", "y"], shuffle=False)
    moves = applied_rates(network, [LRScheduler(SCHEDULE)],
                          lambda callbacks: model(cell, None).train(1, data, callbacks))[:, 0]
    wanted = np.zeros(calls, np.float32)
    done = [call for call in range(calls) if call not in skipped]
    wanted[done] = float32_values(SCHEDULE, 0.1, len(done))
    np.testing.assert_array_equal(moves, wanted)


@pytest.mark.parametrize("calls", [12, 8], ids=["whole", "a rest"])
def test_t_counts_updates_under_gradient_accumulation(mode: str, calls: int) -> None:
    network = ConstantGradient()
    cell = AccumulatingTrainCell(network, UserSGD(network.trainable_params(), 0.1), every=3)
    moves = applied_rates(network, [LRScheduler(SCHEDULE)],
                          lambda callbacks: model(cell, None).train(1, dataset(calls), callbacks))[:, 0]
    wanted = np.zeros(calls, np.float32)
    wanted[2::3] = float32_values(SCHEDULE, 0.1, calls // 3)
    np.testing.assert_allclose(moves, wanted, rtol=1e-6)  # the mean of three gradients of 1/3 is nearly 1
    assert set(np.flatnonzero(moves)) == set(range(2, calls, 3))


def test_gradient_accumulation_goes_on_in_a_second_train(mode: str) -> None:
    network = ConstantGradient()
    target = model(AccumulatingTrainCell(network, UserSGD(network.trainable_params(), 0.1), every=3), None)
    callback = LRScheduler(SCHEDULE)
    moves = np.concatenate([
        applied_rates(network, [callback], lambda callbacks: target.train(1, dataset(6), callbacks))[:, 0]
        for _ in range(3)])
    np.testing.assert_allclose(moves[2::3], float32_values(SCHEDULE, 0.1, 6), rtol=1e-6)
