"""Every Parameter that belongs to a training, once, and whose it is.

``get_parameters()`` of a train network does not list all of them: the optimizers outside
``mindspore.nn`` keep learning rates in dictionaries and running products in plain lists. So the
attributes of all cells are searched, through lists and dictionaries. What this package puts in the
place of a constant while it drives a hyperparameter is no state: a schedule writes it anew.
"""
from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Iterator

from mindspore import Parameter, nn

_OURS = "ms_lr_callbacks_"


@dataclass(frozen=True)
class Inventory:
    """The Parameters of one training, by name.

    Attributes:
        network: those of the network that is trained, frozen ones and running means included.
        optimizer: moments, counters and learning rates of the optimizer; no weights.
        train_cell: what else the train network holds: accumulated gradients, a loss scale.
    """

    network: dict[str, Any]
    optimizer: dict[str, Any]
    train_cell: dict[str, Any]

    @classmethod
    def of(cls, train_network: Any, optimizer: Any) -> Inventory:
        """List the Parameters of `train_network`, which holds `optimizer` or is trained by it."""
        weights = {id(each): each for each in optimizer.parameters}
        held = _by_id(optimizer)
        own = {key: each for key, each in held.items() if key not in weights}
        network = dict(weights)
        for cell in _direct_cells(train_network):
            inside = _by_id(cell, stop=optimizer)
            if weights.keys() & inside.keys():
                network.update(inside)
        rest = {key: each for key, each in _by_id(train_network, stop=optimizer).items()
                if key not in network and key not in own}
        names = _names([*network.values(), *own.values(), *rest.values()])
        return cls(*({names[key]: each for key, each in part.items()} for part in (network, own, rest)))

    def sections(self, with_network: bool = True) -> dict[str, dict[str, Any]]:
        """Return the parts that hold anything, by the names that they have in a checkpoint."""
        parts = {"network": self.network if with_network else {}, "optimizer": self.optimizer,
                 "train_cell": self.train_cell}
        return {name: part for name, part in parts.items() if part}


def held_parameters(root: Any, stop: Any = None) -> Iterator[Any]:
    """Yield each Parameter that `root` holds, in a fixed order, once.

    Args:
        root: a cell, or lists, tuples and dictionaries of cells and Parameters.
        stop: an object that is not looked into.
    """
    seen: set[int] = set()

    def search(value: Any) -> Iterator[Any]:
        if value is stop or id(value) in seen:
            return
        if isinstance(value, Parameter):
            seen.add(id(value))
            if not value.name.startswith(_OURS):
                yield value
        elif isinstance(value, nn.Cell):
            seen.add(id(value))
            # Registered Parameters and cells stand in dictionaries among the cell's attributes.
            for each in list(vars(value).values()):
                yield from search(each)
        elif isinstance(value, dict):
            seen.add(id(value))
            for each in list(value.values()):
                yield from search(each)
        elif isinstance(value, (list, tuple)):
            for each in value:
                yield from search(each)

    return search(root)


def _by_id(root: Any, stop: Any = None) -> dict[int, Any]:
    return {id(each): each for each in held_parameters(root, stop)}


def _direct_cells(network: Any) -> list[Any]:
    return list(network.cells()) if isinstance(network, nn.Cell) else []


def _names(parameters: list[Any]) -> dict[int, str]:
    """Give each Parameter its own name; those that share one are numbered in their fixed order."""
    names: dict[int, str] = {}
    taken = {each.name for each in parameters}
    seen: set[str] = set()
    for each in parameters:
        name = each.name
        if name in seen:
            name = next(free for free in (f"{each.name}#{count}" for count in itertools.count(2)) if free not in taken)
            taken.add(name)
        seen.add(each.name)
        names[id(each)] = name
    return names
