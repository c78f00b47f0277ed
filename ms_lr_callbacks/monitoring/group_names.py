"""Names for parameter groups."""
from __future__ import annotations

from typing import Mapping, Optional, Sequence, Union

GroupNames = Union[Sequence[str], Mapping[int, str]]


def check_group_names(names: Optional[GroupNames]) -> None:
    """Check the argument ``group_names`` as far as it can be checked without the optimizer.

    Raises:
        TypeError: it is neither a list of strings nor a dict from group numbers to strings.
        ValueError: a name is empty, has control characters, or is given twice.
    """
    if names is None:
        return
    if isinstance(names, str) or not isinstance(names, (Sequence, Mapping)):
        raise TypeError(f"group_names must be a list with one name for each group, or a dict from a group's number to "
                        f"its name, but got {names!r}.")
    given = list(names.values()) if isinstance(names, Mapping) else list(names)
    for name in given:
        if not isinstance(name, str):
            raise TypeError(f"group_names must hold strings, but got {name!r}.")
        if not name or not name.isprintable():
            raise ValueError(f"group_names must hold names of printable characters, but got {name!r}.")
    _check_distinct(given)


def names_of_groups(names: Optional[GroupNames], groups: int) -> list[str]:
    """Return the name of each of an optimizer's groups: ``group_0`` and so on where none is given.

    Raises:
        ValueError: `names` does not fit the number of groups, or a name stands for two groups.
    """
    defaults = [f"group_{index}" for index in range(groups)]
    if names is None:
        return defaults
    if not isinstance(names, Mapping):
        if len(names) != groups:
            raise ValueError(f"group_names has {len(names)} names {list(names)}, but the optimizer has {groups} "
                             f"parameter group{'s' * (groups != 1)}; give one name for each, in the order of the "
                             f"groups.")
        return list(names)
    unknown = [index for index in names if index not in range(groups)]
    if unknown:
        raise ValueError(f"group_names names group {unknown[0]!r}, but the optimizer's groups have the numbers "
                         f"{list(range(groups))}; correct the number.")
    chosen = [names.get(index, default) for index, default in enumerate(defaults)]
    _check_distinct(chosen)
    return chosen


def _check_distinct(names: list[str]) -> None:
    twice = [name for index, name in enumerate(names) if name in names[:index]]
    if twice:
        raise ValueError(f"group_names gives the name {twice[0]!r} to two groups; give each group a name of its own.")
