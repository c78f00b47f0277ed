"""Each update uses exactly float32(schedule(t, base)): applied, not only stored."""
from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
from mindspore import nn
from train_cells import UserSGD, float32_values
from training import ConstantGradient, Regression, applied_rates, assert_same_weights, dataset, model

from ms_lr_callbacks import LRScheduler
from ms_lr_callbacks import schedules as S

COSINE = S.CosineAnnealingLR(T_max=50, eta_min=1e-3)
STEPS = S.StepLR(step_size=7, gamma=0.7)
Weights = Callable[[str], Any]
# name: (parameter groups or None for all parameters flat, schedule argument, (schedule, base) of the
# weights a, b, c; None for one that keeps its base).
GROUPINGS: dict[str, tuple[Any, Any, tuple[Any, Any, Any]]] = {
    "flat": (
        lambda w: [w.a, w.b, w.c], COSINE,
        ((COSINE, 0.1), (COSINE, 0.1), (COSINE, 0.1))),
    "flat, a list with one schedule": (
        lambda w: [w.a, w.b, w.c], [STEPS],
        ((STEPS, 0.1), (STEPS, 0.1), (STEPS, 0.1))),
    "groups with their own rates": (
        lambda w: [{"params": [w.a], "lr": 0.3}, {"params": [w.b, w.c], "lr": 0.7}], COSINE,
        ((COSINE, 0.3), (COSINE, 0.7), (COSINE, 0.7))),
    "one schedule for each group": (
        lambda w: [{"params": [w.a], "lr": 0.3}, {"params": [w.b, w.c], "lr": 0.7}], [COSINE, STEPS],
        ((COSINE, 0.3), (STEPS, 0.7), (STEPS, 0.7))),
    "order_params mixes the parameters, not the groups": (
        lambda w: [{"params": [w.c, w.a], "lr": 0.3}, {"params": [w.b]}, {"order_params": [w.a, w.b, w.c]}],
        [COSINE, STEPS], ((COSINE, 0.3), (STEPS, 0.1), (COSINE, 0.3))),
    "order_params first": (
        lambda w: [{"order_params": [w.c, w.b, w.a]}, {"params": [w.a, w.b]}, {"params": [w.c], "lr": 0.3}],
        [COSINE, STEPS], ((COSINE, 0.1), (COSINE, 0.1), (STEPS, 0.3))),
    "groups that share the default rate": (
        lambda w: [{"params": [w.a]}, {"params": [w.b]}, {"params": [w.c]}], COSINE,
        ((COSINE, 0.1), (COSINE, 0.1), (COSINE, 0.1))),
    "groups that share the default rate, driven differently": (
        lambda w: [{"params": [w.a]}, {"params": [w.b], "weight_decay": 0.0}, {"params": [w.c], "lr": 0.3}],
        [COSINE, STEPS, COSINE], ((COSINE, 0.1), (STEPS, 0.1), (COSINE, 0.3))),
    "a group left alone": (
        lambda w: [{"params": [w.a], "lr": 0.3}, {"params": [w.b], "lr": 0.7}, {"params": [w.c]}],
        [None, STEPS, None], (None, (STEPS, 0.7), None)),
    "a group left alone that shares the default rate": (
        lambda w: [{"params": [w.a]}, {"params": [w.b]}, {"params": [w.c], "lr": 0.3}],
        [STEPS, None, None], ((STEPS, 0.1), None, None)),
}
UNDRIVEN = {"a group left alone": {"a": 0.3, "c": 0.1}, "a group left alone that shares the default rate":
            {"b": 0.1, "c": 0.3}}


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("grouping", GROUPINGS)
def test_update_t_moves_the_weight_by_the_value_of_t(mode: str, grouping: str, interval: str) -> None:
    groups, schedule, per_weight = GROUPINGS[grouping]
    network = ConstantGradient("abc")
    optimizer = nn.SGD(groups(network), learning_rate=0.1)
    epochs, steps = 10, 5
    moves = applied_rates(network, [LRScheduler(schedule, interval=interval)],
                          lambda callbacks: model(network, optimizer).train(epochs, dataset(steps), callbacks))
    for column, name in enumerate("abc"):
        if per_weight[column] is None:
            wanted = np.full(50, UNDRIVEN[grouping][name], np.float32)
        elif interval == "step":
            wanted = float32_values(*per_weight[column], 50)
        else:
            wanted = np.repeat(float32_values(*per_weight[column], epochs), steps)
        np.testing.assert_array_equal(moves[:, column], wanted, err_msg=name)


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_any_callable_is_a_schedule(mode: str, interval: str) -> None:
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 0.1)

    def halve(t: int, base: float) -> float:
        return base / (1 + t)

    moves = applied_rates(network, [LRScheduler(halve, interval=interval)],
                          lambda callbacks: model(network, optimizer).train(2, dataset(3), callbacks))
    t = range(6) if interval == "step" else [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(moves[:, 0], np.array([halve(each, 0.1) for each in t], np.float32))


@pytest.mark.parametrize("number", [np.float64, np.float32, np.array, int], ids=lambda each: each.__name__)
def test_a_callable_may_return_any_number(number: Any) -> None:
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 0.1)
    moves = applied_rates(network, [LRScheduler(lambda t, base: number(1 + t))],
                          lambda callbacks: model(network, optimizer).train(1, dataset(3), callbacks))
    np.testing.assert_array_equal(moves[:, 0], np.float32([1, 2, 3]))


@pytest.mark.parametrize("value", [0.0, 1e-30, 1e-8, 1e-5, 0.1, 1 / 3, 1e4])
def test_the_value_applied_is_the_float32_of_the_schedules(mode: str, value: float) -> None:
    """Small values too, which MindSpore's mixed groups would round to 1.001358e-5 and to 0."""
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 0.1)
    moves = applied_rates(network, [LRScheduler(lambda t, base: value)],
                          lambda callbacks: model(network, optimizer).train(1, dataset(2), callbacks))
    np.testing.assert_array_equal(moves[:, 0], np.float32([value, value]))


@pytest.mark.parametrize("dynamic", [[0.5] * 20, nn.CosineDecayLR(0.0, 0.5, 20)], ids=["list", "cell"])
def test_mixed_static_and_dynamic_groups_apply_the_value_unrounded(mode: str, dynamic: Any) -> None:
    """MindSpore itself gives a static rate among dynamic ones as rate + 1 - 1."""
    network = ConstantGradient("ab")
    optimizer = UserSGD([{"params": [network.a], "lr": 1e-5}, {"params": [network.b], "lr": dynamic}], 0.1)
    decay = S.StepLR(step_size=1, gamma=0.1)
    moves = applied_rates(network, [LRScheduler([decay, None])],
                          lambda callbacks: model(network, optimizer).train(1, dataset(6), callbacks))
    np.testing.assert_array_equal(moves[:, 0], float32_values(decay, 1e-5, 6))
    alone = ConstantGradient("ab")
    other = UserSGD([{"params": [alone.a], "lr": 1e-5}, {"params": [alone.b], "lr": dynamic}], 0.1)
    untouched = applied_rates(alone, [], lambda callbacks: model(alone, other).train(1, dataset(6), callbacks))
    np.testing.assert_array_equal(moves[:, 1], untouched[:, 1])


@pytest.mark.parametrize("lookahead", [None, 4])
def test_weights_are_those_of_a_list_learning_rate(mode: str, lookahead: Any) -> None:
    schedule = S.CosineAnnealingLR(T_max=20, eta_min=1e-3)
    ours, theirs = Regression(), Regression()
    callback = LRScheduler(schedule, lookahead=lookahead)
    model(ours, nn.Momentum(ours.trainable_params(), 0.05, 0.9)).train(2, dataset(10), callback)
    rates = S.to_list(schedule, 0.05, 20)
    model(theirs, nn.Momentum(theirs.trainable_params(), rates, 0.9)).train(2, dataset(10))
    assert_same_weights(ours, theirs)
