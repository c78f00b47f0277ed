"""Optimizers that users write: what of them is found, driven, and refused."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mindspore import nn, ops
from training import Regression, assert_same_weights, dataset, model, weights

from ms_lr_callbacks import HyperparameterScheduler, LRScheduler, WeightDecayScheduler, hyperparameters


class SignLike(nn.Optimizer):
    """Numbers as users keep them: under MindSpore's name, as a whole number, and some that are none to drive."""

    def __init__(self, params: Any, learning_rate: float, epsilon: float = 0.5, scale: int = 2, every: int = 1) -> None:
        super().__init__(learning_rate, params)
        self.epsilon = epsilon
        self.scale = scale
        self.half = 0.5
        self.twice = self.half * 4.0  # read when it is built, and never again
        self.count = len(self.parameters)

    def construct(self, gradients: Any) -> Any:
        """Not driven: self.imagined, which this text alone reads."""
        lr = self.get_lr()
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        for index in range(self.count):  # self.remarked is no number of this class either
            step = gradients[index] / (ops.abs(gradients[index]) + self.epsilon)
            ops.assign_sub(self.parameters[index], lr * self.scale * step)
        return True


class DampedMomentum(nn.Momentum):
    """MindSpore's Momentum with an update and a number of one's own."""

    def __init__(self, params: Any, learning_rate: float, momentum: float, damping: float = 0.5) -> None:
        super().__init__(params, learning_rate, momentum)
        self.damping = damping

    def construct(self, gradients: Any) -> Any:
        lr = self.get_lr()
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        for index in range(self.param_length):
            moment = self.momentum * self.moments[index] + gradients[index] / (1.0 + self.damping)
            ops.assign_sub(self.parameters[index], lr * ops.depend(moment, ops.assign(self.moments[index], moment)))
        return True


class WithoutDecay(nn.Optimizer):
    """Takes a weight decay, as every ``nn.Optimizer`` does, and never looks at it."""

    def __init__(self, params: Any, learning_rate: float) -> None:
        super().__init__(learning_rate, params)

    def construct(self, gradients: Any) -> Any:
        lr = self.get_lr()
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        for index in range(self.param_length):
            ops.assign_sub(self.parameters[index], lr * gradients[index])
        return True


class WithItsOwnRate(nn.Optimizer):
    """Its step is a number of its own; MindSpore's learning rate is never looked at."""

    def __init__(self, params: Any, pace: float) -> None:
        super().__init__(0.0, params)
        self.pace = pace

    def construct(self, gradients: Any) -> Any:
        for index in range(self.param_length):
            ops.assign_sub(self.parameters[index], self.pace * gradients[index])
        return True


class Wrapper(nn.Optimizer):
    """Hands the gradients to another optimizer, under a name of its own."""

    def __init__(self, base: Any) -> None:
        super().__init__(0.0, list(base.parameters))
        self.base = base

    def construct(self, gradients: Any) -> Any:
        return self.base(gradients)


def _trained(build: Any, callbacks: Any = ()) -> tuple[Any, Any]:
    network = Regression()
    optimizer = build(network.trainable_params())
    model(network, optimizer).train(1, dataset(3), callbacks=list(callbacks))
    return network, optimizer


@pytest.mark.parametrize("name, value", [("epsilon", 0.25), ("scale", 3)])
def test_numbers_under_any_name_are_driven(name: str, value: float, mode: str) -> None:
    ours, _ = _trained(lambda params: SignLike(params, 0.1), [HyperparameterScheduler(name, lambda t, base: value)])
    twin, _ = _trained(lambda params: SignLike(params, 0.1, **{name: value}))
    assert_same_weights(ours, twin)


def test_only_what_an_update_reads_is_offered() -> None:
    assert list(hyperparameters(SignLike(Regression().trainable_params(), 0.1))) == [
        "lr", "weight_decay", "epsilon", "scale"]


def test_numbers_of_a_subclass_are_driven_beside_those_of_its_base(mode: str) -> None:
    ours, optimizer = _trained(lambda params: DampedMomentum(params, 0.1, 0.9), [
        HyperparameterScheduler("damping", lambda t, base: 2.0),
        HyperparameterScheduler("momentum", lambda t, base: 0.25)])
    twin, _ = _trained(lambda params: DampedMomentum(params, 0.1, 0.25, 2.0))
    for name, value in weights(twin).items():
        np.testing.assert_allclose(weights(ours)[name], value, rtol=1e-6, err_msg=name)
    assert {"lr", "weight_decay", "momentum", "damping"} == set(hyperparameters(optimizer))


@pytest.mark.parametrize("build, callback, why", [
    (lambda params: WithoutDecay(params, 0.1), WeightDecayScheduler, "its code reads none.*can change 'lr'"),
    (lambda params: WithItsOwnRate(params, 0.1), LRScheduler, "neither get_lr.. nor learning_rate.*can change 'pace'")])
def test_what_no_update_would_read_is_refused(build: Any, callback: Any, why: str) -> None:
    with pytest.raises(ValueError, match=f"cannot be changed while training: .*{why}"):
        _trained(build, [callback(lambda t, base: 0.5)])


def test_the_optimizer_inside_another_is_driven(mode: str) -> None:
    ours, optimizer = _trained(lambda params: Wrapper(nn.Momentum(params, 0.1, 0.9, weight_decay=0.1)), [
        LRScheduler(lambda t, base: base / 2), WeightDecayScheduler(lambda t, base: base * 2),
        HyperparameterScheduler("momentum", lambda t, base: 0.5)])
    twin, _ = _trained(lambda params: nn.Momentum(params, 0.05, 0.5, weight_decay=0.2))
    assert_same_weights(ours, twin)
    assert hyperparameters(optimizer)["weight_decay"].bases == (0.1,)
