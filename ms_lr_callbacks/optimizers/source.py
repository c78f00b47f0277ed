"""Looking at the code of an optimizer's class: what it reads decides how it can be driven."""
from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from typing import Any, Optional

from mindspore import nn
from mindspore.experimental import optim as experimental_optim

_BASES = (nn.Optimizer, experimental_optim.Optimizer, nn.Cell, object)


def own_source(optimizer: Any) -> str:
    """Return the code of the optimizer's classes below MindSpore's base class; empty if there is none to see.

    Without comments and docstrings, which may mention what the code does not do.
    """
    return _joined(_own_classes(optimizer), True) or ""


def update_source(optimizer: Any) -> str:
    """Return what `own_source` does, without the constructors: what is read there is not read again."""
    return _joined(_own_classes(optimizer), False) or ""


def users_update_source(optimizer: Any) -> str:
    """Return what `update_source` does of the classes that are not MindSpore's own."""
    return _joined(tuple(each for each in _own_classes(optimizer) if not is_mindspores(each)), False) or ""


def has_source(optimizer: Any) -> bool:
    """Return whether the code can be seen; it cannot in some shells and in compiled packages."""
    return _joined(_own_classes(optimizer), True) is not None


def is_mindspores(cls: Any) -> bool:
    """Return whether a class is part of MindSpore."""
    return str(cls.__module__).split(".")[0] == "mindspore"


def _own_classes(optimizer: Any) -> tuple[Any, ...]:
    return tuple(each for each in type(optimizer).__mro__ if each not in _BASES and not issubclass(nn.Cell, each))


@functools.lru_cache(maxsize=None)
def _joined(classes: tuple[Any, ...], with_constructors: bool) -> Optional[str]:
    parts = [_source(each, with_constructors) for each in classes]
    return None if None in parts else "\n".join(part for part in parts if part is not None)


def _source(cls: Any, with_constructor: bool) -> Optional[str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):
        return None
    body = tree.body[0]
    if isinstance(body, ast.ClassDef) and not with_constructor:
        body.body = [each for each in body.body if getattr(each, "name", "") != "__init__"] or [ast.Pass()]
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
