"""The small vocabulary in which each closed form is written once.

A formula is called as ``formula(ops, t, base)``. ``SCALAR`` evaluates it for a Python int with
:mod:`math`, ``ARRAY`` for an int64 array with NumPy; the MindSpore back end is in
:mod:`ms_lr_callbacks.schedules.cell`. Beside these words a formula may use ``+ - * / // %`` and
comparisons with constants.

The two back ends here keep the order of operations of torch where digits cancel, so that they round
as torch does. The float32 back end is free to compute the same quantity in a way that loses fewer digits.
"""
from __future__ import annotations

import math
from bisect import bisect_right
from typing import Any, Protocol, Sequence, Tuple

import numpy as np


# At each minimum of a cosine torch's recursion loses digits, and keeps the loss as a factor for the
# next cycle. Up to this length the factor is reproduced; beyond it grows from 1e-7 to a division by zero.
_LONGEST_LOSS = 100_000


class Ops(Protocol):
    """What a back end must offer. ``k``, ``t`` and ``n`` are step counts, the rest are floats."""

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        """Choose ``yes`` where ``condition`` holds, else ``no``; both are evaluated."""

    def minimum(self, a: Any, b: Any) -> Any:
        """Return the smaller of the two."""

    def maximum(self, a: Any, b: Any) -> Any:
        """Return the larger of the two."""

    def power(self, constant: float, n: Any) -> Any:
        """Return ``constant ** n``; infinity where that overflows."""

    def root(self, x: Any, exponent: float) -> Any:
        """Return ``x ** exponent`` for ``x >= 0`` and a constant exponent."""

    def lerp(self, start: float, end: float, k: Any, n: Any) -> Any:
        """Return the point ``k / n`` of the way from ``start`` to ``end``."""

    def half_cosine(self, k: Any, n: Any) -> Any:
        """Return ``(1 + cos(pi * k / n)) / 2``."""

    def cosine(self, high: Any, low: float, k: Any, n: Any) -> Any:
        """Return the point ``k / n`` of the way from ``high`` to ``low`` on half a cosine."""

    def cosine_wave(self, high: Any, low: float, t: Any, n: int) -> Any:
        """Swing between ``high`` and ``low`` as torch's recursion does, ``n`` steps each way."""

    def triangle(self, t: Any, up: int, down: int) -> Any:
        """Return the height in [0, 1] of a wave that rises for ``up`` steps and falls for ``down``."""

    def anneal(self, kind: str, a: float, b: float, t: Any, start: float, end: float) -> Any:
        """Go from ``a`` at step ``start`` to ``b`` at step ``end``; ``kind`` is "cos" or "linear"."""

    def weights(self, kind: str, k: Any, n: int) -> Tuple[Any, Any]:
        """Return the weights of the old and the new value ``k / n`` of the way between them."""

    def lookup(self, t: Any, edges: Sequence[int], values: Sequence[Any]) -> Any:
        """Return ``values[i]``, ``i`` being the number of sorted ``edges`` that are ``<= t``."""


class ScalarOps:
    """Python numbers."""

    minimum = staticmethod(min)
    maximum = staticmethod(max)

    @staticmethod
    def where(condition: bool, yes: Any, no: Any) -> Any:
        return yes if condition else no

    @staticmethod
    def power(constant: float, n: int) -> float:
        try:
            return float(constant ** n)
        except OverflowError:
            return math.inf

    @staticmethod
    def root(x: float, exponent: float) -> float:
        return float(x ** exponent)

    @staticmethod
    def lerp(start: float, end: float, k: int, n: int) -> float:
        return start * ((n - k) / n) + end * (k / n)

    @staticmethod
    def half_cosine(k: float, n: float) -> float:
        return (1.0 + math.cos(math.pi * k / n)) / 2.0

    @staticmethod
    def cosine(high: float, low: float, k: int, n: int) -> float:
        return low + (high - low) * ((1.0 + math.cos(math.pi * k / n)) / 2.0)

    @staticmethod
    def cosine_wave(high: float, low: float, t: int, n: int) -> float:
        height = (1.0 + math.cos(math.pi * t / n)) / 2.0
        if t > n and n <= _LONGEST_LOSS:
            # Torch leaves each minimum by adding (1 - cos(pi / n)) / 2 and scales from there on.
            k = 1 + n + (t - 1 - n) // (2 * n) * (2 * n)
            height = (1.0 - math.cos(math.pi / n)) / 2.0 * (height / ((1.0 + math.cos(math.pi * k / n)) / 2.0))
        # Both terms keep their digits where `high` is far below `low`, or 0. The height may end above 1.
        return max(high * height + low * (1.0 - height), 0.0)

    @staticmethod
    def triangle(t: int, up: int, down: int) -> float:
        total = up + down
        x = 1.0 + t / total - math.floor(1 + t / total)
        ratio = up / total
        return x / ratio if x <= ratio else (x - 1) / (ratio - 1)

    @staticmethod
    def anneal(kind: str, a: float, b: float, t: int, start: float, end: float) -> float:
        fraction = (t - start) / (end - start)
        if kind == "linear":
            return (b - a) * fraction + a
        return b + (a - b) / 2.0 * (math.cos(math.pi * fraction) + 1)

    @staticmethod
    def weights(kind: str, k: int, n: int) -> Tuple[float, float]:
        new = k / n
        if kind == "cos":
            new = (1 - math.cos(math.pi * new)) / 2
        return 1 - new, new

    @staticmethod
    def lookup(t: int, edges: Sequence[int], values: Sequence[Any]) -> Any:
        return values[bisect_right(edges, t)]


class ArrayOps:
    """NumPy arrays, element by element."""

    where = staticmethod(np.where)
    minimum = staticmethod(np.minimum)
    maximum = staticmethod(np.maximum)

    @staticmethod
    def power(constant: float, n: Any) -> Any:
        with np.errstate(over="ignore", under="ignore"):
            if n.size and n.max() < n.size // 2:  # Each power once; most repeat.
                return np.power(constant, np.arange(n.max() + 1))[n]
            return np.power(constant, n)

    @staticmethod
    def root(x: Any, exponent: float) -> Any:
        return np.power(x, exponent)

    @staticmethod
    def lerp(start: float, end: float, k: Any, n: int) -> Any:
        return start * ((n - k) / n) + end * (k / n)

    @staticmethod
    def half_cosine(k: Any, n: Any) -> Any:
        return (1.0 + np.cos(np.pi * k / n)) / 2.0

    @staticmethod
    def cosine(high: Any, low: float, k: Any, n: Any) -> Any:
        return low + (high - low) * ((1.0 + np.cos(np.pi * k / n)) / 2.0)

    @staticmethod
    def cosine_wave(high: Any, low: float, t: Any, n: int) -> Any:
        height = (1.0 + np.cos(np.pi * t / n)) / 2.0
        late = t > n
        if n <= _LONGEST_LOSS and late.any():
            swing = (t[late] - 1 - n) // (2 * n)
            dense = swing.max() < swing.size // 2  # Each swing once; most have many steps.
            k = 1 + n + (np.arange(swing.max() + 1) if dense else swing) * (2 * n)
            first = (1.0 + np.cos(np.pi * k / n)) / 2.0
            height[late] = (1.0 - math.cos(math.pi / n)) / 2.0 * (height[late] / (first[swing] if dense else first))
        return high * height if low == 0.0 else np.maximum(high * height + low * (1.0 - height), 0.0)

    @staticmethod
    def triangle(t: Any, up: int, down: int) -> Any:
        total = up + down
        x = 1.0 + t / total
        x -= np.floor(x)
        ratio = up / total
        return np.where(x <= ratio, x / ratio, (x - 1) / (ratio - 1))

    @staticmethod
    def anneal(kind: str, a: float, b: float, t: Any, start: float, end: float) -> Any:
        fraction = (t - start) / (end - start)
        if kind == "linear":
            return (b - a) * fraction + a
        return b + (a - b) / 2.0 * (np.cos(np.pi * fraction) + 1)

    @staticmethod
    def weights(kind: str, k: Any, n: int) -> Tuple[Any, Any]:
        new = k / n
        if kind == "cos":
            new = (1 - np.cos(np.pi * new)) / 2
        return 1 - new, new

    @staticmethod
    def lookup(t: Any, edges: Sequence[int], values: Sequence[Any]) -> Any:
        return np.asarray(values)[np.searchsorted(np.asarray(edges, dtype=np.int64), t, side="right")]


SCALAR = ScalarOps()
ARRAY = ArrayOps()
