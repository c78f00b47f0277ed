"""Groups and base values as the user gave them, and which optimizer a run uses."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, mint, nn
from mindspore.experimental import optim as experimental_optim
from train_cells import TrainCell, UserSGD
from training import ConstantGradient, Regression

from ms_lr_callbacks.optimizers import access_to, find_optimizer
from ms_lr_callbacks.optimizers.groups import list_groups

NUMBERS = {"number": 0.25, "int": 1, "numpy": np.float32(0.25), "Tensor": Tensor(0.25, ms.float32)}


def names(optimizer: Any) -> list[list[str]]:
    """Return the names of each group's parameters, found at the positions that `Group` tells."""
    return [[optimizer.parameters[position].name for position in group.positions] for group in list_groups(optimizer)]


class TestGroups:
    def test_flat_is_one_group(self) -> None:
        network = ConstantGradient("abc")
        assert names(nn.SGD(network.trainable_params(), 0.5)) == [["a", "b", "c"]]

    @pytest.mark.parametrize("order", ["abcd", "dcba", "bdac"])
    @pytest.mark.parametrize("place", [0, 1, 3])
    def test_order_params_anywhere_changes_no_group(self, order: str, place: int) -> None:
        w = ConstantGradient("abcd")
        groups: list[dict[str, Any]] = [
            {"params": [w.c, w.a], "lr": 0.5}, {"params": [w.d]}, {"params": [w.b], "weight_decay": 0.1}]
        groups.insert(place, {"order_params": [getattr(w, name) for name in order]})
        optimizer = nn.Momentum(groups, 0.25, 0.9, weight_decay=0.01)
        assert [parameter.name for parameter in optimizer.parameters] == list(order)
        assert names(optimizer) == [["c", "a"], ["d"], ["b"]]
        described = [(group.base_lr, group.base_weight_decay) for group in list_groups(optimizer)]
        assert described == [(0.5, 0.01), (0.25, 0.01), (0.25, 0.1)]

    def test_groups_with_equal_values_stay_apart(self) -> None:
        w = ConstantGradient("ab")
        assert names(nn.SGD([{"params": [w.b], "lr": 0.5}, {"params": [w.a], "lr": 0.5}], 0.5)) == [["b"], ["a"]]

    def test_a_generator_of_parameters_is_not_used_up(self) -> None:
        network = ConstantGradient("ab")
        assert names(UserSGD((weight for weight in network.trainable_params()), 0.5)) == [["a", "b"]]

    @pytest.mark.parametrize("build", [experimental_optim.SGD, experimental_optim.AdamW, mint.optim.Adam])
    def test_experimental_groups(self, build: Callable[..., Any]) -> None:
        w = ConstantGradient("abc")
        optimizer = build([{"params": [w.c], "lr": 0.5}, {"params": [w.a]}], lr=0.25)
        optimizer.add_param_group({"params": [w.b], "lr": 0.125})
        groups = access_to(optimizer).groups
        assert [group.base_lr for group in groups] == [0.5, 0.25, 0.125]


@pytest.mark.parametrize("build", [
    lambda parameters, lr: nn.Momentum(parameters, lr, 0.9), lambda parameters, lr: nn.AdamWeightDecay(parameters, lr),
    UserSGD], ids=["Momentum", "AdamWeightDecay", "user-defined"])
@pytest.mark.parametrize("number", NUMBERS)
def test_base_is_the_number_of_the_constructor(build: Callable[..., Any], number: str) -> None:
    network = ConstantGradient("ab")
    lr = NUMBERS[number]
    if number == "numpy":
        lr = float(lr)
    optimizer = build([{"params": [network.a], "lr": lr}, {"params": [network.b]}], lr)
    assert [group.base_lr for group in list_groups(optimizer)] == [float(NUMBERS[number])] * 2
    optimizer.learning_rate[0].set_data(Tensor(9.0, ms.float32))
    assert [group.base_lr for group in list_groups(optimizer)] == [float(NUMBERS[number])] * 2


def test_base_is_the_python_float_and_not_its_float32() -> None:
    """schedule(t, 0.1) and schedule(t, float32(0.1)) may round to different float32."""
    assert list_groups(nn.SGD(ConstantGradient().trainable_params(), 0.1))[0].base_lr == 0.1


@pytest.mark.parametrize("lr", [[0.5, 0.25], nn.CosineDecayLR(0.0, 0.5, 2)], ids=["list", "cell"])
def test_a_dynamic_rate_has_no_base(lr: Any) -> None:
    w = ConstantGradient("ab")
    optimizer = UserSGD([{"params": [w.a], "lr": lr}, {"params": [w.b]}], 0.25)
    assert [group.base_lr for group in list_groups(optimizer)] == [None, 0.25]


class Decay(nn.Cell):
    def construct(self, global_step: Any) -> Any:
        return global_step * 0.1


def test_a_dynamic_weight_decay_has_no_base() -> None:
    w = ConstantGradient("ab")
    optimizer = UserSGD([{"params": [w.a], "weight_decay": Decay()}, {"params": [w.b]}], 0.25, weight_decay=0.5)
    assert [group.base_weight_decay for group in list_groups(optimizer)] == [None, 0.5]


BUILT_BEFORE = """
import mindspore as ms
from mindspore import nn
net = nn.Dense(2, 3)
groups = [{"params": [net.bias], "lr": 0.5, "weight_decay": 0.1}, {"params": [net.weight]},
          {"order_params": [net.weight, net.bias]}]
optimizer = BUILD
from ms_lr_callbacks import get_lr
from ms_lr_callbacks.optimizers import access_to
access = access_to(optimizer)
print([(group.base_lr, [optimizer.parameters[each].name for each in group.positions]) for group in access.groups])
print(get_lr(optimizer), access.knows_bases())
"""


@pytest.mark.parametrize("build, output", [
    ("nn.Momentum(groups, 0.25, 0.9)", "[(0.5, ['bias']), (0.25, ['weight'])]\n[0.5, 0.25] True\n"),
    # Keeps no record of its arguments: groups are told apart by what they hold, in the optimizer's order.
    ("nn.AdamWeightDecay(groups, 0.25)", "[(0.25, ['weight']), (0.5, ['bias'])]\n[0.25, 0.5] False\n"),
])
def test_an_optimizer_built_before_the_import(build: str, output: str, tmp_path: Path) -> None:
    script = tmp_path / "built_before.py"
    script.write_text(BUILT_BEFORE.replace("BUILD", build))
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={**__import__("os").environ, "PYTHONPATH": root}, check=True)
    assert done.stdout == output


class TestFind:
    def test_given_to_model(self) -> None:
        optimizer = nn.SGD(ConstantGradient().trainable_params(), 0.5)
        assert find_optimizer(None, optimizer) is optimizer

    def test_attribute_of_a_train_cell(self) -> None:
        network = ConstantGradient()
        optimizer = experimental_optim.SGD(network.trainable_params(), lr=0.5)
        assert find_optimizer(TrainCell(network, optimizer)) is optimizer

    def test_deep_inside_the_train_cell(self) -> None:
        network = ConstantGradient()
        optimizer = UserSGD(network.trainable_params(), 0.5)
        outer = nn.SequentialCell([nn.Dense(1, 1), TrainCell(network, optimizer)])
        assert find_optimizer(outer) is optimizer

    @pytest.mark.parametrize("hold", [lambda each: [each], lambda each: (each,), lambda each: {"main": each}],
                             ids=["list", "tuple", "dict"])
    def test_in_a_container(self, hold: Callable[[Any], Any]) -> None:
        cell = nn.Dense(1, 1)
        optimizer = experimental_optim.SGD(cell.trainable_params(), lr=0.5)
        cell.__dict__["optimizers"] = hold(optimizer)
        assert find_optimizer(cell) is optimizer

    def test_the_same_optimizer_twice_is_one(self) -> None:
        network = ConstantGradient()
        cell = TrainCell(network, UserSGD(network.trainable_params(), 0.5))
        cell.again = cell.optimizer
        assert find_optimizer(cell) is cell.optimizer

    def test_lars_stands_for_the_optimizer_that_it_wraps(self) -> None:
        network = Regression()
        inner = nn.Momentum(network.trainable_params(), 0.5, 0.9)
        outer = nn.LARS(inner)
        assert find_optimizer(None, outer) is outer
        assert find_optimizer(TrainCell(network, outer)) is outer
        assert access_to(outer).groups[0].base_lr == 0.5

    def test_none_and_two_are_refused(self) -> None:
        network = ConstantGradient("ab")
        with pytest.raises(ValueError, match="No optimizer found.*ConstantGradient"):
            find_optimizer(network)
        cell = TrainCell(network, UserSGD([network.a], 0.5))
        cell.other = nn.SGD([network.b], 0.5)
        with pytest.raises(ValueError, match="holds 2 optimizers"):
            find_optimizer(cell)

    def test_something_else_given_to_model_is_refused(self) -> None:
        with pytest.raises(ValueError, match="given the optimizer Dense, which is neither"):
            find_optimizer(None, nn.Dense(1, 1))


def test_access_is_the_same_for_the_same_optimizer() -> None:
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 0.5)
    assert access_to(optimizer) is access_to(optimizer)
    assert access_to(optimizer) is not access_to(nn.SGD(network.trainable_params(), 0.5))
