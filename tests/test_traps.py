"""Each trap of MindSpore that our code goes around: first that it is one, then that we do not fall in.

When a MindSpore release closes a trap, the first half of its test fails, and the code that goes
around it can be reconsidered.
"""
from __future__ import annotations

from typing import Any, Callable

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
import pytest
from mindspore import Tensor, mint, nn, ops
from mindspore.experimental import optim as experimental_optim
from mindspore.train import Callback, LearningRateScheduler, Model
from train_cells import (CountingInGetLrSGD, EvaluationCell, NotCountingSGD, RepeatedTrainCell, SkippingTrainCell,
                         TrainCell, UserSGD, float32_values)
from training import ConstantGradient, Record, Regression, applied_rates, assert_same_weights, dataset, model

from ms_lr_callbacks import LRScheduler, get_last_lr, get_lr
from ms_lr_callbacks import schedules as S

HALVING = S.ExponentialLR(gamma=0.5)
WRITES: dict[str, Callable[[Any, Any], Any]] = {
    "assign": ops.assign,
    "copy_": lambda parameter, value: parameter.copy_(value),
    "assign_value": lambda parameter, value: parameter.assign_value(value),
    "set_data": lambda parameter, value: parameter.set_data(value),
}


# In 2.7.0 and 2.7.1 a write that is not ordered behind the running step races with it.
RACES = ms.__version__ in ("2.7.0", "2.7.1")


def second_update_after(write: str, train_cell: Callable[[Any, Any], Any], optimizer: Callable[..., Any]) -> float:
    """Do an update with rate 0.5, write 0.25, and return what the second update applied."""
    network = ConstantGradient()
    updater = optimizer(network.trainable_params(), 0.5)
    cell = train_cell(network, updater)
    x = Tensor(np.zeros((2, 3), np.float32))
    cell(x, x)
    WRITES[write](updater.learning_rate, Tensor(0.25, ms.float32))
    assert updater.learning_rate.asnumpy() == 0.25, "the Parameter always shows the new value"
    before = network.w.asnumpy().copy()
    cell(x, x)
    return float((before - network.w.asnumpy())[0])


class TestWriting:
    @pytest.mark.parametrize("write, seen_in", [
        ("assign", {"graph", "pynative"}), ("copy_", {"graph", "pynative"}), ("assign_value", {"graph"})])
    def test_some_writes_are_not_seen_in_pynative_mode(self, mode: str, write: str, seen_in: set[str]) -> None:
        applied = second_update_after(write, nn.TrainOneStepCell, nn.SGD)
        if RACES and write == "assign_value":
            pytest.skip("races in this version of MindSpore")
        assert applied == (0.25 if mode in seen_in else 0.5)

    @pytest.mark.parametrize("optimizer", [nn.SGD, UserSGD])
    @pytest.mark.parametrize("write, seen", [("assign", True), ("copy_", True), ("assign_value", False),
                                             ("set_data", False)])
    def test_some_writes_are_not_seen_under_a_condition_in_graph_mode(
            self, write: str, seen: bool, optimizer: Callable[..., Any]) -> None:
        """The update stands under an `if` of the graph, as behind a check for overflow."""
        applied = second_update_after(write, SkippingTrainCell, optimizer)
        if RACES and write in ("assign_value", "set_data"):
            pytest.skip("races in this version of MindSpore")
        assert applied == (0.25 if seen else 0.5)

    @pytest.mark.parametrize("cell", [TrainCell, SkippingTrainCell, nn.TrainOneStepCell])
    @pytest.mark.parametrize("optimizer", [nn.SGD, UserSGD])
    def test_our_writes_are_seen_everywhere(self, mode: str, cell: Callable[..., Any],
                                            optimizer: Callable[..., Any]) -> None:
        network = ConstantGradient()
        updater = optimizer(network.trainable_params(), 0.5)
        x = np.zeros((4, 1, 1), np.float32)
        data = ds.GeneratorDataset(list(zip(x, x)), ["x", "y"], shuffle=False)
        moves = applied_rates(network, [LRScheduler(HALVING)],
                              lambda callbacks: Model(cell(network, updater)).train(1, data, callbacks))
        np.testing.assert_array_equal(moves[:, 0], float32_values(HALVING, 0.5, 4))

    def test_a_group_rate_is_one_parameter_for_each_parameter(self) -> None:
        network = ConstantGradient("abc")
        optimizer = nn.SGD([{"params": [network.a, network.b], "lr": 0.5}, {"params": [network.c]}], 0.25)
        held = optimizer.learning_rate
        assert len(held) == 3 and held[0] is held[1] and held[2].name == "learning_rate"
        assert get_lr(optimizer) == [0.5, 0.25]

    def test_groups_without_a_rate_of_their_own_share_one_parameter(self, mode: str) -> None:
        network = ConstantGradient("abc")
        optimizer = nn.SGD([{"params": [network.a]}, {"params": [network.b]}, {"params": [network.c], "lr": 0.5}], 0.25)
        assert optimizer.learning_rate[0] is optimizer.learning_rate[1]
        rising = S.LinearLR(0.1, 1.0, total_iters=4)
        moves = applied_rates(network, [LRScheduler([HALVING, rising, None])], lambda callbacks: model(
            network, optimizer).train(1, dataset(4), callbacks))
        for column, (schedule, base) in enumerate([(HALVING, 0.25), (rising, 0.25)]):
            np.testing.assert_array_equal(moves[:, column], float32_values(schedule, base, 4))

    @pytest.mark.parametrize("small, rounded", [(1e-5, 1.001358e-5), (1e-8, 0.0)])
    def test_a_static_rate_among_dynamic_ones_is_rounded(self, mode: str, small: float, rounded: float) -> None:
        def optimizer(network: Any) -> Any:
            return UserSGD([{"params": [network.a], "lr": small}, {"params": [network.b], "lr": [0.5] * 4}], 0.1)

        network = ConstantGradient("ab")
        theirs = optimizer(network)
        assert get_lr(theirs)[0] == pytest.approx(rounded, rel=1e-6), "we tell what is really used"
        moves = applied_rates(network, [], lambda callbacks: model(network, theirs).train(1, dataset(2), callbacks))
        np.testing.assert_allclose(moves[:, 0], rounded, rtol=1e-6)
        network = ConstantGradient("ab")
        ours = optimizer(network)
        moves = applied_rates(network, [LRScheduler([HALVING, None])],
                              lambda callbacks: model(network, ours).train(1, dataset(2), callbacks))
        np.testing.assert_array_equal(moves[:, 0], float32_values(HALVING, small, 2))

    def test_a_cell_put_in_place_of_the_rate_after_compilation_is_not_seen(self, mode: str) -> None:
        class Tenth(nn.learning_rate_schedule.LearningRateSchedule):
            def construct(self, global_step: Any) -> Any:
                return ops.ones((), ms.float32) * 0.125

        network = ConstantGradient()
        theirs = nn.SGD(network.trainable_params(), 0.5)
        target = model(network, theirs)
        target.train(1, dataset(1))
        del theirs.learning_rate
        theirs.learning_rate, theirs.dynamic_lr = Tenth(), True
        moves = applied_rates(network, [], lambda callbacks: target.train(1, dataset(1), callbacks))
        assert moves[0] == 0.5

        network = ConstantGradient()
        target = model(network, nn.SGD(network.trainable_params(), 0.5))
        target.train(1, dataset(1))
        moves = applied_rates(network, [LRScheduler(HALVING, lookahead=3, start_step=0)],
                              lambda callbacks: target.train(1, dataset(3), callbacks))
        np.testing.assert_array_equal(moves[:, 0], float32_values(HALVING, 0.5, 3))

    def test_lookahead_can_change_between_trainings(self, mode: str) -> None:
        """Each change replaces what a compiled graph reads."""
        network = ConstantGradient()
        target = model(network, nn.SGD(network.trainable_params(), 0.5))
        cosine = S.CosineAnnealingLR(T_max=30)
        moves = [applied_rates(network, [LRScheduler(cosine, lookahead=lookahead)],
                               lambda callbacks: target.train(1, dataset(3), callbacks))[:, 0]
                 for lookahead in (None, 4, 1, 2, None, 4)]
        np.testing.assert_array_equal(np.concatenate(moves), float32_values(cosine, 0.5, 18))

    def test_many_groups_take_one_write(self, mode: str) -> None:
        """One by one, 256 groups would cost about 20 ms a step."""
        names = [f"w{index}" for index in range(20)]
        network = ConstantGradient(names)
        optimizer = UserSGD([{"params": [weight], "lr": 0.5 + 0.01 * index}
                             for index, weight in enumerate(network.weights)], 0.5)
        moves = applied_rates(network, [LRScheduler(HALVING)],
                              lambda callbacks: model(network, optimizer).train(1, dataset(3), callbacks))
        wanted = [float32_values(HALVING, 0.5 + 0.01 * index, 3) for index in range(20)]
        np.testing.assert_array_equal(moves, np.transpose(wanted))


class TestReading:
    def test_get_lr_of_the_optimizer_is_the_next_steps(self, mode: str) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), [0.5, 0.25, 0.125])
        model(network, optimizer).train(1, dataset(1))
        assert float(optimizer.get_lr().asnumpy()) == 0.25
        assert (get_last_lr(optimizer), get_lr(optimizer)) == ([0.5], [0.25])

    def test_get_lr_of_the_optimizer_fails_behind_the_end_of_a_list(self, mode: str) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), [0.5, 0.25])
        model(network, optimizer).train(1, dataset(2))
        with pytest.raises((IndexError, RuntimeError, ValueError)):
            optimizer.get_lr().asnumpy()
        assert get_last_lr(optimizer) == [0.25]
        with pytest.warns(RuntimeWarning, match="behind its end"):
            assert get_lr(optimizer) == [0.25]

    def test_get_lr_of_some_optimizers_advances_the_counter(self, mode: str) -> None:
        network = ConstantGradient()
        optimizer = CountingInGetLrSGD(network.trainable_params(), [0.5, 0.25, 0.125])
        optimizer.get_lr()
        assert optimizer.global_step.asnumpy() == 1
        for _ in range(3):
            assert get_lr(optimizer) == [0.25]
        assert optimizer.global_step.asnumpy() == 1

    def test_global_step_stands_still_in_some_optimizers(self, mode: str) -> None:
        network = ConstantGradient()
        optimizer = NotCountingSGD(network.trainable_params(), 0.5)
        moves = applied_rates(network, [LRScheduler(HALVING)],
                              lambda callbacks: model(network, optimizer).train(1, dataset(4), callbacks))
        assert optimizer.global_step.asnumpy() == 0
        np.testing.assert_array_equal(moves[:, 0], float32_values(HALVING, 0.5, 4))

    def test_a_skipped_step_does_not_advance_the_counter(self, mode: str) -> None:
        network = ConstantGradient()
        optimizer = UserSGD(network.trainable_params(), 0.5)
        x = np.array([0, 1, 1, 0], np.float32).reshape(4, 1, 1)
        data = ds.GeneratorDataset(list(zip(x, x)), ["x", "y"], shuffle=False)
        record = Record(lambda context: get_last_lr(optimizer)[0])
        model(SkippingTrainCell(network, optimizer), None).train(1, data, [LRScheduler(HALVING), record])
        assert optimizer.global_step.asnumpy() == 2
        assert record.seen == [0.5, 0.5, 0.5, 0.25]

    @pytest.mark.parametrize("build", [UserSGD, lambda parameters, rate: experimental_optim.SGD(parameters, lr=rate)],
                             ids=["nn", "experimental"])
    def test_a_train_cell_of_the_users_hides_its_optimizer(self, mode: str, build: Callable[..., Any]) -> None:
        network = ConstantGradient()
        cell = TrainCell(network, build(network.trainable_params(), 0.5))
        record = Record(lambda context: context.original_args().optimizer)
        moves = applied_rates(network, [LRScheduler(HALVING), record],
                              lambda callbacks: Model(cell).train(1, dataset(2), callbacks))
        assert record.seen == [None, None]
        np.testing.assert_array_equal(moves[:, 0], float32_values(HALVING, 0.5, 2))

    def test_a_rate_of_mint_sgd_is_a_constant_beside_its_parameter(self) -> None:
        network = ConstantGradient()
        group = mint.optim.SGD(network.trainable_params(), lr=0.5).param_groups[0]
        assert isinstance(group["lr"], ms.Parameter) and type(group["lr_float"]) is float


class TestTrainingLoop:
    def test_cur_step_num_starts_at_0_with_initial_epoch(self) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        record = Record(lambda context: (context.original_args().cur_step_num, context.original_args().epoch_num))
        moves = applied_rates(network, [LRScheduler(HALVING), record], lambda callbacks: model(
            network, optimizer).train(4, dataset(2), callbacks, initial_epoch=2))
        assert record.seen == [(1, 2), (2, 2), (3, 2), (4, 2)]
        np.testing.assert_array_equal(moves[:, 0], float32_values(HALVING, 0.5, 4, start=4))

    def test_mindspores_scheduler_therefore_starts_again(self) -> None:
        network = ConstantGradient()
        target = model(network, nn.SGD(network.trainable_params(), 0.5))
        seen: list[int] = []

        def note(rate: float, step: int) -> float:
            seen.append(step)
            return rate

        for _ in range(2):
            target.train(1, dataset(2), LearningRateScheduler(note))
        assert seen == [1, 2, 1, 2]

    def test_mindspores_scheduler_reads_small_rates_as_zero(self) -> None:
        """It goes through ``np.array2string``."""
        network = ConstantGradient()
        target = model(network, nn.SGD(network.trainable_params(), 1.2e-5))
        seen: list[float] = []
        with np.printoptions(precision=3, suppress=True):
            target.train(1, dataset(1), LearningRateScheduler(lambda rate, step: seen.append(rate) or rate))
            assert seen == [0.0]
            other = ConstantGradient()
            optimizer = nn.SGD(other.trainable_params(), 1.2e-5)
            moves = applied_rates(other, [LRScheduler(lambda t, base: base)], lambda callbacks: model(
                other, optimizer).train(1, dataset(2), callbacks))
            assert get_lr(optimizer) == [float(np.float32(1.2e-5))]
        np.testing.assert_array_equal(moves[:, 0], np.float32([1.2e-5, 1.2e-5]))

    @pytest.mark.parametrize("method", ["step_begin", "step_end", "epoch_begin", "epoch_end", "begin", "end"])
    def test_fit_refuses_the_old_method_names(self, method: str) -> None:
        old = type("Old", (Callback,), {method: lambda self, run_context: None})()
        network = Regression()
        target = model(network, nn.SGD(network.trainable_params(), 0.5), eval_network=EvaluationCell(network),
                       eval_indexes=[0, 1, 2], metrics={"loss"})
        with pytest.raises(ValueError):
            target.fit(1, dataset(1), dataset(1), callbacks=old)
        assert method not in dir(LRScheduler) or getattr(LRScheduler, method) is getattr(Callback, method)

    def test_fit_enters_and_exits_callbacks_around_each_evaluation(self) -> None:
        """So leaving must not end what the training has begun."""
        exits: list[bool] = []

        class Exits(Callback):
            def __exit__(self, *error: Any) -> None:
                exits.append(error[0] is not None)

        network = ConstantGradient()
        target = model(network, nn.SGD(network.trainable_params(), 0.5), eval_network=EvaluationCell(network),
                       eval_indexes=[0, 1, 2], metrics={"loss"})
        moves = applied_rates(network, [LRScheduler(HALVING, lookahead=3), Exits()], lambda callbacks: target.fit(
            3, dataset(2), dataset(1), callbacks=callbacks))
        assert len(exits) == 4 and not any(exits)
        np.testing.assert_array_equal(moves[:, 0], float32_values(HALVING, 0.5, 6))

    def test_the_callback_list_is_wrapped(self) -> None:
        """What belongs to one training is therefore found in ``cb_params``, not in the list."""
        network = ConstantGradient()
        callbacks = [LRScheduler(HALVING), Record(lambda context: context.original_args().list_callback)]
        model(network, nn.SGD(network.trainable_params(), 0.5)).train(1, dataset(1), callbacks)
        wrapped = callbacks[1].seen[0]
        assert wrapped is not callbacks and all(each in wrapped for each in callbacks)

    def test_the_cpu_does_not_sink_datasets(self) -> None:
        """So sinking is proven with a train cell that runs several updates in one call."""
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        moves = applied_rates(network, [LRScheduler(HALVING)], lambda callbacks: model(network, optimizer).train(
            1, dataset(4), callbacks, dataset_sink_mode=True))
        np.testing.assert_array_equal(moves[:, 0], float32_values(HALVING, 0.5, 4))

    def test_many_updates_in_one_call_read_the_rate_each(self) -> None:
        network = ConstantGradient()
        cell = RepeatedTrainCell(network, UserSGD(network.trainable_params(), 0.5), repeats=3)
        record = Record(lambda context: context.original_args().net_outputs.asnumpy())
        Model(cell).train(1, dataset(2), [LRScheduler(HALVING, lookahead=3), record])
        np.testing.assert_allclose(np.concatenate(record.seen), float32_values(HALVING, 0.5, 6), rtol=1e-6)


class TestInstallation:
    @pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="a trap of NumPy 2")
    def test_numpy_slices_dataset_fails_with_scalar_rows(self) -> None:
        rows = {"x": np.arange(4, dtype=np.float32), "y": np.arange(4, dtype=np.int32)}
        with pytest.raises(Exception, match="copy"):
            list(ds.NumpySlicesDataset(rows).create_tuple_iterator())

    def test_generator_dataset_with_array_rows_works(self) -> None:
        rows = [(np.zeros(3, np.float32), np.array(label, np.int32)) for label in range(4)]
        assert len(list(ds.GeneratorDataset(rows, ["x", "y"]).batch(2).create_tuple_iterator())) == 2


def test_a_table_gives_the_weights_of_scalar_writes(mode: str) -> None:
    networks = []
    for lookahead in (None, 4):
        network = Regression()
        optimizer = nn.Momentum(network.trainable_params(), 0.1, 0.9)
        model(network, optimizer).train(2, dataset(5), LRScheduler(HALVING, lookahead=lookahead))
        networks.append(network)
    assert_same_weights(*networks)
