"""Tiny trainings whose weights show which learning rate each update used.

`ConstantGradient` has one weight for each parameter and a gradient of exactly 1 everywhere, so with
plain SGD each weight moves by exactly the learning rate of its group.
"""
from __future__ import annotations

from typing import Any, Callable, Iterable, Optional, Sequence

import mindspore.dataset as ds
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.train import Callback, Model


class ConstantGradient(nn.Cell):
    """Loss = sum of all weights: every gradient is exactly 1."""

    def __init__(self, names: Sequence[str] = ("w",), start: float = 0.0) -> None:
        super().__init__()
        for name in names:
            setattr(self, name, Parameter(Tensor(np.full(1, start, np.float32)), name=name))
        self.weights = [getattr(self, name) for name in names]

    def construct(self, x: Any, y: Any) -> Any:
        total = x.sum() * 0.0
        for weight in self.weights:
            total = total + weight.sum()
        return total


class Regression(nn.Cell):
    """A small dense network with its loss: two layers, tanh, mean squared error."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        draw = np.random.default_rng(seed)
        self.body = nn.Dense(3, 4, weight_init=Tensor(draw.normal(size=(4, 3)).astype(np.float32)),
                             bias_init="zeros")
        self.head = nn.Dense(4, 1, weight_init=Tensor(draw.normal(size=(1, 4)).astype(np.float32)),
                             bias_init="zeros")

    def construct(self, x: Any, y: Any) -> Any:
        return ops.square(self.head(ops.tanh(self.body(x))) - y).mean()


def dataset(steps: int, seed: int = 1, shuffle: bool = False) -> Any:
    """A dataset of `steps` batches of two rows each: x of shape (2, 3), y of shape (2, 1)."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(2 * steps, 3)).astype(np.float32)
    y = draw.normal(size=(2 * steps, 1)).astype(np.float32)
    source = ds.GeneratorDataset(list(zip(x, y)), ["x", "y"], shuffle=shuffle)
    return source.batch(2)


class Record(Callback):
    """Notes something after each step: by default the value of each weight."""

    def __init__(self, look: Callable[[Any], Any]) -> None:
        super().__init__()
        self._look = look
        self.seen: list[Any] = []

    def on_train_step_end(self, run_context: Any) -> None:
        self.seen.append(self._look(run_context))


def applied_rates(network: ConstantGradient, callbacks: Iterable[Any], train: Callable[[list[Any]], Any]) -> np.ndarray:
    """Train with plain SGD and return by how much each weight went down, shape (updates, weights).

    The weights are set back to 0 before each step, so the numbers are exact; and before the training,
    so that nothing but an update changes them in it.
    """
    recorder = _Steps(network)
    train([*callbacks, recorder])
    return np.array(recorder.moves, np.float32)


class _Steps(Callback):
    def __init__(self, network: ConstantGradient) -> None:
        super().__init__()
        self._network = network
        self.moves: list[np.ndarray] = []

    def on_train_begin(self, run_context: Any) -> None:
        self.on_train_step_begin(run_context)

    def on_train_step_begin(self, run_context: Any) -> None:
        for weight in self._network.weights:
            ops.assign(weight, Tensor(np.zeros(1, np.float32)))

    def on_train_step_end(self, run_context: Any) -> None:
        self.moves.append(np.array([-weight.asnumpy()[0] for weight in self._network.weights]))


def model(network: Any, optimizer: Any, **arguments: Any) -> Model:
    """A `Model` for a network that returns its own loss."""
    return Model(network, None, optimizer, **arguments)


def weights(network: Any) -> dict[str, np.ndarray]:
    """Copies of all Parameters of a cell."""
    return {parameter.name: parameter.asnumpy().copy() for parameter in network.get_parameters()}


def assert_same_weights(left: Any, right: Any, only: Optional[Iterable[str]] = None) -> None:
    """Assert that two cells have bit-identical Parameters."""
    a, b = weights(left), weights(right)
    names = set(only) if only is not None else set(a)
    assert names <= set(a) and names <= set(b)
    for name in names:
        assert a[name].dtype == b[name].dtype and a[name].tobytes() == b[name].tobytes(), name
