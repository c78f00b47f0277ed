"""What the callbacks of one training share: the optimizer, who drives what, how many updates are done."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
from mindspore import nn
from mindspore.experimental import optim as experimental_optim
from mindspore.train import Callback, Model
from train_cells import (AccumulatingTrainCell, CountingInGetLrSGD, NotCountingSGD, RepeatedTrainCell, TrainCell,
                         UserSGD)
from training import ConstantGradient, dataset, model

from ms_lr_callbacks.training.run import TrainingRun, updates_per_call


class Look(Callback):
    """Follows the run as every callback of ours does."""

    def __init__(self) -> None:
        super().__init__()
        self.run: Any = None
        self.updates: list[int] = []
        self.epochs: list[int] = []

    def on_train_begin(self, run_context: Any) -> None:
        self.run = TrainingRun.of(run_context)

    def on_train_epoch_begin(self, run_context: Any) -> None:
        self.run.begin(run_context.original_args())

    def on_train_step_end(self, run_context: Any) -> None:
        cb_params = run_context.original_args()
        self.run.end_step(cb_params)
        self.updates.append(self.run.updates_done)
        self.epochs.append(self.run.epoch(cb_params))

    def on_train_epoch_end(self, run_context: Any) -> None:
        self.run.end_epoch(run_context.original_args())

    def on_train_end(self, run_context: Any) -> None:
        self.run.end()


def sgd(network: Any) -> Any:
    return nn.SGD(network.trainable_params(), 0.5)


def test_all_callbacks_of_a_training_share_one_run() -> None:
    network = ConstantGradient()
    target = model(network, sgd(network))
    first, second = Look(), Look()
    target.train(1, dataset(2), [first, second])
    assert first.run is second.run
    assert first.updates == second.updates == [1, 2], "each step is counted once"
    before = first.run
    target.train(1, dataset(2), [first])
    assert first.run is not before and first.run.access is before.access


ONE_EACH = [1, 2, 3, 4, 5, 6]
# name: (train cell with its optimizer, updates done after each of 6 calls, after each of 3 more)
CELLS: dict[str, tuple[Callable[[Any], Any], list[int], list[int]]] = {
    "MindSpore's own": (lambda net: nn.TrainOneStepCell(net, sgd(net)), ONE_EACH, [7, 8, 9]),
    "own cell": (lambda net: TrainCell(net, sgd(net)), ONE_EACH, [7, 8, 9]),
    "does not count": (lambda net: TrainCell(net, NotCountingSGD(net.trainable_params(), 0.5)), ONE_EACH, [7, 8, 9]),
    "counts in get_lr": (lambda net: TrainCell(net, CountingInGetLrSGD(net.trainable_params(), 0.5)),
                         ONE_EACH, [7, 8, 9]),
    "experimental, no counter": (lambda net: TrainCell(net, experimental_optim.SGD(net.trainable_params(), lr=0.5)),
                                 ONE_EACH, [7, 8, 9]),
    "experimental Adam": (lambda net: TrainCell(net, experimental_optim.Adam(net.trainable_params(), lr=0.5)),
                          ONE_EACH, [7, 8, 9]),
    "accumulates 2": (lambda net: AccumulatingTrainCell(net, UserSGD(net.trainable_params(), 0.5), 2),
                      [0, 1, 1, 2, 2, 3], [3, 4, 4]),
    "accumulates 4": (lambda net: AccumulatingTrainCell(net, UserSGD(net.trainable_params(), 0.5), 4),
                      [0, 0, 0, 1, 1, 1], [1, 2, 2]),
    "3 updates a call": (lambda net: RepeatedTrainCell(net, UserSGD(net.trainable_params(), 0.5), 3),
                         [3, 6, 9, 12, 15, 18], [21, 24, 27]),
}


@pytest.mark.parametrize("cell", CELLS)
def test_updates_are_counted(mode: str, cell: str) -> None:
    build, wanted, going_on = CELLS[cell]
    network = ConstantGradient()
    look = Look()
    train_cell = build(network)
    Model(train_cell).train(2, dataset(3), look)
    assert look.updates == wanted
    assert look.epochs == [0, 0, 0, 1, 1, 1]
    Model(train_cell).train(1, dataset(3), look)
    assert look.updates[6:] == going_on
    assert look.epochs[6:] == [2, 2, 2]


def test_a_run_without_a_first_update_in_an_epoch(mode: str) -> None:
    """Four calls to an update, three calls to an epoch."""
    network = ConstantGradient()
    look = Look()
    Model(AccumulatingTrainCell(network, UserSGD(network.trainable_params(), 0.5), 4)).train(3, dataset(3), look)
    assert look.updates == [0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert look.epochs == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("first, arguments, updates, epochs", [
    (0, {}, [1, 2], [0, 0]),
    (0, {"epoch": 3, "initial_epoch": 2}, [5, 6], [2, 2]),
    (2, {}, [5, 6], [2, 2]),
    (2, {"epoch": 3, "initial_epoch": 2}, [5, 6], [2, 2]),
    # A resume from an older state: the user says where it is.
    (2, {"epoch": 2, "initial_epoch": 1}, [5, 6], [1, 1]),
])
def test_where_a_training_starts(first: int, arguments: dict[str, int], updates: list[int], epochs: list[int]) -> None:
    network = ConstantGradient()
    target = model(network, sgd(network))
    if first:
        target.train(first, dataset(2), Look())
    look = Look()
    target.train(**{"epoch": 1, **arguments}, train_dataset=dataset(2), callbacks=look)
    assert (look.updates, look.epochs) == (updates, epochs)


def test_a_training_without_our_callbacks_in_between_counts() -> None:
    network = ConstantGradient()
    target = model(network, sgd(network))
    look = Look()
    target.train(1, dataset(2), look)
    target.train(1, dataset(2))
    target.train(1, dataset(2), look)
    assert look.updates == [1, 2, 5, 6]


@pytest.mark.parametrize("arguments, wanted", [
    ({}, 1), ({"dataset_sink_mode": False, "sink_size": 7}, 1), ({"dataset_sink_mode": True, "sink_size": 7}, 7),
    ({"dataset_sink_mode": True, "sink_size": -1, "batch_num": 20}, 20)])
def test_updates_per_call_under_sinking(arguments: dict[str, Any], wanted: int) -> None:
    class Parameters(dict):  # type: ignore[type-arg]
        __getattr__ = dict.__getitem__

    assert updates_per_call(Parameters(arguments)) == wanted


def test_claims_name_both_callbacks() -> None:
    network = ConstantGradient()
    look = Look()
    model(network, sgd(network)).train(1, dataset(1), look)
    first, second = Look(), Callback()
    look.run.claim("lr", [0], first)
    look.run.claim("lr", [0], first)
    look.run.claim("lr", [1], second)
    with pytest.raises(ValueError, match="Look and Callback both drive the lr of group 0"):
        look.run.claim("lr", [1, 0], second)
    np.testing.assert_equal(look.run.is_driven("lr"), False)
