"""The parameter groups of an optimizer, in the order in which the user gave them."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from mindspore import Parameter

from ms_lr_callbacks.optimizers.constructor import constructor_arguments, plain_number


@dataclass(frozen=True)
class Group:
    """One parameter group.

    Attributes:
        index: its place, from 0, in the list that the user gave (``order_params`` not counted).
        positions: where its parameters stand in ``optimizer.parameters``.
        base_lr: the learning rate given for it; None if that was not a number.
        base_weight_decay: the weight decay given for it; None if that was not a number.
    """

    index: int
    positions: tuple[int, ...]
    base_lr: Optional[float]
    base_weight_decay: Optional[float]


def list_groups(optimizer: Any) -> tuple[Group, ...]:
    """Return the groups of `optimizer`; one group with every parameter if it has none.

    Groups come in the user's order also when ``order_params`` has mixed their parameters.
    """
    position = {id(parameter): index for index, parameter in enumerate(optimizer.parameters)}
    given = constructor_arguments(optimizer)
    if given is not None and all(id(each) in position for group in given for each in group.params):
        return tuple(Group(index, tuple(position[id(each)] for each in group.params), group.lr, group.weight_decay)
                     for index, group in enumerate(given))
    return _inferred_groups(optimizer)


def _inferred_groups(optimizer: Any) -> tuple[Group, ...]:
    """Tell groups apart by what they hold, for an optimizer whose constructor was not recorded."""
    members: dict[tuple[Any, ...], list[int]] = {}
    for index in range(len(optimizer.parameters)):
        members.setdefault(_signature(optimizer, index), []).append(index)
    return tuple(
        Group(index, tuple(positions), _held_number(_entry(optimizer, "learning_rate", positions[0])),
              _held_weight_decay(optimizer, positions[0]))
        for index, positions in enumerate(members.values()))


def _signature(optimizer: Any, index: int) -> tuple[Any, ...]:
    """Return what two parameters of one group have in common."""
    if not getattr(optimizer, "is_group", False):
        return ()
    weight_decay = _entry(optimizer, "weight_decay", index)
    number = plain_number(weight_decay)
    return (id(_entry(optimizer, "learning_rate", index)),
            id(weight_decay) if number is None else number,
            optimizer.grad_centralization_flags[index])


def _entry(optimizer: Any, name: str, index: int) -> Any:
    value = getattr(optimizer, name)
    grouped = optimizer.is_group_lr if name == "learning_rate" else optimizer.is_group
    return value[index] if grouped else value


def _held_number(value: Any) -> Optional[float]:
    inner = getattr(value, "learning_rate", value)  # a static rate in a mixed list stands in a cell
    if isinstance(inner, Parameter) and inner.ndim == 0:
        return float(np.asarray(inner.asnumpy()))
    return plain_number(inner)


def _held_weight_decay(optimizer: Any, index: int) -> Optional[float]:
    number = plain_number(_entry(optimizer, "weight_decay", index))
    return None if number is None else number / float(optimizer.loss_scale)
