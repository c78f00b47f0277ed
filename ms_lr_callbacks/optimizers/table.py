"""Tables of values that the compiled optimizer reads at ``global_step``.

One hidden Parameter holds the values of all groups for one or more updates. Cells in the place of
the optimizer's learning rate or weight decay read it, so that one write hands over everything.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Optional, Sequence

import numpy as np
from mindspore import Tensor, nn, ops

from ms_lr_callbacks._arrays import Float32Array, IntArray
from ms_lr_callbacks.optimizers.compilation import Replacement, hidden_parameter, hide
from ms_lr_callbacks.optimizers.groups import Group
from ms_lr_callbacks.optimizers.parameters import Writer, read
from ms_lr_callbacks.optimizers.rates import HeldRate, Rate


class Table(ABC):
    """The values of all groups for `rows` updates.

    Attributes:
        rows: how many updates it serves.
        columns: for each group the column that it reads, None for a group that does not read the table.
    """

    def __init__(self, optimizer: Any, columns: Sequence[Optional[int]], rows: int) -> None:
        self._optimizer = optimizer
        self.rows = rows
        self.columns = tuple(columns)
        self.driven = [column is not None for column in columns]
        width = len({column for column in columns if column is not None})
        self._table = hidden_parameter(np.zeros(rows * width, np.float32), "table")
        self._replacement: Replacement
        self._write: Writer

    def attach(self, network: Any) -> None:
        """Have the optimizer that `network` calls read the table."""
        self._write = Writer(network, self._optimizer)
        self._replacement.attach(network)

    def write(self, values: Float32Array) -> None:
        """Hand over the table: float32 of shape (rows, columns)."""
        self._write(self._table, values.T.reshape(-1))

    @abstractmethod
    def settle(self, values: Float32Array) -> None:
        """Leave the values in force, one for each group, where the optimizer itself would keep them."""

    @abstractmethod
    def detach(self) -> None:
        """Give the optimizer its own attributes back."""


class RateTable(Table):
    """A table of learning rates.

    Its cells also hold the rate that they replace and a switch: detached, a graph that was compiled
    with them reads the optimizer's own Parameters again.
    """

    def __init__(self, optimizer: Any, groups: Sequence[Group], columns: Sequence[Optional[int]], rows: int) -> None:
        super().__init__(optimizer, columns, rows)
        self._active = hidden_parameter(np.array(False), "active")
        self._held = [optimizer.learning_rate[group.positions[0]] if optimizer.is_group_lr
                      else optimizer.learning_rate for group in groups]
        cells = [_as_cell(held) if column is None
                 else SwitchedColumn(self._table, column * rows, rows, self._active, held)
                 for column, held in zip(columns, self._held)]
        grouped = len(groups) > 1
        self._replacement = Replacement(optimizer, {
            "learning_rate": _by_position(cells, groups) if grouped else cells[0],
            "is_group_lr": grouped, "dynamic_lr": True})

    def attach(self, network: Any) -> None:
        super().attach(network)
        self._write(self._active, np.array(True))

    def settle(self, values: Float32Array) -> None:
        parameters = [getattr(held, "learning_rate", held) for held in self._held]
        # A group that is left alone reads its own Parameter, also where a driven group shares it.
        left_alone = {id(each) for each, is_driven in zip(parameters, self.driven) if not is_driven}
        for parameter, value in zip(parameters, values):
            if id(parameter) not in left_alone:
                self._write(parameter, value)

    def detach(self) -> None:
        self._replacement.detach()
        self._write(self._active, np.array(False))


class DecayTable(Table):
    """A table of weight decays, each already multiplied by the optimizer's loss scale."""

    def __init__(self, optimizer: Any, groups: Sequence[Group], columns: Sequence[Optional[int]], rows: int) -> None:
        super().__init__(optimizer, columns, rows)
        self._groups = groups
        self._is_group = optimizer.is_group
        cells = [None if column is None else TableColumn(self._table, column * rows, rows) for column in columns]
        if not optimizer.is_group:
            new: dict[str, Any] = {"weight_decay": cells[0], "dynamic_decay_flags": True}
        else:
            owner = {position: group.index for group in groups for position in group.positions}
            count = len(owner)
            on = [self.driven[owner[position]] for position in range(count)]
            new = {"weight_decay": tuple(cells[owner[position]] if on[position] else optimizer.weight_decay[position]
                                         for position in range(count)),
                   "dynamic_decay_flags": tuple(a or b for a, b in zip(on, optimizer.dynamic_decay_flags)),
                   # A base of 0 has turned the decay of its group off.
                   "decay_flags": tuple(a or b for a, b in zip(on, optimizer.decay_flags))}
        self._replacement = Replacement(optimizer, {**new, "dynamic_weight_decay": True, "exec_weight_decay": True})

    def settle(self, values: Float32Array) -> None:
        """Leave the values as the constants that a graph compiled later would use."""
        if not self._is_group:
            self._replacement.own.update(weight_decay=Tensor(np.float32(values[0])), exec_weight_decay=True)
            return
        for own in (replacement.own for replacement in self._replacement.overlapping()):
            decays, flags = list(own["weight_decay"]), list(own["decay_flags"])
            for group, is_driven, value in zip(self._groups, self.driven, values):
                for position in group.positions if is_driven else ():
                    decays[position] = Tensor(np.float32(value))
                    flags[position] = flags[position] or value > 0
            own.update(weight_decay=tuple(decays), decay_flags=tuple(flags), exec_weight_decay=any(flags))

    def detach(self) -> None:
        self._replacement.detach()


class TableColumn(nn.Cell):
    """One group's column of a `Table`.

    Like MindSpore's optimizers it gives no prefix to the names of the Parameters that it holds: a
    checkpoint written meanwhile has the names that it would have without it.
    """

    def __init__(self, table: Any, start: int, rows: int) -> None:
        super().__init__(auto_prefix=False)
        hide(self, "table", table)
        self.start = start
        self.rows = rows
        self.gather = ops.Gather()

    def construct(self, global_step: Any) -> Any:
        row = ops.reshape(global_step, ()) % self.rows
        return self.gather(self.table, row + self.start, 0)

    def as_rate(self) -> Rate:
        """Return the form in which `rates` reads this cell."""
        return _ColumnRate(self)


class SwitchedColumn(TableColumn):
    """A column that can be switched back to the rate in whose place it stands."""

    def __init__(self, table: Any, start: int, rows: int, active: Any, original: Any) -> None:
        super().__init__(table, start, rows)
        hide(self, "active", active)
        self.original = _as_cell(original)

    def construct(self, global_step: Any) -> Any:
        row = ops.reshape(global_step, ()) % self.rows
        value = self.gather(self.table, row + self.start, 0)
        return ops.select(self.active, value, ops.reshape(self.original(global_step), ()))


class HeldCell(nn.Cell):
    """A static rate as a cell, applied as it is."""

    def __init__(self, parameter: Any) -> None:
        super().__init__(auto_prefix=False)
        self.learning_rate = parameter

    def construct(self, global_step: Any) -> Any:
        return self.learning_rate

    def as_rate(self) -> Rate:
        """Return the form in which `rates` reads this cell."""
        return HeldRate(self.learning_rate)


class _ColumnRate(Rate):
    """What an attached column gives, read from the device."""

    description = "a schedule of ms_lr_callbacks"
    reads_device = True

    def __init__(self, cell: Any) -> None:
        self._cell = cell

    def values(self, steps: IntArray) -> Float32Array:
        column = read(self._cell.table)[self._cell.start:self._cell.start + self._cell.rows]
        return np.asarray(column[np.asarray(steps) % self._cell.rows], np.float32)


def _as_cell(held: Any) -> Any:
    return held if isinstance(held, nn.Cell) else HeldCell(held)


def _by_position(cells: Sequence[Any], groups: Sequence[Group]) -> Any:
    """Spread one cell for each group over the optimizer's parameters."""
    cell_of = {position: cells[group.index] for group in groups for position in group.positions}
    return nn.CellList([cell_of[position] for position in range(len(cell_of))], auto_prefix=False)
