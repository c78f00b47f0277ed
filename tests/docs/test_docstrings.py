"""The docstring of every public name says what its arguments are and what it returns, with an example.

Public is what can be imported from the package and its two public modules, and what the reference shows beside
that: classes whose objects a user is handed. Examples are run by the doctests. A method that overrides one of
this package, as the writers do, may leave to it what does not change.
"""
from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from public_names import handed_out, has_members_documented, public_methods, public_objects, public_properties

OBJECTS = {**public_objects(), **handed_out()}
METHODS = [(owner, name) for owner, each in OBJECTS.items() if isinstance(each, type)
           if owner in public_objects() or has_members_documented(owner) for name, _ in public_methods(each)]
PROPERTIES = [(owner, name) for owner, each in OBJECTS.items() if isinstance(each, type)
              for name in public_properties(each)]


def section(text: str, *titles: str) -> str:
    """Return the indented text below one of these Google-style titles, empty if there is none."""
    found = re.search(rf"^(?:{'|'.join(titles)}):\n((?:[ ]+.*\n|\n)+)", text + "\n", re.M)
    return found[1] if found else ""


def entries(text: str) -> set[str]:
    """Return the names that a section explains: those that start a line of its first indentation."""
    lines = inspect.cleandoc("\n" + text).splitlines()
    return {name.lstrip("*") for line in lines if (found := re.match(r"(\**\w+(?:, \w+)*): ", line + " "))
            for name in found[1].split(", ")}


def parameters(signature: inspect.Signature) -> set[str]:
    return {name for name in signature.parameters if name not in ("self", "cls") and not name.startswith("_")}


def docstring(owner: Any, name: str) -> str:
    """Return what a method and those that it overrides say, one after the other."""
    docs = [vars(each)[name].__doc__ for each in owner.__mro__ if name in vars(each)]
    return "\n\n".join(inspect.cleandoc(each) for each in docs if each)


@pytest.mark.parametrize("name", OBJECTS)
def test_arguments_are_explained(name: str) -> None:
    each = OBJECTS[name]
    assert each.__doc__, name
    if isinstance(each, type) and each.__init__ is object.__init__:
        return
    text = inspect.cleandoc(each.__doc__)
    explained = entries(section(text, "Args")) | (entries(section(text, "Attributes")) if isinstance(each, type)
                                                  else set())
    assert parameters(inspect.signature(each)) <= explained


@pytest.mark.parametrize("name", OBJECTS)
def test_there_is_an_example(name: str) -> None:
    assert ">>> " in section(inspect.cleandoc(OBJECTS[name].__doc__), "Example", "Examples")


@pytest.mark.parametrize("name", [name for name, each in OBJECTS.items() if inspect.isfunction(each)])
def test_what_a_function_returns_is_explained(name: str) -> None:
    each = OBJECTS[name]
    annotation = inspect.signature(each).return_annotation
    assert annotation is not inspect.Signature.empty
    assert annotation == "None" or section(inspect.cleandoc(each.__doc__), "Returns")


@pytest.mark.parametrize("owner, name", METHODS)
def test_methods_are_explained(owner: str, name: str) -> None:
    text = docstring(OBJECTS[owner], name)
    signature = inspect.signature(getattr(OBJECTS[owner], name))
    assert text
    assert parameters(signature) <= entries(section(text, "Args"))
    assert signature.return_annotation == "None" or section(text, "Returns", "Yields")


@pytest.mark.parametrize("owner, name", METHODS)
def test_methods_have_an_example(owner: str, name: str) -> None:
    """Of their own, or in that of a class that has them."""
    each = OBJECTS[owner]
    shown = "\n".join(line for base in each.__mro__ for line in (base.__doc__ or "").splitlines() if ">>> " in line)
    assert ">>> " in docstring(each, name) or f".{name}(" in shown


@pytest.mark.parametrize("owner, name", PROPERTIES)
def test_properties_are_explained(owner: str, name: str) -> None:
    assert inspect.getattr_static(OBJECTS[owner], name).__doc__


def test_what_is_looked_at() -> None:
    """Nothing of the documented surface is missed."""
    assert {("OptimizerCheckpoint", "resume"), ("LRMonitor", "plot"), ("ReduceLROnPlateau", "with_warmup"),
            ("schedules.OneCycleLR", "momentum_schedule"), ("writers.ScalarWriter", "write"),
            ("callbacks.range_test.RangeTest", "plot")} <= set(METHODS)
    assert {("LRMonitor", "history"), ("OptimizerCheckpoint", "stopped_by"),
            ("schedules.Schedule", "closed_form"), ("optimizers.Hyperparameter", "drivable")} <= set(PROPERTIES)


@pytest.mark.parametrize("text, wanted", [
    ("Sum.\n\nArgs:\n    a: one.\n    b, c: two\n        and: no.\n\nReturns:\n    It.", {"a", "b", "c"}),
    ("Sum.\n\nArgs:\n    **more: the rest.\n", {"more"}),
    ("Sum.\n\nReturns:\n    a: no.\n", set()),
])
def test_the_reader_of_sections(text: str, wanted: set[str]) -> None:
    assert entries(section(text, "Args")) == wanted
