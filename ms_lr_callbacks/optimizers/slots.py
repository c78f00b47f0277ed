"""What an optimizer keeps for each of its parameters, and what for all of them together."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator

from mindspore import Parameter, nn

from ms_lr_callbacks.optimizers.access import OptimizerAccess
from ms_lr_callbacks.optimizers.counter import is_counter
from ms_lr_callbacks.optimizers.inventory import held_parameters


@dataclass(frozen=True)
class Slots:
    """The Parameters of an optimizer's state.

    Attributes:
        order: the optimizer's parameters in the order of the groups, as torch numbers them.
        own: for each of these what is kept for it alone, by name: ``moments``, ``exp_avg``.
        shared: what is kept once for all, by name: ``beta1_power``.
    """

    order: list[Any]
    own: list[dict[str, Any]]
    shared: dict[str, Any]

    @classmethod
    def of(cls, access: OptimizerAccess) -> Slots:
        """List the state of an optimizer without its counter and its learning rates."""
        parameters = list(access.optimizer.parameters)
        places = [position for group in access.groups for position in group.positions]
        own: list[dict[str, Any]] = [{} for _ in parameters]
        known = {id(each) for each in [*parameters, *_rates(access.updater)]}
        for name, first, values in _sequences(access.updater, len(parameters)):
            if id(values[0]) in known:  # Momentum keeps its parameters under a second name, others their rates
                continue
            for index, value in enumerate(values):
                own[first + index].setdefault(name, value)
        known |= {id(value) for slots in own for value in slots.values()}
        attributes = {id(value): name for name, value in _attributes(access.updater) if isinstance(value, Parameter)}
        shared = {attributes.get(id(each), each.name): each for each in held_parameters(access.optimizer)
                  if id(each) not in known and not is_counter(access.updater, each)}
        return cls([parameters[place] for place in places], [own[place] for place in places], shared)


def _attributes(optimizer: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of a cell, those that it registers included."""
    for name, value in list(vars(optimizer).items()):
        if name == "_params":
            yield from list(value.items())
        yield name, value


def _sequences(optimizer: Any, count: int) -> Iterator[tuple[str, int, Any]]:
    """Yield name, place of the first one's parameter, and the Parameters that are kept one for each parameter."""
    for name, value in _attributes(optimizer):
        if name not in ("parameters", "_parameters", "learning_rate", "weight_decay", "lrs") and _is_slot(value, count):
            yield name, 0, value
    first = 0
    for group in getattr(optimizer, "param_groups", ()):
        for name, value in group.items():
            if name != "params" and _is_slot(value, len(group["params"])):
                yield name, first, value
        first += len(group["params"])


def _is_slot(value: Any, count: int) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == count and all(
        isinstance(each, Parameter) for each in value)


def _rates(optimizer: Any) -> list[Any]:
    held = [group.get("lr") for group in getattr(optimizer, "param_groups", ())]
    held.append(getattr(optimizer, "learning_rate", None) if isinstance(optimizer, nn.Optimizer) else None)
    return list(held_parameters([held, getattr(optimizer, "lrs", None), getattr(optimizer, "group_lr", None)]))
