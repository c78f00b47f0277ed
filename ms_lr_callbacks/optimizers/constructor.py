"""What the user gave an optimizer's constructor.

An optimizer of MindSpore keeps its groups only as one flat list of parameters, and its learning
rate only as a Parameter that any checkpoint may overwrite. Both the order of the groups and the
base values that schedules multiply are therefore written down here when the optimizer is built:
importing this module wraps ``nn.Optimizer.__init__`` and
``mindspore.experimental.optim.Optimizer.add_param_group`` with a recorder that changes nothing
else. An optimizer built before the import is described by MindSpore's own record of its arguments
(most classes keep one), and in the last resort by what it holds now.
"""
from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence

import numpy as np
from mindspore import Tensor, nn
from mindspore.experimental import optim as experimental_optim

_RECORD = "_ms_lr_callbacks_constructor"


@dataclass(frozen=True)
class GroupArguments:
    """What the user gave for one group, or for the whole optimizer where the group has none of its own.

    Attributes:
        params: its Parameters.
        lr: its learning rate; None if that is not one number.
        weight_decay: its weight decay; None if that is not one number.
    """

    params: tuple[Any, ...]
    lr: Optional[float]
    weight_decay: Optional[float]


def constructor_arguments(optimizer: Any) -> Optional[tuple[GroupArguments, ...]]:
    """Return the groups that `optimizer` was built with, or None when nothing recorded them."""
    recorded: Optional[tuple[GroupArguments, ...]] = optimizer.__dict__.get(_RECORD)
    return recorded or _mindspore_record(optimizer)


def plain_number(value: Any) -> Optional[float]:
    """Return `value` as a float if it is a number or a tensor with one element, else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float, np.number)):
        return float(value)
    if isinstance(value, Tensor) and value.ndim == 0:
        return float(value.asnumpy())
    return None


def _mindspore_record(optimizer: Any) -> Optional[tuple[GroupArguments, ...]]:
    """Read ``init_params`` and its like, which most of MindSpore's own classes keep."""
    params = getattr(optimizer, "init_params", {}).get("params")
    if not isinstance(params, (list, tuple)) or not params:
        return None
    return _groups(params, getattr(optimizer, "init_learning_rate", None),
                   getattr(optimizer, "init_args", {}).get("weight_decay", 0.0))


def _groups(parameters: Sequence[Any], lr: Any, weight_decay: Any) -> tuple[GroupArguments, ...]:
    groups = parameters if isinstance(parameters[0], dict) else [{"params": parameters}]
    return tuple(GroupArguments(tuple(group["params"]), plain_number(group.get("lr", lr)),
                                plain_number(group.get("weight_decay", weight_decay)))
                 for group in groups if "order_params" not in group)


def _materialised(parameters: Any) -> Any:
    """Turn a generator into a list, so that reading it here leaves it for the optimizer."""
    if isinstance(parameters, (list, tuple, str)) or not hasattr(parameters, "__iter__"):
        return parameters
    return list(parameters)


def _record_optimizer(init: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(init)
    def recording(self: Any, learning_rate: Any, parameters: Any, weight_decay: Any = 0.0,
                  loss_scale: Any = 1.0) -> None:
        parameters = _materialised(parameters)
        init(self, learning_rate, parameters, weight_decay, loss_scale)
        # The constructor has accepted the arguments, so they have the form that _groups expects.
        object.__setattr__(self, _RECORD, _groups(parameters, learning_rate, weight_decay))
    return recording


def _record_group(add_param_group: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(add_param_group)
    def recording(self: Any, param_group: Any) -> None:
        given = plain_number(param_group.get("lr", self.defaults.get("lr")))
        add_param_group(self, param_group)
        group = self.param_groups[-1]
        new = GroupArguments(tuple(group["params"]), given, plain_number(group.get("weight_decay")))
        object.__setattr__(self, _RECORD, (*self.__dict__.get(_RECORD, ()), new))
    return recording


def _install(owner: Any, method: str, recorder: Callable[..., Any]) -> None:
    original = getattr(owner, method)
    if not hasattr(original, _RECORD):  # this module may be imported anew
        replacement = recorder(original)
        setattr(replacement, _RECORD, True)
        setattr(owner, method, replacement)


_install(nn.Optimizer, "__init__", _record_optimizer)
_install(experimental_optim.Optimizer, "add_param_group", _record_group)
