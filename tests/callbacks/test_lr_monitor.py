"""LRMonitor shows what each update really used: compared with how far the weights moved."""
from __future__ import annotations

import io
from typing import Any, Callable

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops
from mindspore.train import Callback, LearningRateScheduler
from train_cells import (AccumulatingTrainCell, CountingInGetLrSGD, NotCountingSGD, RepeatedTrainCell,
                         SkippingTrainCell, TrainCell, UserSGD)
from training import ConstantGradient, applied_rates, assert_same_weights, dataset, model

from ms_lr_callbacks import LRMonitor, LRScheduler, ProgressBar
from ms_lr_callbacks import schedules as S

EPOCHS, STEPS = 3, 7
UPDATES = EPOCHS * STEPS
NUMBERS = [float(value) for value in np.linspace(0.5, 0.01, UPDATES)]


class Halving(nn.learning_rate_schedule.LearningRateSchedule):
    """A user's cell that takes one step at a time, and no vector of them."""

    def construct(self, global_step: Any) -> Any:
        return ops.pow(Tensor(0.5, ms.float32), global_step.reshape(()).astype(ms.float32))


class Held(nn.learning_rate_schedule.LearningRateSchedule):
    """A user's cell with a Parameter of its own, which anybody may write."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = Parameter(Tensor(0.25, ms.float32), name="factor")

    def construct(self, global_step: Any) -> Any:
        return self.factor * (global_step.reshape(()).astype(ms.float32) + 1.0)


FORMS: dict[str, Callable[[], Any]] = {
    "number": lambda: 0.125,
    "tensor": lambda: Tensor(0.125, ms.float32),
    "list": lambda: NUMBERS,
    "cosine cell": lambda: nn.CosineDecayLR(0.01, 0.5, UPDATES),
    "exponential cell": lambda: nn.ExponentialDecayLR(0.5, 0.9, 4, True),
    "user's cell": Halving,
    "user's cell with a Parameter": Held,
}


def watch(network: ConstantGradient, optimizer: Any, *callbacks: Any, cell: Any = None, epochs: int = EPOCHS,
          **arguments: Any) -> tuple[LRMonitor, np.ndarray]:
    """Train; return the monitor, last in the list, and how far each weight moved in each step."""
    monitor = LRMonitor(**arguments)
    trained = model(network, optimizer) if cell is None else model(cell, None)
    moves = applied_rates(network, [*callbacks, monitor],
                          lambda all_callbacks: trained.train(epochs, dataset(STEPS), all_callbacks))
    return monitor, moves


def assert_shows(monitor: LRMonitor, tag: str, values: np.ndarray, steps: Any = None) -> None:
    series = monitor.history[tag]
    assert series.steps.dtype == np.int64 and series.values.dtype == np.float32
    np.testing.assert_array_equal(series.steps, np.arange(1, len(values) + 1) if steps is None else steps)
    np.testing.assert_array_equal(series.values, values)


class TestEveryFormOfRate:
    @pytest.mark.parametrize("form", FORMS)
    def test_flat(self, mode: str, form: str) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), FORMS[form]())
        assert_shows(*_lr(watch(network, optimizer)))

    def test_static_and_dynamic_groups_mixed(self, mode: str) -> None:
        network = ConstantGradient("abcd")
        optimizer = nn.SGD([{"params": [network.a], "lr": 1e-5}, {"params": [network.b], "lr": NUMBERS},
                            {"params": [network.c], "lr": nn.CosineDecayLR(0.01, 0.5, UPDATES)},
                            {"params": [network.d]}], 0.3)
        monitor, moves = watch(network, optimizer)
        assert moves[0, 0] != np.float32(1e-5)  # MindSpore rounds it, and so it is shown
        for group in range(4):
            assert_shows(monitor, f"lr/group_{group}", moves[:, group])

    @pytest.mark.parametrize("form", ["number", "list", "cosine cell", "user's cell"])
    @pytest.mark.parametrize("build", [NotCountingSGD, CountingInGetLrSGD, UserSGD])
    def test_whatever_the_optimizer_counts(self, mode: str, form: str, build: Any) -> None:
        network = ConstantGradient()
        assert_shows(*_lr(watch(network, build(network.trainable_params(), FORMS[form]()))))

    def test_in_the_middle_of_a_cell(self, mode: str) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), nn.CosineDecayLR(0.01, 0.5, UPDATES))
        watch(network, optimizer, epochs=1)
        monitor, moves = watch(network, optimizer, epochs=2)
        assert_shows(monitor, "lr", moves[:, 0], np.arange(STEPS + 1, 3 * STEPS + 1))


class TestWhoeverWrites:
    @pytest.mark.parametrize("monitor_first", [True, False])
    @pytest.mark.parametrize("interval", ["step", "epoch"])
    def test_our_scheduler(self, mode: str, interval: str, monitor_first: bool) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        ours = [LRScheduler(S.ExponentialLR(0.75), interval=interval), LRMonitor()]
        moves = applied_rates(network, ours[::-1] if monitor_first else ours,
                              lambda callbacks: model(network, optimizer).train(EPOCHS, dataset(STEPS), callbacks))
        assert_shows(ours[1], "lr", moves[:, 0])  # type: ignore[arg-type]

    @pytest.mark.parametrize("monitor_first", [True, False])
    def test_mindspores_scheduler(self, mode: str, monitor_first: bool) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        both = [LearningRateScheduler(lambda lr, step: 0.5 / (step + 1)), LRMonitor()]
        moves = applied_rates(network, both[::-1] if monitor_first else both,
                              lambda callbacks: model(network, optimizer).train(EPOCHS, dataset(STEPS), callbacks))
        assert len(set(moves[:, 0])) == UPDATES
        assert_shows(both[1], "lr", moves[:, 0])

    def test_some_groups_ours_others_somebody_elses(self, mode: str) -> None:
        network = ConstantGradient("ab")
        optimizer = nn.SGD([{"params": [network.a], "lr": 0.5}, {"params": [network.b], "lr": 0.25}], 0.1)

        class Write(Callback):  # type: ignore[misc]
            def on_train_step_end(self, run_context: Any) -> None:
                step = run_context.original_args().cur_step_num
                ops.assign(optimizer.get_lr_parameter(network.b), Tensor(1.0 / step, ms.float32))

        monitor, moves = watch(network, optimizer, LRScheduler([S.ExponentialLR(0.75), None]), Write(),
                               group_names=["ours", "theirs"])
        assert_shows(monitor, "lr/ours", moves[:, 0])
        assert_shows(monitor, "lr/theirs", moves[:, 1])

    def test_an_earlier_training_with_a_scheduler_is_over(self, mode: str) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        watch(network, optimizer, LRScheduler(S.ExponentialLR(0.75)), epochs=1)
        ops.assign(optimizer.learning_rate, Tensor(0.0625, ms.float32))
        monitor, moves = watch(network, optimizer, epochs=1)
        assert (moves == 0.0625).all()
        assert_shows(monitor, "lr", moves[:, 0], np.arange(STEPS + 1, 2 * STEPS + 1))


class TestStepsThatAreNotOneUpdate:
    def test_gradient_accumulation(self, mode: str) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        monitor, moves = watch(network, None, LRScheduler(S.ExponentialLR(0.75)),
                               cell=AccumulatingTrainCell(network, optimizer, every=3))
        applied = moves[moves != 0]
        assert len(applied) == UPDATES // 3
        assert_shows(monitor, "lr", applied)
        assert len(monitor.history["loss"]) == UPDATES // 3

    def test_skipped_updates(self, mode: str) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), NUMBERS)
        monitor, moves = watch(network, None, cell=SkippingTrainCell(network, optimizer))
        applied = moves[moves != 0]
        assert 0 < len(applied) < UPDATES
        assert_shows(monitor, "lr", applied)

    @pytest.mark.parametrize("rate", [0.5, NUMBERS * 3, nn.CosineDecayLR(0.01, 0.5, 3 * UPDATES)],
                             ids=["driven", "list", "cell"])
    def test_several_updates_in_a_call(self, mode: str, rate: Any) -> None:
        network = ConstantGradient()
        optimizer = UserSGD(network.trainable_params(), rate)
        driving = [LRScheduler(S.ExponentialLR(0.75), lookahead=6)] if rate == 0.5 else []
        monitor = LRMonitor()
        moves: list[float] = []

        class Moves(Callback):  # type: ignore[misc]
            def on_train_step_end(self, run_context: Any) -> None:
                moves.extend(run_context.original_args().net_outputs.asnumpy().tolist())

        model(RepeatedTrainCell(network, optimizer, repeats=3), None).train(1, dataset(STEPS),
                                                                            [monitor, *driving, Moves()])
        steps, values = monitor.history["lr"].steps, monitor.history["lr"].values
        np.testing.assert_array_equal(steps, np.arange(1, 3 * STEPS + 1))
        # The weight is not set back between updates, so its moves are rounded.
        np.testing.assert_allclose(values, moves, rtol=0, atol=1e-6)
        assert monitor.history["loss"].steps.tolist() == list(range(3, 3 * STEPS + 1, 3))


class TestEvery:
    @pytest.mark.parametrize("every", [2, 5, 100])
    @pytest.mark.parametrize("form", ["number", "cosine cell", "user's cell with a Parameter"])
    def test_multiples(self, form: str, every: int) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), FORMS[form]())
        monitor, moves = watch(network, optimizer, every=every)
        wanted = np.arange(every, UPDATES + 1, every)
        if len(wanted):
            assert_shows(monitor, "lr", moves[wanted - 1, 0], wanted)
            assert monitor.history["loss"].steps.tolist() == wanted.tolist()
        else:
            assert list(monitor.history) == []

    @pytest.mark.parametrize("form", ["number", "cosine cell"])
    @pytest.mark.parametrize("interval", ["step", "epoch"])
    @pytest.mark.parametrize("monitor_first", [True, False])
    def test_last_update_of_each_epoch(self, form: str, interval: str, monitor_first: bool) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), FORMS[form]())
        callbacks: list[Any] = [LRMonitor(every="epoch")]
        if form == "number":
            callbacks.append(LRScheduler(S.ExponentialLR(0.5), interval=interval))
        monitor = callbacks[0]
        moves = applied_rates(network, callbacks if monitor_first else callbacks[::-1],
                              lambda each: model(network, optimizer).train(EPOCHS, dataset(STEPS), each))
        assert_shows(monitor, "lr", moves[STEPS - 1::STEPS, 0], np.arange(STEPS, UPDATES + 1, STEPS))
        assert len(monitor.history["loss"]) == EPOCHS

    def test_epochs_whose_last_step_did_no_update(self) -> None:
        network = ConstantGradient()
        cell = AccumulatingTrainCell(network, nn.SGD(network.trainable_params(), 0.5), every=3)
        monitor, _ = watch(network, None, LRScheduler(S.ExponentialLR(0.5)), cell=cell, every="epoch")
        assert monitor.history["lr"].steps.tolist() == [2, 4, 7]
        assert monitor.history["lr"].values.tolist() == [0.5 ** 2, 0.5 ** 4, 0.5 ** 7]


class TestLoss:
    def test_is_the_trainings(self, mode: str) -> None:
        network = ConstantGradient(start=2.0)
        losses: list[float] = []

        class Look(Callback):  # type: ignore[misc]
            def on_train_step_end(self, run_context: Any) -> None:
                losses.append(float(run_context.original_args().net_outputs.asnumpy()))

        monitor = LRMonitor()
        model(network, nn.SGD(network.trainable_params(), 0.1)).train(2, dataset(5), [monitor, Look()])
        assert len(set(losses)) == 10
        series = monitor.history["loss"]
        assert series.steps.tolist() == list(range(1, 11)) and series.values.tolist() == losses

    def test_a_train_cell_that_returns_nothing_has_none(self) -> None:
        ms.set_context(mode=ms.PYNATIVE_MODE)  # a graph without a result does nothing

        class Silent(TrainCell):
            def construct(self, x: Any, y: Any) -> Any:
                _, gradients = self.forward_and_gradients(x, y)
                self.optimizer(gradients)

        network, stream = ConstantGradient(), io.StringIO()
        monitor = LRMonitor()
        model(Silent(network, nn.SGD(network.trainable_params(), 0.5)), None).train(
            1, dataset(3), [monitor, ProgressBar(stream)])
        assert "loss" not in monitor.history and monitor.history["lr"].steps.tolist() == [1, 2, 3]
        assert stream.getvalue().endswith("steps/s, lr 0.5\n")

    @pytest.mark.parametrize("output, wanted", [
        ("(loss, x)", 3.0), ("[[loss, x], x]", 3.0), ("x", 2.0), ("7", 7.0), ("2.5", 2.5), ("()", np.nan),
        ("None", np.nan), ("half", 3.0), ("'text'", np.nan)])
    def test_any_output(self, output: str, wanted: float) -> None:
        from ms_lr_callbacks.training.losses import fetch, loss_of

        names = {"loss": Tensor(3.0, ms.float32), "x": Tensor(np.array([[1.0], [3.0]], np.float32)),
                 "half": Tensor(3.0, ms.bfloat16)}
        np.testing.assert_equal(fetch(loss_of(eval(output, names))), wanted)


class TestOtherHyperparameters:
    def test_momentum_and_weight_decay(self, mode: str) -> None:
        network = ConstantGradient("ab")
        optimizer = nn.Momentum([{"params": [network.a], "weight_decay": 0.01}, {"params": [network.b]}], 0.1, 0.9,
                                weight_decay=0.03, loss_scale=128.0)
        monitor, _ = watch(network, optimizer)
        for tag, value in (("momentum/group_0", 0.9), ("momentum/group_1", 0.9), ("weight_decay/group_0", 0.01),
                           ("weight_decay/group_1", 0.03), ("lr/group_0", 0.1)):
            np.testing.assert_allclose(monitor.history[tag].values, np.full(UPDATES, value), rtol=1e-6)

    def test_beta1_stands_for_momentum(self) -> None:
        network = ConstantGradient()
        monitor, _ = watch(network, nn.Adam(network.trainable_params(), 0.1, beta1=0.8))
        assert set(monitor.history) == {"lr", "weight_decay", "beta1", "loss"}
        np.testing.assert_array_equal(monitor.history["beta1"].values, np.full(UPDATES, 0.8, np.float32))
        assert monitor.history["momentum"].values is not None and "momentum" not in set(monitor.history)
        np.testing.assert_array_equal(monitor.history["momentum"].values, monitor.history["beta1"].values)

    def test_driven_ones(self, mode: str) -> None:
        from ms_lr_callbacks import HyperparameterScheduler, WeightDecayScheduler

        network = ConstantGradient()
        optimizer = nn.Momentum(network.trainable_params(), 0.1, 0.9, weight_decay=0.5)
        monitor, _ = watch(network, optimizer, WeightDecayScheduler(S.ExponentialLR(0.5)),
                           HyperparameterScheduler("momentum", S.LinearLR(1.0, 0.5, total_iters=UPDATES)))
        decay, momentum = S.ExponentialLR(0.5), S.LinearLR(1.0, 0.5, total_iters=UPDATES)
        t = np.arange(UPDATES)
        assert_shows(monitor, "weight_decay", decay(t, 0.5).astype(np.float32))
        assert_shows(monitor, "momentum", momentum(t, 0.9).astype(np.float32))


class TestNothingOfTheTrainingChanges:
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("build", [nn.Momentum, CountingInGetLrSGD, NotCountingSGD])
    def test_weights_with_and_without(self, mode: str, form: str, build: Any, tmp_path: Any) -> None:
        trained = []
        for callbacks in ([], [LRMonitor(tmp_path)]):
            network = ConstantGradient(start=1.0)
            arguments = (0.9,) if build is nn.Momentum else ()
            optimizer = build(network.trainable_params(), FORMS[form](), *arguments)
            model(network, optimizer).train(2, dataset(STEPS), callbacks)
            trained.append((network, optimizer))
        assert_same_weights(trained[0][0], trained[1][0])
        assert_same_weights(trained[0][1], trained[1][1])

    def test_in_a_train_cell_of_the_users(self, mode: str) -> None:
        network = ConstantGradient()
        optimizer = CountingInGetLrSGD(network.trainable_params(), nn.CosineDecayLR(0.01, 0.5, UPDATES))
        assert_shows(*_lr(watch(network, None, cell=TrainCell(network, optimizer))))


def _lr(watched: tuple[LRMonitor, np.ndarray]) -> tuple[LRMonitor, str, np.ndarray]:
    return watched[0], "lr", watched[1][:, 0]
