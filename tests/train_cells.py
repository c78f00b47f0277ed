"""Train cells and optimizers of a user's own, as tests need them.

A train cell keeps its optimizer as an attribute and is given to `Model` without one. None of the
cells puts a prefix before the names of Parameters, so that weights keep their names.
"""
from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops


class TrainCell(nn.Cell):
    """One update for each call."""

    def __init__(self, network: Any, optimizer: Any) -> None:
        super().__init__(auto_prefix=False)
        self.network = network
        self.optimizer = optimizer
        self.forward_and_gradients = ms.value_and_grad(network, None, optimizer.parameters)

    def construct(self, x: Any, y: Any) -> Any:
        loss, gradients = self.forward_and_gradients(x, y)
        return ops.depend(loss, self.optimizer(gradients))


class RepeatedTrainCell(TrainCell):
    """`repeats` updates inside each call; returns how far the first weight went down in each.

    This is what dataset sinking does on an accelerator: many updates in one compiled call.
    """

    def __init__(self, network: Any, optimizer: Any, repeats: int) -> None:
        super().__init__(network, optimizer)
        self.repeats = repeats

    def construct(self, x: Any, y: Any) -> Any:
        moves = ()
        weight = self.network.w
        for _ in range(self.repeats):
            before = weight + 0.0
            _, gradients = self.forward_and_gradients(x, y)
            after = ops.depend(weight, self.optimizer(gradients)) + 0.0
            moves += (before - after,)
        return ops.concat(moves)


class AccumulatingTrainCell(TrainCell):
    """One update, with the mean gradient, for each `every` calls."""

    def __init__(self, network: Any, optimizer: Any, every: int) -> None:
        super().__init__(network, optimizer)
        self.every = every
        self.calls = Parameter(Tensor(0, ms.int32), name="calls", requires_grad=False)
        self.sums = ms.ParameterTuple(optimizer.parameters).clone(prefix="sum", init="zeros")

    def construct(self, x: Any, y: Any) -> Any:
        loss, gradients = self.forward_and_gradients(x, y)
        for index in range(len(gradients)):
            ops.assign_add(self.sums[index], gradients[index] / self.every)
        calls = ops.assign_add(self.calls, Tensor(1, ms.int32))
        if calls % self.every == 0:
            loss = ops.depend(loss, self.optimizer(tuple(self.sums)))
            for index in range(len(gradients)):
                ops.assign(self.sums[index], ops.zeros_like(self.sums[index]))
        return loss


class SkippingTrainCell(TrainCell):
    """Leaves out the update of each call whose `x` starts with a 1, as after an overflow."""

    def construct(self, x: Any, y: Any) -> Any:
        loss, gradients = self.forward_and_gradients(x, y)
        if x[0, 0] < 0.5:
            loss = ops.depend(loss, self.optimizer(gradients))
        return loss


class EvaluationCell(nn.Cell):
    """What `Model` wants for evaluation: loss, prediction and label; here only the loss counts."""

    def __init__(self, network: Any) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, x: Any, y: Any) -> Any:
        loss = self.network(x, y)
        return loss, loss, loss


class UserSGD(nn.Optimizer):
    """Plain SGD as a user writes it after MindSpore's manual; keeps no record of its arguments."""

    def __init__(self, parameters: Any, learning_rate: Any, weight_decay: float = 0.0) -> None:
        super().__init__(learning_rate, parameters, weight_decay)

    def construct(self, gradients: Any) -> Any:
        gradients = self.decay_weight(gradients)
        rates = self.get_lr()
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        for index in range(self.param_length):
            rate = rates[index] if self.is_group_lr else rates
            ops.assign_sub(self.parameters[index], rate * gradients[index])
        return True


class NotCountingSGD(nn.Optimizer):
    """Plain SGD that never advances ``global_step``, as some do while the rate is static; its code does not tell."""

    def __init__(self, parameters: Any, learning_rate: Any) -> None:
        super().__init__(learning_rate, parameters)
        self.counts = False

    def construct(self, gradients: Any) -> Any:
        rate = self.get_lr()
        if self.counts:
            self.assignadd(self.global_step, self.global_step_increase_tensor)
        for index in range(self.param_length):
            ops.assign_sub(self.parameters[index], rate * gradients[index])
        return True


class CountingInGetLrSGD(nn.Optimizer):
    """Plain SGD whose ``get_lr()`` advances ``global_step``: a reader that calls it corrupts training."""

    def __init__(self, parameters: Any, learning_rate: Any) -> None:
        super().__init__(learning_rate, parameters)

    def get_lr(self) -> Any:
        rate = self.learning_rate
        if self.dynamic_lr:
            rate = self.learning_rate(self.global_step).reshape(())
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        return rate

    def construct(self, gradients: Any) -> Any:
        rate = self.get_lr()
        for index in range(self.param_length):
            ops.assign_sub(self.parameters[index], rate * gradients[index])
        return True


def float32_values(schedule: Any, base: float, updates: int, start: int = 0) -> np.ndarray:
    """Return float32 of what `updates` updates from `start` on have to use."""
    return np.array([schedule(t, base) for t in range(start, start + updates)], np.float32)
