"""Which optimizer a training run uses."""
from __future__ import annotations

from typing import Any, Iterator, Optional

from mindspore import nn
from mindspore.experimental import optim as experimental_optim

OPTIMIZER_TYPES = (nn.Optimizer, experimental_optim.Optimizer)


def find_optimizer(network: Any, given: Any = None) -> Any:
    """Return the optimizer of a training run.

    Args:
        network: the train network, for example ``cb_params.train_network``; None for none.
        given: the optimizer that was handed to ``Model``, or None.

    Returns:
        `given` with its wrappers taken off, or the one optimizer among the cells and attributes of
        `network`.

    Raises:
        ValueError: there is none, or there is more than one and nothing tells which is meant.
    """
    if given is not None:
        return _innermost(given)
    found = _outermost(list(_optimizers_in(network)))
    if len(found) == 1:
        return _innermost(found[0])
    if not found:
        raise ValueError(
            f"No optimizer found: Model has none, and no attribute of the train network "
            f"{type(network).__name__} or of its cells is a mindspore.nn.Optimizer or "
            f"mindspore.experimental.optim.Optimizer. Pass optimizer= to Model, or keep the optimizer as an "
            f"attribute of the train cell.")
    names = ", ".join(type(each).__name__ for each in found)
    raise ValueError(
        f"The train network {type(network).__name__} holds {len(found)} optimizers ({names}), and nothing "
        f"tells which one is meant. Pass optimizer= to Model, or train each with a Model of its own.")


def inner_optimizer(optimizer: Any) -> Any:
    """Return the optimizer that another one wraps, as LARS does; None if it wraps none, or several."""
    inner = _outermost([each for each in _optimizers_in(optimizer) if each is not optimizer])
    return inner[0] if len(inner) == 1 else None


def updates_at_each_call(network: Any) -> bool:
    """Return whether each call of a train network is known to do exactly one update."""
    return type(network) is nn.TrainOneStepCell


def _optimizers_in(network: Any) -> Iterator[Any]:
    """Yield each optimizer among the cells of `network` and in their plain attributes, once."""
    if not isinstance(network, nn.Cell):
        return
    seen: set[int] = set()
    for _, cell in network.cells_and_names():
        values = [cell, *(value for name, value in vars(cell).items() if name != "_cells")]
        for value in values:
            for each in _flat(value):
                if isinstance(each, OPTIMIZER_TYPES) and id(each) not in seen:
                    seen.add(id(each))
                    yield each


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        yield from value
    else:
        yield value


def _outermost(optimizers: list[Any]) -> list[Any]:
    """Drop those that another one of them holds, as LARS holds the optimizer that it wraps."""
    inner = {id(each) for outer in optimizers for each in _optimizers_in(outer) if each is not outer}
    return [each for each in optimizers if id(each) not in inner]


def _innermost(optimizer: Any) -> Any:
    """Take off wrappers: cells around an optimizer that are no optimizers of their own."""
    if isinstance(optimizer, OPTIMIZER_TYPES):
        return optimizer
    inner: Optional[list[Any]] = _outermost(list(_optimizers_in(optimizer)))
    if inner and len(inner) == 1:
        return inner[0]
    raise ValueError(
        f"You have given the optimizer {type(optimizer).__name__}, which is neither a mindspore.nn.Optimizer nor a "
        f"mindspore.experimental.optim.Optimizer and does not hold exactly one. Pass an optimizer of one of these "
        f"kinds.")
