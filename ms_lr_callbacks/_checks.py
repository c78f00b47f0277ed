"""What a number given as an argument has to be."""
from __future__ import annotations

import math
from typing import Any, Optional

import numpy as np


def is_number(value: Any) -> bool:
    """Return whether `value` is a finite number."""
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and math.isfinite(float(value))


def is_count(value: Any, least: int = 0) -> bool:
    """Return whether `value` is a whole number, `least` or more."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) >= least


def checked_count(name: str, value: Any, least: int) -> Optional[int]:
    """Return the argument `name` as an int; None stays None.

    Raises:
        ValueError: it is neither None nor a whole number, `least` or more.
    """
    if value is None:
        return None
    if not is_count(value, least):
        raise ValueError(f"{name} must be a whole number >= {least} or None, but got {value!r}.")
    return int(value)
