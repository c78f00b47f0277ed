"""The layout of a state that a user hands over: what of it can be read, and what is wrong with the rest.

A state may come from a file or from somebody's own code, so nothing of it is taken for granted. Whether
its tensors and numbers fit an optimizer is `state`'s to say.
"""
from __future__ import annotations

import math
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from ms_lr_callbacks._arrays import AnyArray

_KEYS = ("state", "param_groups", "global_step")
_DESCRIPTIVE = ("initial_lr", "lr_form", "params")  # a group may come without these
_MOST_UPDATES = 2 ** 31 - 1  # optimizers count in int32


class GivenState:
    """What could be read of a state in the layout of `state_dict`.

    Attributes:
        tensors: the arrays of each parameter, by its number and their names.
        groups: the parameter groups; None where there is no list of them.
        updates: ``global_step``; None where there is none.
        problems: in words, what is missing, unexpected or not what it should be.
    """

    def __init__(self, state: Mapping[str, Any], own_groups: Sequence[Mapping[str, Any]]) -> None:
        """`own_groups`: the groups of the optimizer that the state is to be loaded into."""
        self.problems = [f"unexpected {key}" for key in state if key not in _KEYS]
        self.problems += [f"{key} is missing" for key in _KEYS if key not in state]
        self.tensors = self._read_tensors(state.get("state", {}))
        self.groups = self._read_groups(state.get("param_groups"), own_groups)
        self.updates: Optional[int] = None
        step: Any = state.get("global_step")
        if _is_int(step) and 0 <= step <= _MOST_UPDATES:
            self.updates = int(step)
        elif "global_step" in state:
            self.problems.append(f"global_step is {_shown(step)}, and not a whole number from 0 to {_MOST_UPDATES}")

    def _read_tensors(self, given: Any) -> dict[Any, dict[str, AnyArray]]:
        if not isinstance(given, Mapping):
            self.problems.append(f"state is {_shown(given)}, and not a dict with one entry for each parameter")
            return {}
        tensors: dict[Any, dict[str, AnyArray]] = {}
        for index, slots in given.items():
            if not isinstance(slots, Mapping):
                self.problems.append(f"parameter {index} has {_shown(slots)}, and not a dict of arrays")
                continue
            tensors[index] = {}
            for name, value in slots.items():
                try:
                    tensors[index][name] = np.asarray(value)
                except (ValueError, TypeError) as error:
                    self.problems.append(f"parameter {index}: {name} is no array: {error}")
        return tensors

    def _read_groups(self, given: Any, own_groups: Sequence[Mapping[str, Any]]) -> Optional[list[dict[str, Any]]]:
        if given is None:
            return None
        if not isinstance(given, (list, tuple)) or not all(isinstance(group, Mapping) for group in given):
            self.problems.append(f"param_groups is {_shown(given)}, and not a list of dicts")
            return None
        groups = [{name: value for name, value in group.items() if self._is_sound(index, name, value)}
                  for index, group in enumerate(given)]
        for index, (group, own) in enumerate(zip(given, own_groups)):
            self.problems += [f"group {index}: {name} is missing" for name in own
                              if name not in group and name not in _DESCRIPTIVE]
            self.problems += [f"group {index}: unexpected {name}" for name in group if name not in own]
        return groups

    def _is_sound(self, index: int, name: str, value: Any) -> bool:
        """Whether one entry of a group has a type that it may have; notes it if not."""
        wanted = "a number"
        if name == "params":
            wanted, sound = "a list of whole numbers", isinstance(value, (list, tuple)) and all(map(_is_int, value))
        elif name == "lr_form":
            wanted, sound = "a text", isinstance(value, str)
        elif name == "betas":
            wanted = "two numbers"
            sound = isinstance(value, (list, tuple)) and len(value) == 2 and all(map(_is_number, value))
        else:
            sound = value is None or _is_number(value)
        if not sound:
            self.problems.append(f"group {index}: {name} is {_shown(value)}, and not {wanted}")
        return sound


def _is_int(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    return (_is_int(value) or isinstance(value, (float, np.floating))) and not math.isnan(value)


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, (str, int, float, type(None))) and len(repr(value)) < 60 \
        else f"a {type(value).__name__}"
