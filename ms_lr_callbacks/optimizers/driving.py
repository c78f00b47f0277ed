"""Drivers: they hold a hyperparameter of a training in their hands and change it between updates.

`HeldDriver` writes scalar Parameters that the optimizer reads; `TableDriver` writes a table for all
groups, or for many updates, at once. Both remember what each of the last updates used, so that
nobody has to ask the device. `Drivers` are those of one hyperparameter, seen as one.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence

import numpy as np

from ms_lr_callbacks._arrays import Float32Array, Float64Array
from ms_lr_callbacks.optimizers.compilation import Replacement
from ms_lr_callbacks.optimizers.parameters import Writer
from ms_lr_callbacks.optimizers.table import Table

# For each group which column of the values is its own, None for a group that is left alone.
Columns = Sequence[Optional[int]]


@dataclass(frozen=True)
class _Window:
    """Values of successive updates.

    Attributes:
        first: number of the first of these updates.
        values: float64 of shape (updates, columns), as the user thinks of them.
        kept: the same as the optimizer keeps them.
        changes: the rows, in order, whose `kept` differs from that of the row before.
    """

    first: int
    values: Float64Array
    kept: Float32Array
    changes: list[int]


class Driven(ABC):
    """What is known of a hyperparameter that callbacks drive."""

    @abstractmethod
    def used_by(self, update: int) -> Optional[Float64Array]:
        """Return the values, one for each group, of an update that was just done or comes next.

        NaN for groups that are not driven. None if that update lies before the first value written.
        """

    @abstractmethod
    def settle(self, update: int) -> None:
        """Leave the values of `update`, the next one, where the optimizer itself would keep them."""


class Drivers(Driven):
    """Several drivers of one hyperparameter, each with groups of its own."""

    def __init__(self, drivers: Sequence[Driven]) -> None:
        self._drivers = tuple(drivers)

    def used_by(self, update: int) -> Optional[Float64Array]:
        known: Optional[Float64Array] = None
        for used in (driver.used_by(update) for driver in self._drivers):
            if used is not None:
                known = used if known is None else np.where(np.isnan(used), known, used)
        return known

    def settle(self, update: int) -> None:
        for driver in self._drivers:
            driver.settle(update)


class Driver(Driven):
    """Sets one hyperparameter of every group that it drives.

    Groups that always have the same value share one column of all values.

    Attributes:
        columns: for each group its column, None where the group is not driven.
        rows: for how many updates the device is handed values at once.
        due: the first update for which the device has not got its values yet.
    """

    rows = 1

    def __init__(self, columns: Columns, factor: float = 1.0) -> None:
        """`factor`: what the optimizer multiplies the user's value by before it keeps it."""
        self.columns = tuple(columns)
        # Of each group in a row with a NaN behind it; None where that is the row itself.
        width = len({each for each in columns if each is not None})
        self._places = None if self.columns == tuple(range(width)) else np.array(
            [width if each is None else each for each in columns])
        self._factor = factor
        self.due = 0
        # Two windows: the one in use, and the one before it, which a reader that comes after the
        # next write still asks for.
        self._windows: deque[_Window] = deque(maxlen=2)

    def write(self, first_update: int, values: Float64Array) -> None:
        """Set what update `first_update` and those after it use.

        The device is handed the first `rows` updates; call `advance` for the others.

        Args:
            first_update: number, from 0, of the next update.
            values: of shape (updates, columns), never changed later; the last row holds until the next
                write.
        """
        kept = self._kept(values)
        bits = kept.view(np.int32)  # in which NaN equals NaN
        changes = (np.flatnonzero((bits[1:] != bits[:-1]).any(axis=1)) + 1).tolist() if len(bits) > 1 else []
        self._windows.append(_Window(first_update, values, kept, changes))
        self.advance(first_update)

    def advance(self, update: int) -> None:
        """Hand over, from what was written, the values of `update`, the next one, and those after it."""
        window = self._windows[-1]
        row = update - window.first
        self._hand_over(update, window.kept[row:row + self.rows])
        end = row + self.rows
        if self.rows == 1:
            following = bisect_right(window.changes, row)
            end = window.changes[following] if following < len(window.changes) else len(window.kept)
        self.due = window.first + min(end, len(window.kept))

    def used_by(self, update: int) -> Optional[Float64Array]:
        used = self._row(update)
        return None if used is None else self._of_groups(used)

    def _row(self, update: int) -> Optional[Float64Array]:
        for window in reversed(self._windows):
            row = update - window.first
            if row >= 0:
                values: Float64Array = window.values[row] if row < len(window.values) else window.values[-1]
                return values
        return None

    def verify(self, update: int) -> None:
        """Check, when the first updates are done and `update` comes next, that they read what was written.

        Raises:
            RuntimeError: they did not.
        """

    def settle(self, update: int) -> None:
        """Nothing to do where the optimizer reads what was written."""

    @abstractmethod
    def release(self, update: int) -> None:
        """Give the hyperparameter back: the values of `update`, the next one, stay in force."""

    @abstractmethod
    def _hand_over(self, first_update: int, kept: Float32Array) -> None:
        """Write to the device what the optimizer keeps: `rows` rows, or fewer at the end."""

    def _of_groups(self, row: Any) -> Any:
        """Return the value of each group from the value of each column."""
        return row if self._places is None else np.append(row, np.array(np.nan, row.dtype))[self._places]

    def _kept(self, values: Float64Array) -> Float32Array:
        # The product is rounded once, as MindSpore does it in the constructor.
        return np.asarray(values * self._factor if self._factor != 1.0 else values, np.float32)


class HeldDriver(Driver):
    """Writes scalar Parameters, those whose value changed."""

    def __init__(self, columns: Columns, parameters: Sequence[Any], write: Writer,
                 factor: float = 1.0, replacement: Optional[Replacement] = None,
                 on_release: Callable[[Float32Array], None] = lambda values: None) -> None:
        """Drive the Parameters of the groups.

        Args:
            columns: see `Driver`.
            parameters: one for each group; those of groups that are not driven are left alone.
            write: writes them in this training.
            factor: see `Driver`.
            replacement: what put the Parameters in place of constants, if they were not there.
            on_release: told the kept values of all groups before the replacement is undone.
        """
        super().__init__(columns, factor)
        self._parameters = [(column, parameter, parameter.shape)
                            for column, parameter in _once_each(self.columns, parameters)]
        self._held: list[float] = [np.nan] * len(parameters)
        self._replacement = replacement
        self._on_release = on_release
        self._write = write

    def _hand_over(self, first_update: int, kept: Float32Array) -> None:
        row = kept[0].tolist()
        for column, parameter, shape in self._parameters:
            if row[column] != self._held[column]:
                # Making a scalar takes less than half the time of np.full.
                value = np.float32(row[column])
                self._write(parameter, np.full(shape, value) if shape else value)
        self._held = row

    def release(self, update: int) -> None:
        if self._replacement is not None:
            if self._windows:
                self._on_release(self._of_groups(np.array(self._held, np.float32)))
            self._replacement.detach()


class TableDriver(Driver):
    """Writes a table with the values of all groups for several updates, if anything changed."""

    def __init__(self, table: Table, read_global_step: Callable[[], int], factor: float = 1.0) -> None:
        """`read_global_step`: asks the optimizer, once, which row its next update reads."""
        super().__init__(table.columns, factor)
        self.rows = table.rows
        self._table = table
        self._read_global_step = read_global_step
        self._offset = 0
        self._latest: Optional[bytes] = None

    def _hand_over(self, first_update: int, kept: Float32Array) -> None:
        full = kept if self.rows == 1 else self._in_place(first_update, kept)
        latest = full.tobytes()
        if latest != self._latest:
            self._table.write(full)
            self._latest = latest

    def _in_place(self, first_update: int, kept: Float32Array) -> Float32Array:
        """Return the whole table, each row where its update reads it."""
        full = np.empty((self.rows, kept.shape[1]), np.float32)
        full[:len(kept)] = kept
        full[len(kept):] = kept[-1]
        if self._latest is None:
            self._offset = self._read_global_step() - first_update
        # Update u reads row (u + offset) % rows.
        return np.roll(full, (first_update + self._offset) % self.rows, axis=0)

    def verify(self, update: int) -> None:
        counted = self._read_global_step() - self._offset
        if self.rows > 1 and counted != update:
            raise RuntimeError(
                f"The optimizer's global_step has not counted its updates: {update} are done, and it stands where "
                f"{counted} would have brought it. It is what tells one row of a table of {self.rows} values from the "
                f"next: use lookahead=1, and under dataset sinking interval='epoch' with one sink an epoch.")

    def settle(self, update: int) -> None:
        values = self._row(update)
        if values is not None:
            self._table.settle(self._of_groups(self._kept(values)))

    def release(self, update: int) -> None:
        values = self._row(update)
        if values is not None:
            kept = self._kept(values)
            self._table.settle(self._of_groups(kept))
            self._table.write(np.repeat(kept[None], self.rows, axis=0))
        self._table.detach()


def columns_of(streams: Sequence[Optional[int]]) -> list[Optional[int]]:
    """Number the streams in the order in which the groups first have them; None stays None."""
    numbers: dict[int, int] = {}
    return [None if stream is None else numbers.setdefault(stream, len(numbers)) for stream in streams]


def _once_each(columns: Columns, parameters: Sequence[Any]) -> list[tuple[int, Any]]:
    """Return each driven Parameter once, with the column of the first group that it belongs to."""
    first: dict[int, tuple[int, Any]] = {}
    for column, parameter in zip(columns, parameters):
        if column is not None:
            first.setdefault(id(parameter), (column, parameter))
    return list(first.values())
