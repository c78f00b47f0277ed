"""An optimizer's state in torch's layout: complete, strict, and exact when it is loaded again."""
from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, mint, nn
from mindspore.experimental import optim
from train_cells import TrainCell
from training import Regression, dataset, model
from mindspore.train import Model
from zoo import KINDS, Kind

from ms_lr_callbacks import LRScheduler, WeightDecayScheduler, get_lr, hyperparameters, load_state_dict, state_dict
from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.optimizers import access_to
from ms_lr_callbacks.optimizers.slots import Slots


def built(kind: Kind, **arguments: Any) -> tuple[Any, Any, Model]:
    network = Regression()
    optimizer = kind.build(network.trainable_params(), **{**kind.fixed, **arguments})
    own_cell = kind.own_cell or not isinstance(optimizer, nn.Optimizer)
    return network, optimizer, Model(TrainCell(network, optimizer)) if own_cell else model(network, optimizer)


def assert_equal(left: Any, right: Any) -> None:
    assert type(left) is type(right)
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            assert_equal(left[key], right[key])
    elif isinstance(left, list):
        assert len(left) == len(right)
        for a, b in zip(left, right):
            assert_equal(a, b)
    elif isinstance(left, np.ndarray):
        assert (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes())
    else:
        assert left == right


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_optimizer_with_a_loaded_state_does_the_same_update(kind: Kind) -> None:
    network, optimizer, first = built(kind)
    first.train(1, dataset(2))
    saved = state_dict(optimizer)
    weights = [each.asnumpy().copy() for each in network.trainable_params()]
    first.train(1, dataset(2, seed=5))

    other, fresh, second = built(kind)
    for parameter, value in zip(other.trainable_params(), weights):
        parameter.copy_(type(parameter.value())(value))
    assert load_state_dict(fresh, saved) == []
    assert_equal(state_dict(fresh), saved)
    second.train(1, dataset(2, seed=5))
    for a, b in zip(network.trainable_params(), other.trainable_params()):
        assert a.asnumpy().tobytes() == b.asnumpy().tobytes()


def test_layout_is_torchs() -> None:
    network = Regression()
    groups = [{"params": network.head.trainable_params(), "lr": 0.5, "weight_decay": 0.25},
              {"params": network.body.trainable_params()}]
    state = state_dict(nn.Adam(groups, 0.125, beta1=0.5))
    assert list(state) == ["state", "param_groups", "global_step"]
    assert [group["params"] for group in state["param_groups"]] == [[0, 1], [2, 3]]
    first, second = state["param_groups"]
    assert (first["lr"], first["initial_lr"], first["weight_decay"]) == (0.5, 0.5, 0.25)
    assert (second["lr"], second["weight_decay"]) == (0.125, 0.0)
    assert first["betas"] == pytest.approx((0.5, 0.999))
    assert sorted(state["state"]) == [0, 1, 2, 3]
    assert state["state"][2]["moment1"].shape == (4, 3) and state["state"][0]["moment2"].shape == (1, 4)
    assert state["state"][0]["beta1_power"] == state["state"][3]["beta1_power"] == 1.0


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_state_holds_neither_weights_nor_rates(kind: Kind) -> None:
    network = Regression()
    own_rate = {} if kind.name == "FTRL" else {"lr": 0.5}  # which takes one rate for all groups
    groups = [{"params": network.head.trainable_params(), **own_rate}, {"params": network.body.trainable_params()}]
    slots = Slots.of(access_to(kind.build(groups, **kind.fixed)))
    held = [*slots.shared.values(), *(each for own in slots.own for each in own.values())]
    weights = {id(each) for each in network.trainable_params()}
    assert not any(id(each) in weights or each.name.startswith("learning_rate") for each in held)


@pytest.mark.parametrize("build", [mint.optim.SGD, optim.SGD, nn.SGD])
def test_static_rates_are_loaded_wherever_they_are_kept(build: Any) -> None:
    first, second = (build([{"params": Regression().trainable_params(), "lr": lr}], lr) for lr in (0.5, 0.25))
    if hyperparameters(second)["lr"].drivable:
        assert load_state_dict(second, state_dict(first)) == [] and get_lr(second) == [0.5]
    else:  # mint's SGD of MindSpore 2.7
        with pytest.raises(ValueError, match="lr was .* and it cannot be changed"):
            load_state_dict(second, state_dict(first))


def test_values_are_copies() -> None:
    network, optimizer, target = built(next(kind for kind in KINDS if kind.name == "Momentum"))
    state = state_dict(optimizer)
    before = state["state"][0]["moments"].copy()
    target.train(1, dataset(2))
    assert np.array_equal(state["state"][0]["moments"], before)
    assert not np.array_equal(state_dict(optimizer)["state"][0]["moments"], before)


def test_everything_that_does_not_fit_is_listed_and_nothing_changed() -> None:
    network = Regression()
    optimizer = nn.Momentum(network.trainable_params(), 0.1, 0.9)
    state = state_dict(optimizer)
    state["state"][0]["moments"] = np.ones((3, 3), np.float32)
    state["state"][1]["moments"] = np.ones(4, np.float64)
    del state["state"][2]["moments"]
    state["state"][3].update(moments=np.ones(1, np.float32), other=np.zeros(1))
    state["state"][9] = {}
    state["param_groups"][0].update(lr=0.7, lr_form="CosineDecayLR")
    with pytest.raises(ValueError) as caught:
        load_state_dict(optimizer, state)
    for line in ("parameter 0 (body.weight): moments is float32 (3, 3) instead of float32 (4, 3)",
                 "moments is float64 (4,) instead of float32 (4,)", "parameter 2 (head.weight): moments is missing",
                 "unexpected other", "there is no parameter 9", "lr of group 0 was CosineDecayLR and is a number"):
        assert line in str(caught.value)
    assert get_lr(optimizer) == [pytest.approx(0.1)] and not optimizer.moments[3].asnumpy().any()
    left = load_state_dict(optimizer, state, strict=False)
    assert len(left) == 6
    assert optimizer.moments[3].asnumpy().all(), "what fits was loaded"


def test_bfloat16_goes_through_float32_exactly() -> None:
    def built_of(value: float) -> Any:
        weights = [Parameter(Tensor(1.0), name="scalar"), Parameter(Tensor(np.ones((2, 3), np.float32)), name="matrix")]
        optimizer = nn.Momentum(weights, 0.1, 0.9)
        for moment in optimizer.moments:
            moment.set_dtype(ms.bfloat16)
            moment.copy_(Tensor(np.full(moment.shape, value, np.float32)).astype(ms.bfloat16))
        return optimizer

    first, second = built_of(1.7), built_of(0.0)
    state = state_dict(first)
    assert [state["state"][index]["moments"].shape for index in (0, 1)] == [(), (2, 3)]
    assert state["state"][0]["moments"] == np.float32(1.703125)
    assert load_state_dict(second, state) == []
    assert_equal(state_dict(second), state)
    state["state"][0]["moments"] = np.array(1.7, np.float32)
    with pytest.raises(ValueError, match="values that bfloat16 does not hold exactly"):
        load_state_dict(second, state)


def test_adam_is_not_loaded_into_momentum() -> None:
    network = Regression()
    state = state_dict(nn.Adam(network.trainable_params(), 0.1))
    with pytest.raises(ValueError, match="moments is missing"):
        load_state_dict(nn.Momentum(network.trainable_params(), 0.1, 0.9), state)


def test_another_list_of_rates_is_refused() -> None:
    network = Regression()
    first, second = (nn.SGD(network.trainable_params(), rates) for rates in ([0.1, 0.2], [0.3, 0.2]))
    with pytest.raises(ValueError, match="lr of group 0 was a list of 2 values"):
        load_state_dict(second, state_dict(first))
    assert load_state_dict(nn.SGD(network.trainable_params(), [0.1, 0.2]), state_dict(first)) == []


def test_hyperparameters_that_a_schedule_has_left_are_loaded(mode: str) -> None:
    def train_once(network: Any, optimizer: Any) -> None:
        model(network, optimizer).train(1, dataset(1, seed=3))

    first, second = Regression(), Regression()
    scheduled = nn.Momentum(first.trainable_params(), 0.1, 0.9, weight_decay=0.5)
    model(first, scheduled).train(1, dataset(3), [LRScheduler(S.ExponentialLR(0.5)),
                                                  WeightDecayScheduler(S.ExponentialLR(0.5))])
    state = state_dict(scheduled)
    assert state["param_groups"][0]["weight_decay"] == 0.5 ** 4
    fresh = nn.Momentum(second.trainable_params(), 0.1, 0.9, weight_decay=0.5)
    for source, target in zip(first.trainable_params(), second.trainable_params()):
        target.copy_(source)
    load_state_dict(fresh, state)
    assert_equal(state_dict(fresh), state)
    train_once(first, scheduled)
    train_once(second, fresh)
    for a, b in zip(first.trainable_params(), second.trainable_params()):
        assert a.asnumpy().tobytes() == b.asnumpy().tobytes()


def test_what_is_no_optimizer_or_no_state_is_refused() -> None:
    network = Regression()
    optimizer = nn.Momentum(network.trainable_params(), 0.1, 0.9)
    with pytest.raises((TypeError, ValueError), match="ptimizer"):
        state_dict(network)
    with pytest.raises(TypeError, match="state must be what state_dict returns"):
        load_state_dict(optimizer, [1])


def test_groups_that_differ_in_what_the_optimizer_has_once_are_refused() -> None:
    network = Regression()
    first, second = network.trainable_params()[:1], network.trainable_params()[1:]
    optimizer = nn.Momentum([{"params": first, "lr": 0.1}, {"params": second, "lr": 0.1}], 0.1, 0.9)
    state = state_dict(optimizer)
    state["param_groups"][1]["momentum"] = 0.5
    before = state_dict(optimizer)
    with pytest.raises(ValueError, match=r"momentum was \[0.89.*, 0.5\], but the optimizer has one for all groups"):
        load_state_dict(optimizer, state)
    assert_equal(state_dict(optimizer), before)


def _set(*keys: Any, value: Any) -> Any:
    def damage(state: dict[str, Any]) -> None:
        for key in keys[:-1]:
            state = state[key]
        state[keys[-1]] = value
    return damage


def _drop(*keys: Any) -> Any:
    def damage(state: dict[str, Any]) -> None:
        for key in keys[:-1]:
            state = state[key]
        del state[keys[-1]]
    return damage


@pytest.mark.parametrize("damage, line", [
    (_set("global_step", value="x"), "global_step is 'x', and not a whole number"),
    (_set("global_step", value=-5), "global_step is -5"),
    (_set("global_step", value=10 ** 12), "global_step is 1000000000000"),
    (_set("global_step", value=None), "global_step is None"),
    (_drop("global_step"), "global_step is missing"),
    (_set("more", value=1), "unexpected more"),
    (_drop("state"), "state is missing"),
    (_set("state", value=None), "state is None, and not a dict"),
    (_set("state", 1, value=None), "parameter 1 has None, and not a dict of arrays"),
    (_set("state", 1, "moment1", value=[[1.0], [1.0, 2.0]]), "parameter 1: moment1 is no array"),
    (_set("state", 1, "moment1", value="abc"), "moment1 is str"),
    (_drop("param_groups"), "param_groups is missing"),
    (_set("param_groups", value=[None]), "param_groups is a list, and not a list of dicts"),
    (_drop("param_groups", 0, "lr"), "group 0: lr is missing"),
    (_set("param_groups", 0, "nesterov", value=1.0), "group 0: unexpected nesterov"),
    (_set("param_groups", 0, "lr", value="abc"), "group 0: lr is 'abc', and not a number"),
    (_set("param_groups", 0, "lr", value=[0.1]), "group 0: lr is a list, and not a number"),
    (_set("param_groups", 0, "lr", value=float("nan")), "group 0: lr is nan, and not a number"),
    (_set("param_groups", 0, "betas", value=(0.9,)), "group 0: betas is a tuple, and not two numbers"),
    (_set("param_groups", 0, "params", value=3), "group 0: params is 3, and not a list"),
])
def test_a_state_of_another_layout_is_refused_before_anything_changes(damage: Any, line: str) -> None:
    optimizer = nn.Adam(Regression().trainable_params(), 0.1)
    state, before = state_dict(optimizer), state_dict(optimizer)
    state["state"][0]["moment1"] = np.ones((4, 3), np.float32)
    damage(state)
    with pytest.raises(ValueError, match="nothing was changed") as caught:
        load_state_dict(optimizer, state)
    assert line in str(caught.value)
    assert_equal(state_dict(optimizer), before)
    assert any(line in problem for problem in load_state_dict(optimizer, state, strict=False))
