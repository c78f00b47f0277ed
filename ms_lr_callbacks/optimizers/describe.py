"""An optimizer in plain values, as a checkpoint keeps and compares it."""
from __future__ import annotations

import hashlib
import warnings
from typing import Any, Callable, Optional

import numpy as np

from ms_lr_callbacks.optimizers.access import OptimizerAccess
from ms_lr_callbacks.optimizers.rates import ConstantRate, ListRate, Rate

_STATIC = "a number"


def class_name(value: Any) -> str:
    """Return the full name of an object's class."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def groups_of(access: OptimizerAccess, is_driven: Callable[[str], bool], update: int) -> list[dict[str, Any]]:
    """Describe each group: its name, Parameters, and the rate and weight decay of the next update.

    Args:
        access: the optimizer.
        is_driven: tells whether a callback drives a hyperparameter at present.
        update: number of the next update.
    """
    names = [each.name for each in access.optimizer.parameters]
    rates = values_of(access, "lr", is_driven("lr"), update)
    decays = values_of(access, "weight_decay", is_driven("weight_decay"), update)
    return [{"name": f"group_{group.index}", "lr": _entry(rates, group.index),
             "weight_decay": _entry(decays, group.index),
             "params": [names[position] for position in group.positions]} for group in access.groups]


def values_of(access: OptimizerAccess, name: str, driven: bool, update: int) -> Optional[list[Optional[float]]]:
    """Return what the next update uses of a hyperparameter, one number for each group.

    A number is None where it cannot be computed outside the training; the result is None if the
    optimizer has no such hyperparameter.
    """
    forms = access.forms(name)
    used = access.used_by(name, update) if driven else None
    if not forms:
        return None
    counter = access.read_counter() or 0
    known: dict[int, Optional[float]] = {}
    values: list[Optional[float]] = []
    for group, form in enumerate(forms):
        if used is not None and not np.isnan(used[group]):
            values.append(float(used[group]))
            continue
        if id(form) not in known:
            known[id(form)] = _value(form, counter)
        values.append(known[id(form)])
    return values


def rate_kinds(access: OptimizerAccess, driven: bool) -> list[str]:
    """Say for each group in which form its learning rate was given.

    A list is told apart from another list by its values. Only static rates are driven, and while
    they are, something of ours may stand in their place.
    """
    used = access.used_by("lr", access.progress.updates) if driven else None
    return [_kind(form) if used is None or np.isnan(used[group]) else _STATIC
            for group, form in enumerate(access.forms("lr"))]


def base_values(access: OptimizerAccess) -> dict[str, list[Optional[float]]]:
    """Return what the constructor was given of each hyperparameter, one number for each group."""
    return {name: list(place.bases()) for name, place in access.hyperparameters.items() if place.forms()}


def _kind(form: Rate) -> str:
    if isinstance(form, ListRate):
        values = form.table()
        return f"a list of {values.size} values ({hashlib.sha256(values.tobytes()).hexdigest()[:16]})"
    return _STATIC if isinstance(form, ConstantRate) else form.description


def _value(form: Rate, counter: int) -> Optional[float]:
    try:
        with warnings.catch_warnings():  # after its last update a list has no next value
            warnings.simplefilter("ignore")
            return float(form.values(np.array([counter]))[0])
    except Exception:  # a user's cell may fail outside the graph it was written for
        return None


def _entry(values: Optional[list[Optional[float]]], index: int) -> Optional[float]:
    return None if values is None else values[index]
