"""A schedule's first values: as an array, and as the list a MindSpore optimizer takes."""
from __future__ import annotations

from typing import List

import numpy as np

from ms_lr_callbacks.schedules import checks
from ms_lr_callbacks.schedules.base import FloatArray, ScheduleLike, as_schedule


def values(schedule: ScheduleLike, base: float, n: int) -> FloatArray:
    """Return what the first ``n`` updates use.

    Args:
        schedule: a schedule or a function ``f(t, base) -> float``.
        base: the base value.
        n: number of updates, an int >= 0.

    Returns:
        A float64 array of shape ``(n,)``.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: ``n`` is negative.

    Example:
        >>> from ms_lr_callbacks.schedules import ExponentialLR, values
        >>> values(ExponentialLR(gamma=0.5), 0.8, 4)
        array([0.8, 0.4, 0.2, 0.1])
    """
    steps = np.arange(checks.integer("values", "n", n, low=0), dtype=np.int64)
    return as_schedule("values", "schedule", schedule)(steps, base)


def to_list(schedule: ScheduleLike, base: float, n: int) -> List[float]:
    """Return what the first ``n`` updates use, for ``learning_rate=`` of a MindSpore optimizer.

    The optimizer fails when it is asked for more updates than the list has entries.

    Args:
        schedule: a schedule or a function ``f(t, base) -> float``.
        base: the base value.
        n: number of updates, an int >= 0.

    Returns:
        A list of ``n`` floats.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: ``n`` is negative.

    Example:
        >>> from ms_lr_callbacks.schedules import ExponentialLR, to_list
        >>> to_list(ExponentialLR(gamma=0.5), 0.8, 4)
        [0.8, 0.4, 0.2, 0.1]
    """
    numbers: List[float] = values(schedule, base, n).tolist()
    return numbers
