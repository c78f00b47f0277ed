"""Logged updates on their way to history and writers."""
from __future__ import annotations

import logging
import math
from typing import Any, Sequence

import numpy as np

from ms_lr_callbacks._arrays import Float32Array, IntArray
from ms_lr_callbacks.training.losses import fetch
from ms_lr_callbacks.writers.base import Scalars

_LOGGER = logging.getLogger("ms_lr_callbacks")
CAPACITY = 1024


class LoggedSteps:
    """Up to `CAPACITY` updates: what they used, and their losses as they came from the device."""

    def __init__(self, columns: int) -> None:
        self._updates: IntArray = np.empty(CAPACITY, np.int64)
        self._times = np.empty(CAPACITY, np.float64)
        self._rows: Float32Array = np.empty((CAPACITY, columns), np.float32)
        self._losses: list[tuple[int, Any]] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def full(self) -> bool:
        """Whether nothing more can be added."""
        return self._length == CAPACITY

    @property
    def updates(self) -> IntArray:
        """The numbers, from 0, of the updates."""
        return self._updates[:self._length]

    @property
    def rows(self) -> Float32Array:
        """What they used, one row for each."""
        return self._rows[:self._length]

    def next_row(self) -> Float32Array:
        """Return the row to fill in for the update that is added next."""
        row: Float32Array = self._rows[self._length]
        return row

    def add(self, update: int, time: float) -> None:
        """Add an update whose row has been filled in."""
        self._updates[self._length] = update
        self._times[self._length] = time
        self._length += 1

    def add_loss(self, loss: Any) -> None:
        """Add the loss, not fetched, of the update added last."""
        self._losses.append((self._length - 1, loss))

    def fetch_losses(self, dying: bool) -> None:
        """Turn the losses into numbers; waits for the device.

        Args:
            dying: whether the training has failed; then a loss that cannot be had becomes NaN.
        """
        fetched: list[tuple[int, Any]] = []
        for index, loss in self._losses:
            try:
                fetched.append((index, fetch(loss)))
            except Exception:
                if not dying:
                    raise
                fetched.append((index, math.nan))
        self._losses = fetched

    def losses(self) -> tuple[IntArray, Any]:
        """Return the steps (updates done) that have a loss, and the losses as a column."""
        places = np.array([index for index, _ in self._losses], np.int64)
        return self.updates[places] + 1, np.array([[loss] for _, loss in self._losses], np.float64).reshape(-1, 1)

    def scalars(self, tags: Sequence[str]) -> list[Scalars]:
        """Return everything as points for a writer."""
        points = [Scalars(update + 1, dict(zip(tags, row)), time)
                  for update, row, time in zip(self.updates.tolist(), self.rows.tolist(), self._times.tolist())]
        for index, loss in self._losses:
            points[index].values["loss"] = loss  # type: ignore[index]
        return points
