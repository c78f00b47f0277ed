"""Optimizers such as users write, each with a habit that a callback must cope with."""
from __future__ import annotations

from typing import Any

from mindspore import nn, ops


class DirectDecay(nn.Optimizer):
    """Reads ``self.weight_decay`` itself instead of calling ``get_weight_decay()``; one value or one a parameter."""

    def __init__(self, params: Any, learning_rate: Any, weight_decay: Any = 0.0, loss_scale: float = 1.0) -> None:
        super().__init__(learning_rate, params, weight_decay, loss_scale)

    def construct(self, gradients: Any) -> Any:
        lr = self.get_lr()
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        for index in range(self.param_length):
            parameter = self._parameters[index]
            decay = self.weight_decay[index] if self.is_group else self.weight_decay
            step = lr[index] if self.is_group_lr else lr
            ops.assign_sub(parameter, step * (gradients[index] + decay * parameter))
        return True


class FloatDecay(nn.Optimizer):
    """Keeps its weight decay and another number of its own as plain floats."""

    def __init__(self, params: Any, learning_rate: Any, decay: float, damping: float) -> None:
        super().__init__(learning_rate, params)
        self.weight_decay = decay
        self.damping = damping

    def construct(self, gradients: Any) -> Any:
        lr = self.get_lr()
        self.assignadd(self.global_step, self.global_step_increase_tensor)
        for index in range(self.param_length):
            parameter = self._parameters[index]
            gradient = gradients[index] / (1.0 + self.damping) + self.weight_decay * parameter
            ops.assign_sub(parameter, lr * gradient)
        return True
