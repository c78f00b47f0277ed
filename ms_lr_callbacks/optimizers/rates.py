"""The forms a learning rate can have, each with its way of being read.

No form is read through ``optimizer.get_lr()``: in some optimizers that call advances
``global_step``, and after the last step of a list it raises. A `LearningRateSchedule` cell is
evaluated on a private copy, so that nothing of the training changes, whatever the cell does.
"""
from __future__ import annotations

import contextlib
import copy
import warnings
from abc import ABC, abstractmethod
from typing import Any, Optional

import numpy as np
from mindspore import Parameter, Tensor, nn
from mindspore import dtype as mstype

from ms_lr_callbacks._arrays import Float32Array, IntArray
from ms_lr_callbacks.optimizers.constructor import plain_number
from ms_lr_callbacks.optimizers.internals import wait_for_eager_operations
from ms_lr_callbacks.optimizers.numpy2 import settle_numpy
from ms_lr_callbacks.optimizers.parameters import read, read_number


_BLOCK = 1024


class Rate(ABC):
    """A learning rate as an optimizer holds it.

    Attributes:
        parameter: the scalar Parameter that a static rate lives in; None for every other form.
    """

    parameter: Any = None

    @abstractmethod
    def values(self, steps: IntArray) -> Float32Array:
        """Return what updates with these values of ``global_step`` use, one float32 for each."""

    @property
    @abstractmethod
    def description(self) -> str:
        """What the user gave, in words for a message: ``a number``, ``a list``, ``CosineDecayLR``."""

    @property
    def reads_device(self) -> bool:
        """Whether `values` must ask the device each time, because anybody may write the value."""
        return False


class HeldRate(Rate):
    """A static rate: a number or a scalar Tensor, kept by MindSpore in a scalar Parameter."""

    description = "a number"
    reads_device = True

    def __init__(self, parameter: Any) -> None:
        self.parameter = parameter

    def values(self, steps: IntArray) -> Float32Array:
        return np.full(len(steps), self.applied(np.float32(read_number(self.parameter))), np.float32)

    def applied(self, value: np.float32) -> np.float32:
        """Return what an update uses of the Parameter's value."""
        return value


class ConvertedRate(HeldRate):
    """A static rate in an optimizer that also has dynamic ones.

    MindSpore applies ``value + 1.0 - 1.0`` in float32 there: 1e-5 becomes 1.001358e-5, 1e-8 becomes 0.
    """

    def applied(self, value: np.float32) -> np.float32:
        return value + np.float32(1.0) - np.float32(1.0)


class ConstantRate(Rate):
    """A rate that is a plain float or Tensor, folded into the compiled graph."""

    description = "a constant"

    def __init__(self, value: float) -> None:
        self._value = np.float32(value)

    def values(self, steps: IntArray) -> Float32Array:
        return np.full(len(steps), self._value, np.float32)


class ListRate(Rate):
    """A list or one-dimensional Tensor with one value for each step."""

    description = "a list"
    reads_device = True

    def __init__(self, parameter: Any) -> None:
        self._parameter = parameter

    def table(self) -> Float32Array:
        """Return all its values."""
        return read(self._parameter).astype(np.float32)

    def values(self, steps: IntArray) -> Float32Array:
        table = self.table()
        if len(steps) and steps.max() >= len(table):
            warnings.warn(
                f"The list learning rate has {len(table)} values, and update {int(steps.max())} (counted from 0) "
                f"lies behind its end; showing its last value. Training on would fail or use 0.",
                RuntimeWarning, stacklevel=2)
        return table[np.minimum(steps, len(table) - 1)]


class ComputedRate(Rate):
    """A `LearningRateSchedule` cell, computed by the optimizer at each step."""

    def __init__(self, cell: Any) -> None:
        self._cell = cell
        self._copy: Optional[Any] = None
        self._takes_vectors = True

    @property
    def description(self) -> str:
        return type(self._cell).__name__

    @property
    def reads_device(self) -> bool:
        return bool(list(self._cell.get_parameters()))

    def values(self, steps: IntArray) -> Float32Array:
        cell = self._private_copy()
        if len(steps) > 1 and self._takes_vectors:
            block = self._at_once(cell, steps)
            if block is not None:
                return block
            self._takes_vectors = False
        return np.array([_evaluate(cell, np.array([step])).reshape(()) for step in steps], np.float32)

    def _private_copy(self) -> Any:
        # A cell with Parameters of its own may change from step to step: copy it as it is now.
        if self._copy is None or self.reads_device:
            self._copy = copy.deepcopy(self._cell)
        return self._copy

    def _at_once(self, cell: Any, steps: IntArray) -> Optional[Float32Array]:
        """Evaluate all steps in one call; None if the cell does not work element by element."""
        if self.reads_device:
            return None
        parts = [steps[start:start + _BLOCK] for start in range(0, len(steps), _BLOCK)]
        try:
            # Always one length: for each new one MindSpore compiles the cell again, for 0.1 s.
            blocks = [_evaluate(cell, np.pad(part, (0, _BLOCK - len(part)), mode="edge")) for part in parts]
        except Exception:  # a cell written for one step may fail in any way on more
            _drop_late_errors()
            return None
        if any(block.shape != (_BLOCK,) for block in blocks):
            return None
        block = np.concatenate(blocks)[:len(steps)]
        ends = [_evaluate(cell, steps[[index]]).reshape(()) for index in (0, -1)]
        return block if [block[0], block[-1]] == ends else None


def _evaluate(cell: Any, steps: IntArray) -> Float32Array:
    settle_numpy()
    return np.asarray(cell(Tensor(steps, mstype.int32)).asnumpy(), np.float32)


def _drop_late_errors() -> None:
    """Wait for the eager operations in flight; in PYNATIVE_MODE one that failed may report it once more."""
    with contextlib.suppress(Exception):
        wait_for_eager_operations()


def rate_form(held: Any) -> Rate:
    """Return the form of one learning rate as it stands in an optimizer.

    Raises:
        TypeError: it has none of the forms that MindSpore knows.
    """
    if isinstance(held, Rate):
        return held
    inner = getattr(held, "learning_rate", None)
    kind = type(held).__name__
    if isinstance(held, Parameter) and held.ndim == 0:
        return HeldRate(held)
    if kind == "_ConvertToCell" and isinstance(inner, Parameter):
        return ConvertedRate(inner)
    if kind == "_IteratorLearningRate" and isinstance(inner, Parameter):
        return ListRate(inner)
    if hasattr(held, "as_rate"):
        rate: Rate = held.as_rate()
        return rate
    if isinstance(held, nn.Cell):
        return ComputedRate(held)
    number = plain_number(held)
    if number is not None:
        return ConstantRate(number)
    raise TypeError(f"The optimizer's learning rate is a {type(held).__name__}, which is none of the forms that "
                    f"MindSpore knows: a number, a Tensor, a list, a LearningRateSchedule.")


class ScaledRate(Rate):
    """A value that the optimizer keeps multiplied by a factor, as weight decay by the loss scale."""

    def __init__(self, kept: Rate, factor: float) -> None:
        self._kept = kept
        self._factor = np.float32(factor)

    @property
    def description(self) -> str:
        return self._kept.description

    @property
    def reads_device(self) -> bool:
        return self._kept.reads_device

    def values(self, steps: IntArray) -> Float32Array:
        return np.asarray(self._kept.values(steps) / self._factor, np.float32)
