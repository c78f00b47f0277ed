"""Everything that a user of the package may name, found through the package itself."""
from __future__ import annotations

import inspect
import types
from typing import Any, Iterator

from mindspore.train import Callback

import ms_lr_callbacks
from ms_lr_callbacks import schedules, writers

PACKAGE = "ms_lr_callbacks"


def public_objects() -> dict[str, Any]:
    """Return every public class and function by its full name, without the package's own."""
    found = {name: getattr(ms_lr_callbacks, name) for name in ms_lr_callbacks.__all__}
    objects = {name: each for name, each in found.items() if not isinstance(each, (str, types.ModuleType))}
    for module in (schedules, writers):
        short = module.__name__.rpartition(".")[2]
        objects.update({f"{short}.{name}": getattr(module, name) for name in module.__all__})
    return objects


def public_methods(owner: type) -> Iterator[tuple[str, Any]]:
    """Yield the methods of a class that a user calls, inherited ones of this package included.

    Not the hooks: their interface is MindSpore's, and MindSpore calls them.
    """
    for name in sorted(dir(owner)):
        if name.startswith("_") or hasattr(Callback, name):
            continue
        home = next(each for each in owner.__mro__ if name in vars(each))
        value = inspect.getattr_static(owner, name)
        if home.__module__.startswith(PACKAGE) and (
                inspect.isfunction(value) or isinstance(value, (classmethod, staticmethod))):
            yield name, getattr(owner, name)
