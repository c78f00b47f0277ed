"""Logged updates on their way to history and writers."""
from __future__ import annotations

import logging
import math
import time
from typing import Any, Sequence

import numpy as np

from ms_lr_callbacks._arrays import Float32Array, IntArray
from ms_lr_callbacks.training.losses import fetch
from ms_lr_callbacks.writers.base import Scalars

_LOGGER = logging.getLogger("ms_lr_callbacks")
CAPACITY = 1024
# Stands where an update has no loss of its own: the call of the train network did more updates after it.
NO_LOSS = object()


class LoggedSteps:
    """Up to `CAPACITY` updates: what they used, and their losses as they came from the device."""

    def __init__(self, row: Float32Array) -> None:
        """`row`: what an update used, where nothing else is filled in for it."""
        self._updates: list[int] = []
        self._times: list[float] = []
        self._rows: Float32Array = np.tile(row, (CAPACITY, 1))
        self._kept: list[Any] = []
        self._losses: list[tuple[int, float]] = []

    def __len__(self) -> int:
        return len(self._updates)

    @property
    def full(self) -> bool:
        """Whether nothing more can be added."""
        return len(self._updates) == CAPACITY

    @property
    def updates(self) -> IntArray:
        """The numbers, from 0, of the updates."""
        return np.array(self._updates, np.int64)

    @property
    def rows(self) -> Float32Array:
        """What they used, one row for each."""
        return self._rows[:len(self._updates)]

    def next_row(self) -> Float32Array:
        """Return the row of the update that is added next, to fill it in."""
        row: Float32Array = self._rows[len(self._updates)]
        return row

    def add(self, update: int, loss: Any) -> None:
        """Add update number `update`, done just now, with its loss, not fetched, or `NO_LOSS`, or None."""
        self._updates.append(update)
        self._times.append(time.time())
        self._kept.append(loss)

    def fetch_losses(self, dying: bool) -> None:
        """Turn the losses into numbers; waits for the device.

        Args:
            dying: whether the training has failed; then a loss that cannot be had becomes NaN.
        """
        for index, loss in enumerate(self._kept):
            if loss is NO_LOSS or loss is None:
                continue
            try:
                number = fetch(loss)
            except Exception:
                if not dying:
                    raise
                number = math.nan
            self._losses.append((index, number))
        self._kept.clear()

    def losses(self) -> tuple[IntArray, Any]:
        """Return the steps (updates done) that have a loss, and the losses as a column."""
        places = np.array([index for index, _ in self._losses], np.int64)
        return self.updates[places] + 1, np.array([[loss] for _, loss in self._losses], np.float64).reshape(-1, 1)

    def scalars(self, tags: Sequence[str]) -> list[Scalars]:
        """Return everything as points for a writer."""
        points = [Scalars(update + 1, dict(zip(tags, row)), done_at)
                  for update, row, done_at in zip(self._updates, self.rows.tolist(), self._times)]
        for index, loss in self._losses:
            points[index].values["loss"] = loss  # type: ignore[index]
        return points
