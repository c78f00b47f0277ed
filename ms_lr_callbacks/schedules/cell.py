"""A schedule as a MindSpore cell. Only this module and ``nodes`` import MindSpore here.

A formula (see :mod:`ms_lr_callbacks.schedules.backends`) is run once with :class:`GraphOps`, which
does not compute but builds a tree of small cells, one per operation. The tree is what MindSpore
compiles. Steps stay int32 as long as possible, because float32 cannot count beyond 2 ** 24, and
each word of the vocabulary is written so that float32 loses no digits by cancellation.
"""
from __future__ import annotations

import math
from typing import Any, List, Optional, Sequence, Tuple, Union

import numpy as np
from mindspore import nn, ops
from mindspore import dtype as mstype
from mindspore.nn.learning_rate_schedule import LearningRateSchedule

from ms_lr_callbacks.schedules import checks
from ms_lr_callbacks.schedules.base import Schedule, ScheduleLike, as_schedule
from ms_lr_callbacks.schedules.nodes import Binary, Cast, Constant, Count, Gather, Step, Unary, Where
from ms_lr_callbacks.schedules.table import values

_INT32_MAX = 2 ** 31 - 1
# Powers are looked up digit by digit, so that an exponent of any size costs no accuracy.
_POWER_RADIX = 2048

Term = Union["Expr", int, float]


class Expr:
    """A cell of the tree and whether its values are int32 (else float32)."""

    def __init__(self, cell: nn.Cell, integer: bool) -> None:
        self.cell = cell
        self.integer = integer

    def _join(self, operation: Any, other: Term, swap: bool = False) -> Expr:
        a, b, integer = _aligned(self, other)
        return Expr(Binary(operation, b, a) if swap else Binary(operation, a, b), integer)

    def _compare(self, operation: Any, other: Term) -> Expr:
        if self.integer and isinstance(other, int):
            other = min(other, _INT32_MAX)
        return Expr(self._join(operation, other).cell, False)

    def __add__(self, other: Term) -> Expr:
        return self if other == 0 and isinstance(other, int) else self._join(ops.Add(), other)

    def __sub__(self, other: Term) -> Expr:
        if self.integer and isinstance(other, int):
            other = min(other, _INT32_MAX)  # A start that no step reaches; the difference stays negative.
        return self if other == 0 and isinstance(other, int) else self._join(ops.Sub(), other)

    def __rsub__(self, other: Term) -> Expr:
        return self._join(ops.Sub(), other, swap=True)

    def __mul__(self, other: Term) -> Expr:
        return self._join(ops.Mul(), other)

    def __truediv__(self, other: Term) -> Expr:
        return _float(self)._join(ops.Div(), _float(other))

    def __rtruediv__(self, other: Term) -> Expr:
        return _float(self)._join(ops.Div(), _float(other), swap=True)

    def __floordiv__(self, n: int) -> Expr:
        return _constant(0) if n > _INT32_MAX else self._join(ops.FloorDiv(), n)

    def __mod__(self, n: int) -> Expr:
        return self if n > _INT32_MAX else self._join(ops.FloorMod(), n)

    def __lt__(self, other: Term) -> Expr:
        return self._compare(ops.Less(), other)

    def __le__(self, other: Term) -> Expr:
        return self._compare(ops.LessEqual(), other)

    def __gt__(self, other: Term) -> Expr:
        return self._compare(ops.Greater(), other)

    def __ge__(self, other: Term) -> Expr:
        return self._compare(ops.GreaterEqual(), other)

    __radd__ = __add__
    __rmul__ = __mul__


def _constant(value: Union[int, float]) -> Expr:
    integer = isinstance(value, int) and abs(value) <= _INT32_MAX
    return Expr(Constant(value, mstype.int32 if integer else mstype.float32), integer)


def _float(term: Term) -> Expr:
    """Return ``term`` as a float32 expression."""
    if isinstance(term, Expr):
        return Expr(Cast(term.cell), False) if term.integer else term
    return _constant(float(term))


def _aligned(a: Expr, b: Term) -> Tuple[nn.Cell, nn.Cell, bool]:
    """Return both cells with one dtype, and whether that is int32."""
    other = b if isinstance(b, Expr) else _constant(b)
    if a.integer and other.integer:
        return a.cell, other.cell, True
    return _float(a).cell, (_float(b) if not isinstance(b, Expr) else _float(other)).cell, False


def _square_of_sine(fraction: Expr) -> Expr:
    """Return ``sin(pi / 2 * fraction) ** 2``, exact to a few roundings for fractions in [0, 1]."""
    sine = Expr(Unary(ops.Sin(), (fraction * (math.pi / 2)).cell), False)
    return sine * sine


class GraphOps:
    """The vocabulary of the formulas as MindSpore cells."""

    def where(self, condition: Expr, yes: Term, no: Term) -> Expr:
        return Expr(Where(condition.cell, _float(yes).cell, _float(no).cell), False)

    def minimum(self, a: Expr, b: Term) -> Expr:
        return a if a.integer and isinstance(b, int) and b > _INT32_MAX else a._join(ops.Minimum(), b)

    def maximum(self, a: Expr, b: int) -> Expr:
        return a._join(ops.Maximum(), min(b, _INT32_MAX))

    def power(self, constant: float, n: Expr) -> Term:
        if constant == 1.0:
            return 1.0
        result: Optional[Expr] = None
        unit = 1
        while unit <= _INT32_MAX:
            digit = n // unit % _POWER_RADIX if unit > 1 else n % _POWER_RADIX
            factor = Expr(Gather(_powers(constant, unit), mstype.float32, digit.cell), False)
            result = factor if result is None else result * factor
            unit *= _POWER_RADIX
        assert result is not None
        return result

    def root(self, x: Term, exponent: float) -> Term:
        if not isinstance(x, Expr):
            return float(x ** exponent)
        if exponent == 0.0:
            return 1.0
        if exponent == 1.0:
            return x
        if abs(exponent) == 0.5:
            return Expr(Unary(ops.Sqrt() if exponent > 0 else ops.Rsqrt(), x.cell), False)
        return x._join(ops.Pow(), exponent)

    def lerp(self, start: float, end: float, k: Expr, n: int) -> Expr:
        return _mixed(start, end, self.weights("linear", k, n))

    def half_cosine(self, k: Expr, n: Term) -> Expr:
        return _square_of_sine((n - k) / n)

    def cosine(self, high: float, low: float, k: Expr, n: Term) -> Expr:
        return _mixed(high, low, (_square_of_sine((n - k) / n), _square_of_sine(k / n)))

    def cosine_wave(self, high: float, low: float, t: Expr, n: int) -> Expr:
        within = t % (2 * n)
        return self.cosine(high, low, self.minimum(within, 2 * n - within), n)

    def triangle(self, t: Expr, up: int, down: int) -> Expr:
        within = t % (up + down)
        return self.where(within <= up, within / up, (up + down - within) / down)

    def anneal(self, kind: str, a: float, b: float, t: Expr, start: float, end: float) -> Expr:
        old = _difference(end, t) / (end - start)
        new = _difference(start, t) / (start - end)
        return _mixed(a, b, (old, new) if kind == "linear" else (_square_of_sine(old), _square_of_sine(new)))

    def weights(self, kind: str, k: Expr, n: int) -> Tuple[Expr, Expr]:
        old, new = (n - k) / n, k / n
        return (old, new) if kind == "linear" else (_square_of_sine(old), _square_of_sine(new))

    def lookup(self, t: Expr, edges: Sequence[int], table: Sequence[Any]) -> Term:
        reachable = [edge for edge in edges if edge <= _INT32_MAX]
        integer = isinstance(table[0], int)
        if not reachable:
            return int(table[0]) if integer else float(table[0])
        items: List[Any] = list(table[:len(reachable) + 1])
        if integer and max(items) > _INT32_MAX:
            integer = False
        index = Count(reachable, t.cell)
        return Expr(Gather(items, mstype.int32 if integer else mstype.float32, index), integer)


def _mixed(a: float, b: float, weights: Tuple[Expr, Expr]) -> Expr:
    """Return ``a * old + b * new`` without the terms that are 0."""
    old, new = weights
    if a == 0.0:
        return new * b
    return old * a if b == 0.0 else old * a + new * b


def _difference(value: float, t: Expr) -> Expr:
    """Return ``value - t`` with an exact integer part."""
    whole = math.floor(value)
    return (whole - t) + (value - whole) if value != whole else whole - t


def _powers(constant: float, unit: int) -> List[float]:
    """Return ``constant ** (unit * digit)`` for each digit, up to where it stays 0 or infinite."""
    table = [1.0]
    with np.errstate(over="ignore", under="ignore"):
        factor = float(np.power(constant, float(unit)))
        for digit in range(1, _POWER_RADIX):
            value = float(np.float32(np.power(constant, float(unit * digit))))
            table.append(value)
            if factor < 1.0 and value == 0.0 or math.isinf(value):
                break
    return table


class ScheduleCell(LearningRateSchedule):
    """A schedule inside a graph: steps in, values of the same shape out."""

    def __init__(self, body: nn.Cell, text: str) -> None:
        super().__init__()
        self.body = body
        self.text = text
        self.cast = ops.Cast()
        self.ones = ops.OnesLike()
        self.mul = ops.Mul()

    def construct(self, global_step: Any) -> Any:
        steps = self.cast(global_step, mstype.int32)
        # A schedule may be constant; the result has the shape of the steps all the same.
        return self.mul(self.body(steps), self.cast(self.ones(steps), mstype.float32))

    def extend_repr(self) -> str:
        """Show which schedule this is."""
        return self.text


def schedule_cell(schedule: ScheduleLike, base: float, total_steps: Optional[int]) -> ScheduleCell:
    """Return the cell of ``schedule``; what :func:`ms_lr_callbacks.schedules.to_cell` calls."""
    checked = as_schedule("to_cell", "schedule", schedule)
    number = checks.real("to_cell", "base", base)
    text = f"{checked!r}, base={number!r}"
    if checked.closed_form:
        value = checked._formula(GraphOps(), Expr(Step(), True), number)
        return ScheduleCell(_float(value).cell, text)
    return ScheduleCell(_table(checked, number, total_steps), text)


def _table(schedule: Schedule, base: float, total_steps: Optional[int]) -> nn.Cell:
    if total_steps is None:
        raise ValueError(f"to_cell: {type(schedule).__name__} has no closed form that a graph could compute; "
                         f"pass total_steps=<number of updates> to store that many values, drive the "
                         f"optimizer with LRScheduler, or for a plain product write a * b instead of a chain")
    n = checks.integer("to_cell", "total_steps", total_steps, low=1)
    return Gather(values(schedule, base, n), mstype.float32, Step())
