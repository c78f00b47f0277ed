"""What each update of a training really used.

Each group's hyperparameter comes from where it can be had for certain and at the least cost:

- driven by a callback of ours: from the driver's memory of what it wrote, when the update is done;
- a Parameter that anybody may write: read from the device just before the update, or once, if all
  code that runs in this training is known not to write it;
- a cell with Parameters of its own: evaluated just before the update;
- computed from the optimizer's counter, a list, or constant: later, for many updates at once.
"""
from __future__ import annotations

import logging
from typing import Any, Optional

import numpy as np

from ms_lr_callbacks._arrays import Float32Array, IntArray
from ms_lr_callbacks.training.run import TrainingRun
from ms_lr_callbacks.optimizers.driving import Driven
from ms_lr_callbacks.optimizers.rates import ConstantRate, HeldRate, ListRate, Rate

_LOGGER = logging.getLogger("ms_lr_callbacks")

# The hyperparameters to show. An optimizer has momentum or beta1, and is shown with what it has.
_SHOWN = ("lr", "weight_decay", ("momentum", "beta1"))


class UsedValues:
    """Collects the hyperparameters of one training.

    Make it when all callbacks have had their ``on_train_epoch_begin``.

    Attributes:
        columns: the name and group of each number in a row.
        asks_before: whether `before` has to be called before a step whose values are wanted.
        held: a row with what is read from the device; NaN where the value comes from elsewhere.
        changes: whether `after` has to be called; else `held` is right for every update.
    """

    def __init__(self, run: TrainingRun, writers_are_known: bool) -> None:
        """`writers_are_known`: whether nothing but our own callbacks can write a hyperparameter."""
        self._access = run.access
        self._writers_are_known = writers_are_known
        names = [name for each in _SHOWN for name in _first_present(run, each)]
        groups = len(run.access.groups)
        self.columns = [(name, group) for name in names for group in range(groups)]
        # Each driver with its part of a row, and which groups it drives, None for all of them.
        self._driven: list[tuple[Driven, slice, Any]] = []
        self._read_before: list[tuple[Rate, list[int]]] = []
        self._computed: list[tuple[Rate, list[int]]] = []
        self.held: Float32Array = np.full(len(self.columns), np.nan, np.float32)
        for index, name in enumerate(names):
            self._sort(run, name, slice(index * groups, (index + 1) * groups))
        counted = any(form.parameter is None and not isinstance(form, ConstantRate)
                      for form, _ in self._computed + self._read_before)
        self._positions = _Positions(run) if counted else None
        self.asks_before = bool(self._read_before)
        self.changes = bool(self._driven or self._read_before)

    def before(self, update: int) -> None:
        """Read what can only be read before the update number `update`, from 0, is done."""
        position = self._positions_of(np.array([update]))
        for form, columns in self._read_before:
            self.held[columns] = form.values(position)[0]

    def after(self, update: int, row: Float32Array) -> None:
        """Put what `update`, just done, used into `row`; the rest is for `complete` to fill in."""
        row[:] = self.held
        for driver, part, which in self._driven:
            used = driver.used_by(update)
            if used is None:
                continue
            if which is None:
                row[part] = used
            else:
                row[part][which] = used[which]

    def learn_counter(self, updates_done: int) -> None:
        """See how far the optimizer's own counter has come; call it when the first updates are done."""
        if self._positions is not None:
            self._positions.learn(updates_done)

    def complete(self, updates: IntArray, rows: Float32Array) -> None:
        """Compute what rows of these updates still lack."""
        if self._computed and len(updates):
            positions = self._positions_of(updates)
            for form, columns in list(self._computed):
                try:
                    rows[:, columns] = _values_at(form, positions)[:, None]
                except Exception:  # a user's cell may fail outside the graph it was written for
                    self._computed.remove((form, columns))
                    _LOGGER.exception("%s cannot be computed outside the training; it is logged as NaN.",
                                      form.description)

    def _positions_of(self, updates: IntArray) -> IntArray:
        return np.zeros_like(updates) if self._positions is None else self._positions.of(updates)

    def _sort(self, run: TrainingRun, name: str, part: slice) -> None:
        """Decide where each group's `name` comes from."""
        driven: Optional[Float32Array] = None
        driver = self._access.driver(name) if run.is_driven(name) else None
        if driver is not None:
            driven = self._access.used_by(name, run.updates_done)
            which = None if driven is None or not np.isnan(driven).any() else ~np.isnan(driven)
            self._driven.append((driver, part, which))
        by_form: dict[int, tuple[Rate, list[int]]] = {}
        for group, form in enumerate(self._access.forms(name)):
            if driven is None or np.isnan(driven[group]):
                by_form.setdefault(id(form), (form, []))[1].append(part.start + group)
        for form, columns in by_form.values():
            if not form.reads_device or isinstance(form, ListRate):
                self._computed.append((form, columns))
            elif self._writers_are_known and form.description == HeldRate.description:
                self.held[columns] = form.values(np.zeros(1, np.int64))[0]
            else:
                self._read_before.append((form, columns))


class _Positions:
    """Which value of the optimizer's own counter each update sees.

    Most optimizers count updates, some never do, some count twice for each update.
    """

    def __init__(self, run: TrainingRun) -> None:
        self._access = run.access
        self._first_update = run.updates_done
        self._first_count = run.access.read_counter() or 0
        self._stride = 1

    def learn(self, updates_done: int) -> None:
        counted = (self._access.read_counter() or 0) - self._first_count
        self._stride = counted // (updates_done - self._first_update)

    def of(self, updates: IntArray) -> IntArray:
        return self._first_count + self._stride * (updates - self._first_update)


def _first_present(run: TrainingRun, names: Any) -> list[str]:
    """Return the first of `names` that the optimizer has, or none."""
    candidates = (names,) if isinstance(names, str) else names
    return [name for name in candidates if run.access.forms(name)][:1]


def _values_at(form: Rate, positions: IntArray) -> Float32Array:
    """Compute each position once: an optimizer that does not count has the same one for ever."""
    distinct, places = np.unique(positions, return_inverse=True)
    return form.values(distinct)[places]
