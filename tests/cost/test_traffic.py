"""What crosses between host and device on an ordinary step: counted, not believed."""
from __future__ import annotations

from typing import Any, Iterator

import numpy as np
import pytest
from device_traffic import Traffic, counted_traffic
from by_hand import momentum
from mindspore import Parameter, Tensor, nn, ops
from mindspore.train import Callback
from training import ConstantGradient, Regression, dataset, model

from ms_lr_callbacks import HyperparameterScheduler, LRMonitor, LRScheduler, WeightDecayScheduler
from ms_lr_callbacks import schedules as S

STEPS = 24
CHANGING = S.ExponentialLR(0.9)
CONSTANT = S.ConstantLR(1.0, 1)
RATES = {"list": [0.1] * STEPS, "cell": nn.CosineDecayLR(0.01, 0.1, STEPS)}


@pytest.fixture
def traffic() -> Iterator[Traffic]:
    with counted_traffic() as counted:
        yield counted


class Marks(Callback):  # type: ignore[misc]
    """How many reads and writes there had been when each step ended."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__()
        self._traffic = traffic
        self._marks: list[tuple[int, int]] = []

    def on_train_step_end(self, run_context: Any) -> None:
        self._marks.append((len(self._traffic.reads), len(self._traffic.writes)))

    def steady(self) -> Any:
        """Return (reads, writes) of each step from the third on."""
        return np.diff(self._marks, axis=0)[2:]


# The monitor trusts a training in which only classes that it knows run.
Marks.__module__ = "ms_lr_callbacks.tests"


def steady(optimizer: Any, network: Any, callbacks: list[Any], traffic: Traffic) -> Any:
    marks = Marks(traffic)
    model(network, optimizer).train(1, dataset(STEPS), [*callbacks, marks])
    return marks.steady()


def test_the_instrument_sees_every_way() -> None:
    held = Parameter(Tensor(np.ones((), np.float32)), name="held")
    ways_to_host = [lambda: held.asnumpy(), lambda: float(held), lambda: bool(held), lambda: held.item(),
                    lambda: str(held), lambda: f"{held}", lambda: np.asarray(held), lambda: held.tolist(),
                    lambda: Tensor(1.0).asnumpy(), lambda: int(Tensor(1.0))]
    new = Tensor(np.zeros((), np.float32))
    ways_to_device = [lambda: held.assign_value(new), lambda: held.copy_(new), lambda: held.set_data(new),
                      lambda: ops.assign(held, new), lambda: ops.Assign()(held, new)]
    with counted_traffic() as traffic:
        for number, way in enumerate(ways_to_host, start=1):
            way()
            assert (len(traffic.reads), len(traffic.writes)) == (number, 0)
        for number, way in enumerate(ways_to_device, start=1):
            way()
            assert (len(traffic.reads), len(traffic.writes)) == (len(ways_to_host), number)
    held.asnumpy()
    assert len(traffic.reads) == len(ways_to_host), "closed"


@pytest.mark.parametrize("grouped", [False, True], ids=["flat", "grouped"])
def test_all_together_read_nothing_and_write_once_for_each_driven_hyperparameter(
        mode: str, grouped: bool, traffic: Traffic) -> None:
    network = Regression()
    callbacks = [LRScheduler(CHANGING), WeightDecayScheduler(CHANGING), HyperparameterScheduler("momentum", CHANGING),
                 LRMonitor()]
    assert steady(momentum(network, grouped), network, callbacks, traffic).tolist() == [[0, 3]] * (STEPS - 3)


@pytest.mark.parametrize("rate", RATES)
def test_lists_and_cells_are_not_read(mode: str, rate: str, traffic: Traffic) -> None:
    network = ConstantGradient()
    optimizer = nn.Momentum(network.trainable_params(), RATES[rate], 0.9, weight_decay=1e-3)
    callbacks = [WeightDecayScheduler(CHANGING), HyperparameterScheduler("momentum", CHANGING), LRMonitor()]
    assert steady(optimizer, network, callbacks, traffic).tolist() == [[0, 2]] * (STEPS - 3)


@pytest.mark.parametrize("grouped", [False, True], ids=["flat", "grouped"])
def test_values_that_do_not_change_are_not_written(mode: str, grouped: bool, traffic: Traffic) -> None:
    network = Regression()
    callbacks = [LRScheduler(CONSTANT), WeightDecayScheduler(lambda t, base: base),
                 HyperparameterScheduler("momentum", CONSTANT), LRMonitor()]
    assert not steady(momentum(network, grouped), network, callbacks, traffic).any()


def test_a_value_is_written_at_the_step_at_which_it_changes_and_at_no_other(traffic: Traffic) -> None:
    network = ConstantGradient()
    optimizer = nn.Momentum(network.trainable_params(), 0.1, 0.9)
    writes = steady(optimizer, network, [LRScheduler(S.StepLR(5))], traffic)[:, 1]
    # steady() starts at the step with number 4 (from 1); at the end of step 5 t becomes 5.
    assert (np.flatnonzero(writes) + 4).tolist() == [5, 10, 15, 20]


@pytest.mark.parametrize("groups", [1, 4, 64])
@pytest.mark.parametrize("lookahead", [1, 8])
def test_one_write_for_all_groups_and_lookahead_steps(groups: int, lookahead: int, traffic: Traffic) -> None:
    network = ConstantGradient([f"w{index}" for index in range(groups)])
    optimizer = nn.Momentum([{"params": [each], "lr": 0.1 * (index + 1)} for index, each in enumerate(network.weights)],
                            0.1, 0.9)
    counted = steady(optimizer, network, [LRScheduler(CHANGING, lookahead=lookahead)], traffic)
    assert counted[:, 0].sum() == 0
    wanted = [step for step in range(4, STEPS + 1) if step % lookahead == 0]
    assert (np.flatnonzero(counted[:, 1]) + 4).tolist() == wanted
    assert counted[:, 1].max() == 1
