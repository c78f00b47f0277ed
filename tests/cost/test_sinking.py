"""Dataset sinking: many updates in one call of the train cell, each with a value of its own.

The CPU falls back to no sinking, so the callback parameters of a sinking training are handed to the
callbacks by hand, while a train cell really runs the updates of each sink in one compiled call.
"""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from by_hand import Batch, momentum, parameters, sgd_groups, train_by_hand
from device_traffic import counted_traffic
from mindspore import nn, ops
from train_cells import NotCountingSGD, RepeatedTrainCell, TrainCell, UserSGD, float32_values
from training import ConstantGradient, Regression, assert_same_weights

from ms_lr_callbacks import LRMonitor, LRScheduler, WeightDecayScheduler
from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.training.run import updates_per_call

SINK = 4
COSINE = S.CosineAnnealingLR(T_max=50)


class SinkingCell(TrainCell):
    """`repeats` updates inside each compiled call; returns the last loss."""

    def __init__(self, network: Any, optimizer: Any, repeats: int) -> None:
        super().__init__(network, optimizer)
        self.repeats = repeats

    def construct(self, x: Any, y: Any) -> Any:
        loss = self.network(x, y)
        for _ in range(self.repeats):
            loss, gradients = self.forward_and_gradients(x, y)
            self.optimizer(gradients)
        return loss


class NeverCountingSGD(nn.Optimizer):
    """Its code names no counter; ``global_step`` in a docstring or a comment counts for nothing."""

    def __init__(self, parameters: Any, learning_rate: Any) -> None:
        super().__init__(learning_rate, parameters)

    def construct(self, gradients: Any) -> Any:
        rate = self.get_lr()  # global_step stays 0
        for index in range(self.param_length):
            ops.assign_sub(self.parameters[index], rate * gradients[index])
        return True


def sinking(network: Any, optimizer: Any, callbacks: list[Any], calls: int, **arguments: Any) -> Any:
    """Return the ``cb_params`` of a sinking training of `calls` sinks in one epoch."""
    return parameters(network, optimizer, callbacks, **{
        "dataset_sink_mode": True, "sink_size": SINK, "batch_num": SINK * calls, **arguments})


@pytest.mark.parametrize("arguments, wanted", [
    ({}, SINK), ({"sink_size": -1}, 12), ({"dataset_sink_mode": False}, 1)])
def test_the_sink_size_is_found_in_mindspores_parameters(arguments: dict[str, Any], wanted: int) -> None:
    assert updates_per_call(sinking(None, None, [], 3, **arguments)) == wanted


@pytest.mark.parametrize("lookahead", [None, 1, 2, 4, 5, 64])
def test_each_update_inside_a_sink_has_its_own_value(mode: str, lookahead: Any) -> None:
    network = ConstantGradient()
    optimizer = UserSGD(network.trainable_params(), 0.5)
    cell = RepeatedTrainCell(network, optimizer, SINK)
    scheduler, monitor = LRScheduler(COSINE, lookahead=lookahead), LRMonitor()
    callbacks = [scheduler, monitor]
    moves = []

    def step() -> Any:
        outputs = cell(Batch.x, Batch.y)
        moves.append(outputs.asnumpy().copy())
        return outputs

    for _ in range(2):
        train_by_hand(sinking(cell, optimizer, callbacks, 3), callbacks, step, 3, jump=SINK)
    wanted = float32_values(COSINE, 0.5, 2 * 3 * SINK)
    np.testing.assert_allclose(np.concatenate(moves), wanted, atol=1e-6)
    assert monitor.history["lr"].steps.tolist() == list(range(1, 25))
    np.testing.assert_array_equal(monitor.history["lr"].values, wanted)


@pytest.mark.parametrize("grouped", [False, True], ids=["flat", "grouped"])
def test_weights_are_those_of_a_training_without_sinking(mode: str, grouped: bool) -> None:
    def trained(sink: bool) -> Any:
        network = Regression()
        optimizer = momentum(network, grouped)
        cell = SinkingCell(network, optimizer, SINK) if sink else TrainCell(network, optimizer)
        cell.set_train()
        callbacks = [LRScheduler(COSINE)]
        cb_params = (sinking(cell, optimizer, callbacks, 3) if sink
                     else parameters(cell, optimizer, callbacks, batch_num=3 * SINK))
        train_by_hand(cb_params, callbacks, lambda: cell(Batch.x, Batch.y), 3 if sink else 3 * SINK,
                      jump=SINK if sink else 1)
        return network

    assert_same_weights(trained(False), trained(True))


def test_weight_decay_too_has_a_value_for_each_update_inside_a_sink(mode: str) -> None:
    def trained(sink: bool) -> Any:
        network = Regression()
        optimizer = nn.Momentum(sgd_groups(network, True), 0.1, 0.9, weight_decay=0.1)
        cell = SinkingCell(network, optimizer, SINK) if sink else TrainCell(network, optimizer)
        callbacks = [LRScheduler(COSINE), WeightDecayScheduler(COSINE)]
        cb_params = (sinking(cell, optimizer, callbacks, 2) if sink
                     else parameters(cell, optimizer, callbacks, batch_num=2 * SINK))
        train_by_hand(cb_params, callbacks, lambda: cell(Batch.x, Batch.y), 2 if sink else 2 * SINK,
                      jump=SINK if sink else 1)
        return network

    assert_same_weights(trained(False), trained(True))


def test_one_write_for_each_sink(mode: str) -> None:
    network = ConstantGradient()
    optimizer = UserSGD(network.trainable_params(), 0.5)
    cell = RepeatedTrainCell(network, optimizer, SINK)
    callbacks = [LRScheduler(COSINE)]
    writes: list[int] = []
    with counted_traffic() as traffic:
        def step() -> Any:
            writes.append(len(traffic.writes))
            return cell(Batch.x, Batch.y)

        train_by_hand(sinking(cell, optimizer, callbacks, 5), callbacks, step, 5, jump=SINK)
    assert np.diff(writes).tolist() == [1] * 4


@pytest.mark.parametrize("lookahead, sink", [(4, False), (None, True)], ids=["lookahead", "sinking"])
@pytest.mark.parametrize("code_tells", [False, True], ids=["", "its code tells"])
def test_an_optimizer_that_does_not_count_is_refused(mode: str, lookahead: Any, sink: bool, code_tells: bool) -> None:
    """Its graph would read the same row of a table for ever; without its code that shows at the first step."""
    network = ConstantGradient()
    optimizer = (NeverCountingSGD if code_tells else NotCountingSGD)(network.trainable_params(), 0.5)
    cell = TrainCell(network, optimizer)
    callbacks = [LRScheduler(COSINE, lookahead=lookahead)]
    cb_params = sinking(cell, optimizer, callbacks, 2) if sink else parameters(cell, optimizer, callbacks, batch_num=8)
    error: Any = ValueError if code_tells else RuntimeError
    message = ("because it never advances global_step.*[Uu]se lookahead=1" if code_tells
               else "global_step has not counted its updates: [14] are done.*lookahead=1")
    with pytest.raises(error, match=message):
        train_by_hand(cb_params, callbacks, lambda: cell(Batch.x, Batch.y), 2, jump=SINK if sink else 1)
    if code_tells:
        np.testing.assert_array_equal(network.w.asnumpy(), 0.0)
