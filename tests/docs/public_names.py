"""Everything that a user of the package may name, found through the package itself."""
from __future__ import annotations

import importlib
import inspect
import re
import types
from pathlib import Path
from typing import Any, Iterator

from mindspore.train import Callback

import ms_lr_callbacks
from ms_lr_callbacks import schedules, writers

PACKAGE = "ms_lr_callbacks"
REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "api"


def public_objects() -> dict[str, Any]:
    """Return every public class and function by its full name, without the package's own."""
    found = {name: getattr(ms_lr_callbacks, name) for name in ms_lr_callbacks.__all__}
    objects = {name: each for name, each in found.items() if not isinstance(each, (str, types.ModuleType))}
    for module in (schedules, writers):
        short = module.__name__.rpartition(".")[2]
        objects.update({f"{short}.{name}": getattr(module, name) for name in module.__all__})
    return objects


def documented() -> Iterator[str]:
    """Yield the full name of all that is in the reference."""
    for page in sorted(REFERENCE.glob("*.md")):
        module = ""
        for directive, name in re.findall(r"^\.\. (\w+):: ([\w.]+)", page.read_text(encoding="utf-8"), re.M):
            if directive == "currentmodule":
                module = name
            elif directive.startswith("auto"):
                yield name if name.startswith(f"{PACKAGE}.") else f"{module}.{name}"


def has_members_documented(short: str) -> bool:
    """Return whether the reference shows a class with its members, which are then for users."""
    entry = re.compile(rf"^\.\. autoclass:: (?:{PACKAGE}\.)?{re.escape(short)}\n   :members:", re.M)
    return any(entry.search(page.read_text(encoding="utf-8")) for page in REFERENCE.glob("*.md"))


def handed_out() -> dict[str, Any]:
    """Return the classes in the reference that a user is handed objects of and does not import.

    Not the exceptions: their message is made by who raises them.
    """
    found = {}
    for name in documented():
        short = name[len(PACKAGE) + 1:]
        if short not in public_objects():
            module, _, attribute = name.rpartition(".")
            each = getattr(importlib.import_module(module), attribute)
            if not issubclass(each, Exception):
                found[short] = each
    return found


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


def public_properties(owner: type) -> Iterator[str]:
    """Yield the names of the properties of a class that are this package's."""
    for name in sorted(dir(owner)):
        if not name.startswith("_") and isinstance(inspect.getattr_static(owner, name), property):
            if next(each for each in owner.__mro__ if name in vars(each)).__module__.startswith(PACKAGE):
                yield name
