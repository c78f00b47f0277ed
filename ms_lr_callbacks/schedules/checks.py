"""Checks of constructor arguments: each returns the plain Python value or says what is wrong.

Every message names the schedule, the argument, the value received and what is allowed.
"""
from __future__ import annotations

import inspect
import math
import operator
from typing import Any, Callable, Optional, Sequence, Tuple


def _fault(owner: str, name: str, allowed: str, value: object) -> str:
    return f"{owner}: {name} must be {allowed}, got {value!r}"


def _per_group(value: object) -> str:
    return "; for one value per group give a list of schedules" if isinstance(value, (list, tuple)) else ""


def integer(owner: str, name: str, value: object, *, low: int) -> int:
    """Return ``value`` as an int that is at least ``low``."""
    allowed = f"an int >= {low}"
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        remedy = f"; write {int(value)}" if isinstance(value, float) and value.is_integer() else ""
        raise TypeError(_fault(owner, name, allowed, value) + f" of type {type(value).__name__}{remedy}")
    number = operator.index(value)
    if number < low:
        raise ValueError(_fault(owner, name, allowed, value))
    return number


def real(owner: str, name: str, value: object, *, low: float = -math.inf, high: float = math.inf,
         above: Optional[float] = None) -> float:
    """Return ``value`` as a finite float in ``[low, high]``, or in ``(above, high]``."""
    floor = low if above is None else above
    allowed = "a finite number"
    if math.isfinite(high):
        allowed = f"a number in {'[' if above is None else '('}{floor:g}, {high:g}]"
    elif math.isfinite(floor):
        allowed = f"a finite number {'>=' if above is None else '>'} {floor:g}"
    number = plain_float(value)
    if number is None:
        raise TypeError(_fault(owner, name, allowed, value) + f" of type {type(value).__name__}"
                        + _per_group(value))
    if not math.isfinite(number) or not low <= number <= high or (above is not None and number <= above):
        raise ValueError(_fault(owner, name, allowed, value))
    return number


def plain_float(value: object) -> Optional[float]:
    """Return ``value`` as a float if it is a number (Python's or NumPy's, no bool), else None."""
    if isinstance(value, (float, int)) and not isinstance(value, bool):
        return float(value)
    if getattr(value, "shape", None) == () and getattr(getattr(value, "dtype", None), "kind", "") in "iuf":
        return float(value)  # type: ignore[arg-type]
    return None


def integers(owner: str, name: str, value: object, *, low: int = 0) -> Tuple[int, ...]:
    """Return ``value``, an iterable of ints that are at least ``low``, as a tuple."""
    items = sequence(owner, name, value, "a list of ints")
    return tuple(integer(owner, f"{name}[{i}]", item, low=low) for i, item in enumerate(items))


def sequence(owner: str, name: str, value: object, allowed: str) -> Sequence[Any]:
    """Return the items of ``value``, any iterable that is not a string."""
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise TypeError(_fault(owner, name, allowed, value) + f" of type {type(value).__name__}")
    return tuple(value)


def choice(owner: str, name: str, value: object, allowed: Sequence[str]) -> str:
    """Return ``value`` if it is one of the ``allowed`` words."""
    if not isinstance(value, str) or value not in allowed:
        words = ", ".join(repr(word) for word in allowed)
        raise ValueError(_fault(owner, name, f"one of {words}", value))
    return value


def flag(owner: str, name: str, value: object) -> bool:
    """Return ``value`` if it is a bool."""
    if not isinstance(value, bool):
        raise TypeError(_fault(owner, name, "True or False", value))
    return value


def function(owner: str, name: str, value: object, *arguments: str, remedy: str = "") -> Callable[..., float]:
    """Return ``value`` if it can be called with the ``arguments``, positional ones."""
    if not callable(value):
        raise TypeError(_fault(owner, name, "a function", value) + _per_group(value))
    if not takes(value, len(arguments)):
        raise TypeError(_fault(owner, name, f"a function f({', '.join(arguments)})", value)
                        + f", which takes other arguments{remedy}")
    return value


def takes(function: Callable[..., Any], count: int) -> bool:
    """Return whether ``function`` can be called with ``count`` positional arguments; True if that cannot be seen."""
    try:
        # A wrapper may take other arguments than the function it claims to be.
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True
