"""The form of a checkpoint's state: each value that resuming uses, looked at before anything is changed.

Digests tell that a file is what somebody wrote, not that this package did. NumPy would take a position
in its generator that lies outside its memory, so the random state is checked down to its numbers.
"""
from __future__ import annotations

import random
import sys
from typing import Any

import mindspore as ms
import numpy as np

_MOST = 2 ** 53
_WORDS = 624  # of the Mersenne Twister, in Python and in NumPy


def faults(state: dict[str, Any], step: int) -> list[str]:
    """Say what in a checkpoint's state `OptimizerCheckpoint` cannot have written; empty when all is well.

    Args:
        state: the state as it was read, of plain values and arrays.
        step: the step that the checkpoint's manifest names.
    """
    found = _faults(state, _FORM, "state")
    if not found and state["step"] != step:
        found.append(f"state['step'] is {state['step']} in a checkpoint of step {step}")
    if not found and len(state["optimizer"]["learning_rates"]) != len(state["groups"]):
        found.append("state['optimizer']['learning_rates'] has not one entry for each group")
    return found


def _faults(value: Any, form: Any, path: str) -> list[str]:
    """Compare a value with its form: a test, a dict of forms, or a list with the form of each entry."""
    if callable(form):
        return [] if form(value) else [f"{path} is {_shown(value)}"]
    if type(value) is not type(form):
        return [f"{path} is {_shown(value)} and no {type(form).__name__}"]
    if isinstance(form, list):
        return [fault for index, each in enumerate(value) for fault in _faults(each, form[0], f"{path}[{index}]")]
    return [fault for key in form for fault in (
        _faults(value[key], form[key], f"{path}[{key!r}]") if key in value else [f"{path}[{key!r}] is missing"])]


def _shown(value: Any) -> str:
    return repr(value)[:60] if isinstance(value, (bool, int, float, str, type(None))) else f"a {type(value).__name__}"


def _is_anything(value: Any) -> bool:
    return True


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MOST


def _is_number(value: Any) -> bool:
    return type(value) in (bool, int, float) and abs(value) <= sys.float_info.max


def _may_lack(form: Any) -> Any:
    return lambda value: value is None or not _faults(value, form, "")


def _named(form: Any) -> Any:
    """A dict whose keys are any texts."""
    return lambda value: type(value) is dict and all(
        type(key) is str and not _faults(each, form, "") for key, each in value.items())


def _is_seed(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2 ** 32


def _is_array(value: Any, dtype: Any, shape: tuple[int, ...]) -> bool:
    return isinstance(value, np.ndarray) and (value.dtype, value.shape) == (dtype, shape)


def _is_python_generator(value: Any) -> bool:
    return (not _faults(value, {"version": _is_count, "words": _is_anything, "gauss": _may_lack(_is_number)}, "")
            and value["version"] == random.Random.VERSION and _is_array(value["words"], np.uint64, (_WORDS + 1,))
            and bool((value["words"] < 2 ** 32).all()) and int(value["words"][-1]) <= _WORDS)


def _is_numpy_generator(value: Any) -> bool:
    if type(value) is not dict or value.get("bit_generator") != np.random.get_state(legacy=False)["bit_generator"]:
        return False
    if value["bit_generator"] != "MT19937":  # somebody has put another in its place
        return True
    form = {"state": {"key": _is_anything, "pos": _is_count}, "has_gauss": _is_count, "gauss": _is_number}
    return (not _faults(value, form, "") and _is_array(value["state"]["key"], np.uint32, (_WORDS,))
            and value["state"]["pos"] <= _WORDS and value["has_gauss"] <= 1)


def _is_mindspore_generator(value: Any) -> bool:
    now = ms.get_rng_state().asnumpy()
    return _is_array(value, now.dtype, now.shape)


_FORM: dict[str, Any] = {
    "step": _is_count, "epoch": _is_count,
    "position": {"batch": _is_count, "batches": _is_count, "steps_per_epoch": _is_count},
    "groups": [{"params": [_is_text]}],
    "optimizer": {"class": _is_text, "global_step": _may_lack(_is_count), "learning_rates": [_is_text]},
    "hyperparameters": {"base": _named([lambda value: value is None or type(value) in (int, float)])},
    "loss_scale": _may_lack({"class": _is_text, "values": _named(_is_number)}),
    "callbacks": [{"class": _is_text, "state": _is_anything}],
    "random": {"python": _is_python_generator, "numpy": _is_numpy_generator,
               "mindspore": {"seed": _may_lack(_is_seed), "dataset_seed": _is_seed,
                             "generator": _is_mindspore_generator}},
    "ranks": _is_count,
}
