"""get_lr, get_last_lr and print_lr: right for every form of rate, and pure reads."""
from __future__ import annotations

from typing import Any, Callable

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, mint, nn, ops
from mindspore.experimental import optim as experimental_optim
from mindspore.nn.learning_rate_schedule import LearningRateSchedule
from train_cells import CountingInGetLrSGD, NotCountingSGD, TrainCell, UserSGD
from training import ConstantGradient, Record, applied_rates, assert_same_weights, dataset, model, weights

from ms_lr_callbacks import LRScheduler, get_last_lr, get_lr, print_lr
from ms_lr_callbacks import schedules as S

LIST = [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625]
POLY = nn.PolynomialDecayLR(0.5, 0.0, 6, 2.0)
ROOT = nn.ExponentialDecayLR(0.3, 0.7, 1)

# name: the optimizer of a network with the weights a and b.
FORMS: dict[str, Callable[[Any], Any]] = {
    "number": lambda w: nn.SGD(w.trainable_params(), 0.3),
    "int": lambda w: nn.SGD(w.trainable_params(), 1),
    "scalar Tensor": lambda w: nn.SGD(w.trainable_params(), Tensor(0.3, ms.float32)),
    "list": lambda w: nn.SGD(w.trainable_params(), LIST),
    "1-d Tensor": lambda w: nn.SGD(w.trainable_params(), Tensor(LIST, ms.float32)),
    "cell": lambda w: nn.SGD(w.trainable_params(), POLY),
    "cell that takes one step at a time": lambda w: nn.SGD(w.trainable_params(), OneStepAtATime()),
    "grouped": lambda w: nn.SGD([{"params": [w.b], "lr": 0.7}, {"params": [w.a]}], 0.3),
    "grouped, shared default": lambda w: nn.SGD([{"params": [w.b]}, {"params": [w.a]}], 0.3),
    "grouped, order_params": lambda w: nn.SGD(
        [{"params": [w.b], "lr": 0.7}, {"params": [w.a]}, {"order_params": [w.a, w.b]}], 0.3),
    "grouped lists": lambda w: nn.SGD([{"params": [w.b], "lr": LIST[::-1]}, {"params": [w.a]}], LIST),
    "grouped cells": lambda w: nn.SGD([{"params": [w.b], "lr": POLY}, {"params": [w.a], "lr": ROOT}], 0.3),
    "mixed number and list": lambda w: nn.SGD([{"params": [w.b], "lr": 1e-5}, {"params": [w.a], "lr": LIST}], 0.3),
    "mixed number and cell": lambda w: nn.SGD([{"params": [w.b], "lr": POLY}, {"params": [w.a]}], 1e-8),
    "counts in get_lr": lambda w: CountingInGetLrSGD(w.trainable_params(), 0.3),
    "counts in get_lr, list": lambda w: CountingInGetLrSGD(w.trainable_params(), LIST),
    "never counts": lambda w: NotCountingSGD(w.trainable_params(), 0.3),
}
STEPS = len(LIST)


class OneStepAtATime(LearningRateSchedule):
    """A cell that works only on what an optimizer passes: one step, of shape (1,)."""

    def construct(self, global_step: Any) -> Any:
        step = ops.cast(global_step, ms.float32)
        return 0.5 - 0.05 * ops.reshape(step, ())


def each_step(form: str, look: Callable[[Any], Any]) -> tuple[np.ndarray, list[Any]]:
    """Train and return what each update applied to (b, a) or (a, b), the groups' order, and what `look` saw."""
    network = ConstantGradient("ab")
    optimizer = FORMS[form](network)
    seen = [look(optimizer)]
    record = Record(lambda context: look(optimizer))
    moves = applied_rates(network, [record], lambda callbacks: model(network, optimizer).train(
        1, dataset(STEPS), callbacks))
    columns = moves[:, ::-1] if len(seen[0]) == 2 else moves[:, :1]
    return columns, seen + record.seen


@pytest.mark.filterwarnings("ignore:The list learning rate has")
@pytest.mark.parametrize("form", FORMS)
def test_get_lr_is_what_the_next_update_uses(mode: str, form: str) -> None:
    applied, seen = each_step(form, get_lr)
    assert all(type(value) is float for value in seen[0])
    np.testing.assert_array_equal(np.array(seen[:STEPS], np.float32), applied)


@pytest.mark.filterwarnings("ignore:The list learning rate has")
@pytest.mark.parametrize("form", FORMS)
def test_get_last_lr_is_what_the_last_update_used(mode: str, form: str) -> None:
    applied, seen = each_step(form, get_last_lr)
    np.testing.assert_array_equal(np.array(seen[1:], np.float32), applied)
    np.testing.assert_array_equal(np.array(seen[0], np.float32), applied[0], "before the first update: the next one")


def test_get_lr_behind_the_end_of_a_list_tells_the_last_value_and_warns(mode: str) -> None:
    """``optimizer.get_lr()`` raises an index error there, or reads past the end."""
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), LIST)
    model(network, optimizer).train(1, dataset(STEPS))
    with pytest.warns(RuntimeWarning, match="6 values, and update 6 .*behind its end"):
        assert get_lr(optimizer) == [LIST[-1]]
    assert get_last_lr(optimizer) == [LIST[-1]]


@pytest.mark.parametrize("form", FORMS)
def test_reading_changes_nothing(mode: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Weights, counters and all other Parameters are bit-identical with and without reads."""
    networks, optimizers = [], []
    for reads in (False, True):
        network = ConstantGradient("ab")
        optimizer = FORMS[form](network)

        def look(context: Any, optimizer: Any = optimizer) -> None:
            for read in (get_lr, get_last_lr, print_lr):
                read(optimizer)

        callbacks = [Record(look)] if reads else []
        if reads:
            look(None)
        model(network, optimizer).train(1, dataset(STEPS - 1), callbacks)
        networks.append(network)
        optimizers.append(optimizer)
    assert_same_weights(*networks)
    assert_same_weights(*optimizers)
    assert optimizers[0].global_step.asnumpy() == optimizers[1].global_step.asnumpy()


@pytest.mark.parametrize("form", FORMS)
def test_reading_writes_to_no_parameter(form: str) -> None:
    network = ConstantGradient("ab")
    optimizer = FORMS[form](network)
    before = weights(optimizer)
    attributes = set(vars(optimizer))
    get_lr(optimizer), get_last_lr(optimizer)
    assert {name: value.tobytes() for name, value in weights(optimizer).items()} == {
        name: value.tobytes() for name, value in before.items()}
    assert len(set(vars(optimizer)) - attributes) <= 1, "at most our own record is added"


@pytest.mark.parametrize("grouped", [False, True], ids=["flat", "grouped"])
@pytest.mark.parametrize("build", [experimental_optim.SGD, experimental_optim.Adam, mint.optim.Adam, mint.optim.SGD],
                         ids=["experimental.SGD", "experimental.Adam", "mint.Adam", "mint.SGD"])
def test_experimental_and_mint_optimizers(build: Callable[..., Any], grouped: bool) -> None:
    network = ConstantGradient("ab")
    groups = [{"params": [network.b], "lr": 0.25}, {"params": [network.a]}] if grouped else network.trainable_params()
    optimizer = build(groups, lr=0.5)
    wanted = [0.25, 0.5] if grouped else [0.5]
    assert get_lr(optimizer) == wanted == get_last_lr(optimizer)


def test_a_rate_that_somebody_assigns_is_read_as_it_is_now(mode: str) -> None:
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 0.5)
    model(network, optimizer).train(1, dataset(1))
    ops.assign(optimizer.learning_rate, Tensor(0.25, ms.float32))
    assert get_lr(optimizer) == [0.25]


@pytest.mark.parametrize("grouped", [False, True], ids=["flat", "grouped"])
@pytest.mark.parametrize("lookahead", [None, 4])
class TestDriven:
    """While LRScheduler drives, its own table stands in the optimizer's place."""

    def optimizer(self, network: Any, grouped: bool) -> Any:
        groups = [{"params": [network.b], "lr": 0.7}, {"params": [network.a]}]
        return UserSGD(groups if grouped else network.trainable_params(), 0.3)

    def test_between_steps(self, mode: str, grouped: bool, lookahead: Any) -> None:
        network = ConstantGradient("ab")
        optimizer = self.optimizer(network, grouped)
        schedule = S.ExponentialLR(gamma=0.9)
        record = Record(lambda context: (get_lr(optimizer), get_last_lr(optimizer)))
        scheduler = LRScheduler(schedule, lookahead=lookahead)
        moves = applied_rates(network, [scheduler, record], lambda callbacks: model(network, optimizer).train(
            1, dataset(STEPS), callbacks))
        columns = moves[:, ::-1] if grouped else moves[:, :1]
        np.testing.assert_array_equal(np.array([last for _, last in record.seen], np.float32), columns)
        np.testing.assert_array_equal(np.array([following for following, _ in record.seen[:-1]], np.float32),
                                      columns[1:])

    def test_after_the_training(self, mode: str, grouped: bool, lookahead: Any) -> None:
        network = ConstantGradient("ab")
        optimizer = self.optimizer(network, grouped)
        schedule = S.ExponentialLR(gamma=0.5)
        model(network, optimizer).train(1, dataset(3), LRScheduler(schedule, lookahead=lookahead))
        bases = [0.7, 0.3] if grouped else [0.3]
        assert get_last_lr(optimizer) == [float(np.float32(schedule(2, base))) for base in bases]


def test_in_a_train_cell_of_the_users_with_an_experimental_optimizer(mode: str) -> None:
    network = ConstantGradient()
    optimizer = experimental_optim.SGD(network.trainable_params(), lr=0.5)
    record = Record(lambda context: (get_lr(optimizer)[0], get_last_lr(optimizer)[0]))
    model(TrainCell(network, optimizer), None).train(
        1, dataset(3), [LRScheduler(S.ExponentialLR(gamma=0.5)), record])
    assert [last for _, last in record.seen] == [0.5, 0.25, 0.125]
    assert [following for following, _ in record.seen[:2]] == [0.25, 0.125]


def test_print_lr_prints_the_shortest_form(capsys: pytest.CaptureFixture[str]) -> None:
    network = ConstantGradient("ab")
    print_lr(nn.SGD([{"params": [network.a], "lr": 1.2e-5}, {"params": [network.b]}], 0.1))
    assert capsys.readouterr().out == "group_0: lr = 1.2e-05\ngroup_1: lr = 0.1\n"


@pytest.mark.parametrize("read", [get_lr, get_last_lr, print_lr])
@pytest.mark.parametrize("wrong", [None, 0.1, nn.Dense(1, 1)], ids=["None", "number", "cell"])
def test_not_an_optimizer(read: Callable[[Any], Any], wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"optimizer must be .* but got {type(wrong).__name__}"):
        read(wrong)
