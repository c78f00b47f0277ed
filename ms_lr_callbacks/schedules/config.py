"""Schedules as plain JSON data.

A schedule is ``{"name": class name, argument: value, ...}``, a schedule inside another one is such a
dict in the place of the argument, a list with one schedule per group is a list. ``None`` in such a
list (``null`` in JSON) leaves its group alone.
"""
from __future__ import annotations

import dataclasses
import difflib
from typing import Any, Dict, Iterable, List, Type, Union

from ms_lr_callbacks.schedules.base import Schedule, as_schedule
from ms_lr_callbacks.schedules.beyond import InverseSqrtLR, NoamLR, WarmupStableDecayLR
from ms_lr_callbacks.schedules.chain import ChainedScheduler, ProductLR
from ms_lr_callbacks.schedules.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from ms_lr_callbacks.schedules.cyclic import CyclicLR
from ms_lr_callbacks.schedules.factors import (ConstantLR, ExponentialLR, LinearLR, MultiStepLR,
                                               PolynomialLR, StepLR)
from ms_lr_callbacks.schedules.onecycle import OneCycleLR, OneCycleMomentum
from ms_lr_callbacks.schedules.sequence import SequentialLR
from ms_lr_callbacks.schedules.swa import SWALR
from ms_lr_callbacks.schedules.warmup import Warmup

_CLASSES: Dict[str, Type[Schedule]] = {cls.__name__: cls for cls in (
    ChainedScheduler, ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR,
    ExponentialLR, InverseSqrtLR, LinearLR, MultiStepLR, NoamLR, OneCycleLR, OneCycleMomentum, PolynomialLR,
    ProductLR, SWALR, SequentialLR, StepLR, Warmup, WarmupStableDecayLR,
)}
_NEED_A_FUNCTION = ("LambdaLR", "MultiplicativeLR", "FunctionSchedule")


def schedule_config(schedule: Schedule) -> Dict[str, Any]:
    """Return ``schedule`` as plain JSON data; what :meth:`Schedule.to_config` calls."""
    name = type(schedule).__name__
    if _CLASSES.get(name) is not type(schedule) and name not in _NEED_A_FUNCTION:
        raise ValueError(f"{name} is not a schedule of this package and cannot be written as a config")
    config: Dict[str, Any] = {"name": name}
    for argument, value in schedule._arguments().items():
        config[argument] = _plain(name, argument, value)
    return config


def _plain(owner: str, argument: str, value: Any) -> Any:
    if isinstance(value, Schedule):
        return schedule_config(value)
    if isinstance(value, tuple):
        return [_plain(owner, argument, item) for item in value]
    if callable(value):
        raise ValueError(f"{owner}: {argument} is the Python function {value!r}, which JSON cannot hold; "
                         f"use a schedule without functions, or pickle this one")
    return value


def from_config(config: Any) -> Any:
    """Make a schedule, or a list with one per group, from what ``to_config`` gave.

    Args:
        config: a dict as :meth:`Schedule.to_config` returns it, or a list of such dicts and None.

    Returns:
        A schedule equal to the one that was written; for a list, a list.

    Raises:
        TypeError: ``config`` is neither a dict nor a list.
        ValueError: a name or an argument is unknown, missing or out of range.

    Example:
        >>> from ms_lr_callbacks.schedules import from_config
        >>> from_config({"name": "StepLR", "step_size": 30})
        StepLR(step_size=30, gamma=0.1)
    """
    if isinstance(config, (list, tuple)):
        return [None if item is None else from_config(item) for item in config]
    if not isinstance(config, dict):
        raise TypeError(f"config must be a dict with a 'name', or a list of such dicts, got {config!r}")
    cls = _class(config.get("name"))
    allowed = [field.name for field in dataclasses.fields(cls) if field.init]
    arguments = {}
    for argument, value in config.items():
        if argument == "name":
            continue
        if argument not in allowed:
            raise ValueError(f"{cls.__name__} has no argument {argument!r}{_nearest(str(argument), allowed)}")
        arguments[argument] = _value(value)
    try:
        return cls(**arguments)
    except TypeError as error:
        missing = [field.name for field in dataclasses.fields(cls)
                   if field.init and field.name not in arguments and field.default is dataclasses.MISSING]
        if missing:
            raise ValueError(f"{cls.__name__} needs the argument {missing[0]!r}") from error
        raise


def to_config(schedules: Union[Schedule, Iterable[Union[Schedule, None]]]
              ) -> Union[Dict[str, Any], List[Union[Dict[str, Any], None]]]:
    """Return one schedule, or a list with one per group, as plain JSON data.

    Args:
        schedules: a schedule, or a list of schedules and None.

    Returns:
        A dict, or for a list a list of dicts and None.

    Raises:
        ValueError: a schedule holds a Python function.

    Example:
        >>> from ms_lr_callbacks.schedules import ExponentialLR, from_config, to_config
        >>> to_config([ExponentialLR(0.9), None])
        [{'name': 'ExponentialLR', 'gamma': 0.9}, None]
        >>> from_config(to_config([ExponentialLR(0.9), None]))
        [ExponentialLR(gamma=0.9), None]
    """
    if isinstance(schedules, Schedule):
        return schedule_config(schedules)
    return [None if schedule is None else as_schedule("to_config", f"schedules[{i}]", schedule).to_config()
            for i, schedule in enumerate(schedules)]


def _class(name: object) -> Type[Schedule]:
    if isinstance(name, str) and name in _CLASSES:
        return _CLASSES[name]
    if name in _NEED_A_FUNCTION:
        raise ValueError(f"{name} needs a Python function, which a config cannot hold")
    if name is None:
        raise ValueError("config has no 'name'; it must be the name of a schedule, for example 'StepLR'")
    raise ValueError(f"there is no schedule {name!r}{_nearest(str(name), list(_CLASSES))}")


def _nearest(word: str, allowed: List[str]) -> str:
    by_lower = {item.lower(): item for item in allowed}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.0)
    return f"; the nearest is {by_lower[close[0]]!r}, of {', '.join(allowed)}" if close else ""


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return from_config(value)
    if isinstance(value, list):
        return [_value(item) for item in value]
    return value
