"""Values that need all values before them: computed once, kept, whoever asks in whatever order."""
from __future__ import annotations

import threading
from array import array
from typing import Callable


class Prefix:
    """The sequence ``first, following(1, first), ...``, extended on demand and safe in threads.

    Args:
        first: the value at index 0.
        following: maps an index >= 1 and the value before it to the value at that index.
    """

    def __init__(self, first: float, following: Callable[[int, float], float]) -> None:
        self._values = array("d", [first])
        self._following = following
        self._lock = threading.Lock()

    def __getitem__(self, index: int) -> float:
        values = self._values
        if index >= len(values):
            with self._lock:
                value = values[-1]
                for k in range(len(values), index + 1):
                    value = self._following(k, value)
                    values.append(value)
        return values[index]
