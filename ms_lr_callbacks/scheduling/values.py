"""The values that schedules give to the groups of an optimizer, checked."""
from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence, Union

import numpy as np
from mindspore import nn

from ms_lr_callbacks._arrays import Float64Array
from ms_lr_callbacks.schedules.base import FACTOR_REMEDY, Schedule
from ms_lr_callbacks.schedules.checks import takes

# From here on a number rounds to infinity as a float32.
_OVERFLOW = 2.0 ** 128 - 2.0 ** 103

# Up to this many different streams are computed number by number, which gives what the user gets from
# schedule(t, base) to the last digit. NumPy's cosine of an array may round another way.
_FEW = 8

ScheduleLike = Union[Schedule, Callable[[int, float], float]]
Schedules = Union[ScheduleLike, Sequence[Optional[ScheduleLike]]]


@dataclass(frozen=True)
class Limits:
    """Which values of a hyperparameter are valid.

    Attributes:
        what: its name in messages: ``learning rate``.
        low: the lowest valid value.
        below: every valid value lies below this one.
        low_is_valid: whether `low` itself is valid.
    """

    what: str
    low: float = 0.0
    below: float = math.inf
    low_is_valid: bool = True

    def allow(self, value: float) -> bool:
        """Return whether `value`, as a float32, is valid."""
        return (self.low <= value if self.low_is_valid else self.low < value) and value < min(self.below, _OVERFLOW)

    def __str__(self) -> str:
        above = f"{'>=' if self.low_is_valid else '>'} {self.low:g}"
        return f"a finite float32 {above}" if math.isinf(self.below) else f"{above} and < {self.below:g}"


@dataclass(frozen=True)
class Stream:
    """One schedule with one base value, and the groups that get its values."""

    schedule: ScheduleLike
    base: float
    groups: tuple[int, ...]


class GroupValues:
    """Computes what each group gets at given t."""

    def __init__(self, schedules: Sequence[Optional[ScheduleLike]], bases: Sequence[Optional[float]],
                 limits: Limits) -> None:
        """`schedules` and `bases`: one for each group; None leaves a group alone."""
        self._limits = limits
        self._streams = _streams(schedules, bases)
        self._as_arrays = len(self._streams) > _FEW and self.foreseeable
        self._bases = np.array([stream.base for stream in self._streams])
        by_schedule: dict[int, tuple[Any, list[int]]] = {}
        for column, stream in enumerate(self._streams):
            by_schedule.setdefault(id(stream.schedule), (stream.schedule, []))[1].append(column)
        # Each schedule with the columns that it fills; a slice where it fills all of them.
        self._columns = [(schedule, columns if len(by_schedule) > 1 else slice(None))
                         for schedule, columns in by_schedule.values()]
        number = {group: index for index, stream in enumerate(self._streams) for group in stream.groups}
        self._stream_of_group = [number.get(group) for group in range(len(schedules))]

    @property
    def foreseeable(self) -> bool:
        """Whether values may be computed long before they are needed.

        A function of the user's is called when its value is due: it may count its calls, or look at
        something that changes.
        """
        return all(isinstance(each.schedule, Schedule) and each.schedule.closed_form for each in self._streams)

    @property
    def streams(self) -> list[Optional[int]]:
        """For each group the number of its stream, None for a group left alone.

        Groups of one stream have the same schedule and the same base, and so always the same value.
        """
        return self._stream_of_group

    def rows(self, first: int, count: int) -> Float64Array:
        """Return float64 of shape (count, streams) for t from `first` on.

        Fewer rows if a value behind the first is not valid: it may never be needed.

        Raises:
            TypeError: the first value is not a number.
            ValueError: the first value is not finite or out of range.
        """
        if count > 1 and self._as_arrays:
            block = self._block(first, count)
            if block is not None:
                return block
        rows = np.empty((count, len(self._streams)))
        for column, stream in enumerate(self._streams):
            values = self._of_stream(stream, first, len(rows))
            rows = rows[:len(values)]
            rows[:, column] = values
        return rows

    def _block(self, first: int, count: int) -> Optional[Float64Array]:
        """Return all rows, one schedule with all its bases at a time; None if any value is not valid."""
        rows = np.empty((count, len(self._streams)))
        for schedule, columns in self._columns:
            try:
                rows[:, columns] = schedule.table(np.arange(first, first + count), self._bases[columns])
            except Exception:  # it refuses one t; computed one by one, the values before it are good
                return None
        valid = self._limits.allow(float(rows.min())) and self._limits.allow(float(rows.max()))
        return rows if valid else None

    def _of_stream(self, stream: Stream, first: int, count: int) -> Sequence[float]:
        values: list[float] = []
        for t in range(first, first + count):
            try:
                values.append(self._valid(stream.schedule(t, stream.base), stream, t))
            except Exception:
                if not values:
                    raise
                break
        return values

    def _valid(self, value: Any, stream: Stream, t: int) -> float:
        """Return the value of a schedule at `t`, checked."""
        if type(value) is not float:
            value = self._as_float(value, stream, t)
        if not self._limits.allow(value):
            raise ValueError(
                f"{_name(stream.schedule)} gives {value!r} for group {stream.groups[0]} at t={t} with base "
                f"{stream.base:g}, but a {self._limits.what} must be {self._limits}. Change the schedule so that it "
                f"stays in this range.")
        return float(value)

    def _as_float(self, value: Any, stream: Stream, t: int) -> float:
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value[()]
        if isinstance(value, numbers.Real) and not isinstance(value, bool):
            return float(value)
        raise TypeError(f"{_name(stream.schedule)} returns a {type(value).__name__} at t={t}, but a schedule must "
                        f"return a float: f(t, base) -> float.")


def check_schedules(schedule: Any, callback: str) -> None:
    """Check the argument `schedule` of a callback.

    Raises:
        TypeError: it is neither a schedule, nor a callable f(t, base), nor a list of these and None.
        ValueError: it is a list without any schedule.
    """
    several = isinstance(schedule, (list, tuple))
    for each in schedule if several else [schedule]:
        if isinstance(each, type):
            raise TypeError(f"{callback} got the class {each.__name__}; write {each.__name__}(...) with its arguments.")
        if not callable(each) and not (several and each is None):
            raise TypeError(f"{callback} takes a schedule, a callable f(t, base) -> float, or a list with one of these "
                            f"or None for each group, but got {type(each).__name__} {each!r}.")
        if isinstance(each, nn.Cell):
            raise TypeError(f"{callback} got the MindSpore cell {type(each).__name__}, which is for the optimizer's "
                            f"constructor; take a schedule of ms_lr_callbacks.schedules or a function of your own.")
        if each is not None and not isinstance(each, Schedule) and not takes(each, 2):
            raise TypeError(f"{callback} takes a callable f(t, base) -> float, but {_name(each)} takes other "
                            f"arguments{FACTOR_REMEDY}.")
    if several and all(each is None for each in schedule):
        raise ValueError(f"{callback} got {list(schedule)!r}, which drives no group; give at least one schedule.")


def schedule_of_each_group(schedule: Schedules, groups: int, callback: str) -> list[Optional[ScheduleLike]]:
    """Spread `schedule` over the groups of an optimizer.

    Raises:
        ValueError: a list has not as many entries as the optimizer has groups.
    """
    if not isinstance(schedule, (list, tuple)):
        return [schedule] * groups  # type: ignore[list-item]
    if len(schedule) != groups:
        raise ValueError(f"{callback} got {len(schedule)} schedules, but the optimizer has {groups} parameter "
                         f"group{'s' * (groups != 1)}. Give one schedule for each group, in the order of the groups, "
                         f"None for a group to be left alone; or a single schedule for all.")
    return list(schedule)


def _streams(schedules: Sequence[Optional[ScheduleLike]], bases: Sequence[Optional[float]]) -> list[Stream]:
    members: dict[tuple[int, float], list[int]] = {}
    for group, (schedule, base) in enumerate(zip(schedules, bases)):
        if schedule is not None:
            members.setdefault((id(schedule), 0.0 if base is None else base), []).append(group)
    return [Stream(schedules[groups[0]], base, tuple(groups))  # type: ignore[arg-type]
            for (_, base), groups in members.items()]


def _name(schedule: Any) -> str:
    if isinstance(schedule, Schedule):
        return type(schedule).__name__
    return str(getattr(schedule, "__name__", type(schedule).__name__))
