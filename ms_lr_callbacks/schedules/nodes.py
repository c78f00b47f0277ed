"""The small cells, one per operation, of which the cell of a schedule is built.

Each takes the steps, an int32 tensor of any shape, and hands them to the cells it holds. They work on
tensors only: with NumPy 2 and PYNATIVE_MODE the first operation of a process that takes a Python
number (a reshape, a comparison) fails in MindSpore 2.10.
"""
from __future__ import annotations

from typing import Any, Sequence, Union

import numpy as np
from mindspore import Tensor, nn, ops
from mindspore import dtype as mstype


class Step(nn.Cell):
    """The steps themselves."""

    def construct(self, t: Any) -> Any:
        return t


class Constant(nn.Cell):
    """A number, whatever the steps."""

    def __init__(self, value: Union[int, float], dtype: Any) -> None:
        super().__init__()
        self.value = Tensor(value, dtype)

    def construct(self, t: Any) -> Any:
        return self.value


class Cast(nn.Cell):
    """``a`` as float32."""

    def __init__(self, a: nn.Cell) -> None:
        super().__init__()
        self.a = a
        self.cast = ops.Cast()

    def construct(self, t: Any) -> Any:
        return self.cast(self.a(t), mstype.float32)


class Unary(nn.Cell):
    """``operation(a)``."""

    def __init__(self, operation: Any, a: nn.Cell) -> None:
        super().__init__()
        self.operation = operation
        self.a = a

    def construct(self, t: Any) -> Any:
        return self.operation(self.a(t))


class Binary(nn.Cell):
    """``operation(a, b)``."""

    def __init__(self, operation: Any, a: nn.Cell, b: nn.Cell) -> None:
        super().__init__()
        self.operation = operation
        self.a = a
        self.b = b

    def construct(self, t: Any) -> Any:
        return self.operation(self.a(t), self.b(t))


class Where(nn.Cell):
    """``yes`` where the condition holds, else ``no``."""

    def __init__(self, condition: nn.Cell, yes: nn.Cell, no: nn.Cell) -> None:
        super().__init__()
        self.condition = condition
        self.yes = yes
        self.no = no

    def construct(self, t: Any) -> Any:
        return ops.where(self.condition(t), self.yes(t), self.no(t))


class Gather(nn.Cell):
    """``table[index]``, the index held inside the table."""

    def __init__(self, table: Any, dtype: Any, index: nn.Cell) -> None:
        super().__init__()
        self.table = Tensor(np.asarray(table), dtype)
        self.last = Tensor(len(table) - 1, mstype.int32)
        self.index = index
        self.minimum = ops.Minimum()
        self.gather = ops.Gather()

    def construct(self, t: Any) -> Any:
        return self.gather(self.table, self.minimum(self.index(t), self.last), 0)


class Count(nn.Cell):
    """How many ``edges`` are not above the step."""

    def __init__(self, edges: Sequence[int], a: nn.Cell) -> None:
        super().__init__()
        self.edges = Tensor(np.asarray(edges, dtype=np.int32))
        self.a = a
        self.expand = ops.ExpandDims()
        self.reached = ops.GreaterEqual()
        self.cast = ops.Cast()
        self.sum = ops.ReduceSum()

    def construct(self, t: Any) -> Any:
        reached = self.reached(self.expand(self.a(t), -1), self.edges)
        # Summed in float32, which counts exactly and which every back end has.
        return self.cast(self.sum(self.cast(reached, mstype.float32), -1), mstype.int32)
