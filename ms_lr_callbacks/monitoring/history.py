"""The values that a monitor has seen, in compact arrays."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterator, Mapping, Sequence, Union

import numpy as np

from ms_lr_callbacks._arrays import AnyArray, Float32Array, Float64Array, IntArray


@dataclass(frozen=True)
class Series:
    """One curve.

    Attributes:
        steps: int64, ascending: the numbers of updates done, the first update being 1.
        values: what each of these updates used, float32; of a loss what it gave, float64.

    Examples:
        >>> import numpy as np
        >>> from ms_lr_callbacks.monitoring.history import Series
        >>> series = Series(steps=np.array([1, 2]), values=np.array([0.5, 0.25], np.float32))
        >>> len(series), float(series.values[-1])
        (2, 0.25)
    """

    steps: IntArray
    values: Union[Float32Array, Float64Array]

    def __len__(self) -> int:
        return len(self.steps)


class Table:
    """Several curves over the same steps. It grows; 100,000 steps of one float32 curve take 1.2 MB."""

    def __init__(self, tags: Sequence[str], dtype: Any = np.float32) -> None:
        self.tags = tuple(tags)
        self._length = 0
        self._steps: IntArray = np.empty(0, np.int64)
        self._values: AnyArray = np.empty((len(self.tags), 0), dtype)

    def append(self, steps: IntArray, values: AnyArray) -> None:
        """Add `values` of shape (steps, tags)."""
        end = self._length + len(steps)
        if end > len(self._steps):
            self._reserve(max(end, 256, len(self._steps) * 3 // 2))
        self._steps[self._length:end] = steps
        self._values[:, self._length:end] = values.T
        self._length = end

    def has_points(self) -> bool:
        """Return whether anything was added."""
        return self._length > 0

    def truncate(self, after_step: int) -> None:
        """Forget what lies behind `after_step`; series handed out before keep their values."""
        kept = int(np.searchsorted(self._steps[:self._length], after_step, side="right"))
        if kept < self._length:
            self._length = kept
            self._reserve(kept)

    def series(self, tag: str) -> Series:
        """Return one curve, as read-only arrays."""
        return Series(_read_only(self._steps[:self._length]),
                      _read_only(self._values[self.tags.index(tag), :self._length]))

    def _reserve(self, size: int) -> None:
        steps, values = np.empty(size, np.int64), np.empty((len(self.tags), size), self._values.dtype)
        steps[:self._length] = self._steps[:self._length]
        values[:, :self._length] = self._values[:, :self._length]
        self._steps, self._values = steps, values


class History(Mapping[str, Series]):
    """All curves by tag; up to date whenever it is looked at.

    ``"momentum"`` also finds ``beta1`` where that is what the optimizer has.

    Args:
        settle: called before each look; it adds what is still on its way.

    Examples:
        >>> from ms_lr_callbacks import LRMonitor
        >>> history = LRMonitor().history  # nothing has been trained
        >>> "lr" in history, len(history)
        (False, 0)
    """

    def __init__(self, settle: Callable[[], None]) -> None:
        self._settle = settle
        self._tables: list[Table] = []

    def table(self, tags: Sequence[str], dtype: Any = np.float32) -> Table:
        """Return the table of exactly these tags, a new one if there is none."""
        for table in self._tables:
            if table.tags == tuple(tags):
                return table
        self._tables.append(Table(tags, dtype))
        return self._tables[-1]

    def truncate(self, after_step: int) -> None:
        """Forget what lies behind `after_step`."""
        for table in self._tables:
            table.truncate(after_step)

    def __getitem__(self, tag: str) -> Series:
        self._settle()
        found = self._found(tag)
        name, slash, group = tag.partition("/")
        if not found and name == "momentum":
            found = self._found(f"beta1{slash}{group}")
        if not found:
            raise KeyError(f"{tag!r} has not been logged; there is {', '.join(self._tags()) or 'nothing yet'}.")
        if len(found) == 1:
            return found[0]
        steps = np.concatenate([series.steps for series in found])
        order = np.argsort(steps, kind="stable")
        return Series(steps[order], np.concatenate([series.values for series in found])[order])

    def __iter__(self) -> Iterator[str]:
        self._settle()
        return iter(self._tags())

    def __len__(self) -> int:
        self._settle()
        return len(self._tags())

    def _found(self, tag: str) -> list[Series]:
        return [table.series(tag) for table in self._tables if tag in table.tags and table.has_points()]

    def _tags(self) -> list[str]:
        return list(dict.fromkeys(tag for table in self._tables if table.has_points() for tag in table.tags))


def _read_only(array: AnyArray) -> AnyArray:
    view = array[:]
    view.flags.writeable = False
    return view
