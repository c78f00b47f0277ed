"""The interface of all writers of scalars.

A writer receives points in the order in which they were measured, in batches. Composition is a
writer too: `MultiWriter` hands on to several, `BackgroundWriter` hands on from a thread.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Mapping, NamedTuple, Sequence


class Scalars(NamedTuple):
    """What was measured at one step.

    Attributes:
        step: number of updates done, >= 0.
        values: the numbers by tag; NaN and infinite ones are data like any other.
        wall_time: when, in seconds since the epoch of ``time.time()``.

    Examples:
        >>> from ms_lr_callbacks.writers import Scalars
        >>> Scalars(step=1, values={"lr": 0.5}, wall_time=0.0)
        Scalars(step=1, values={'lr': 0.5}, wall_time=0.0)
    """

    step: int
    values: Mapping[str, float]
    wall_time: float


class ScalarWriter(ABC):
    """Takes scalars somewhere.

    A writer is opened before it is written to and may be opened again after it was closed; then it
    goes on where it was. Any method may raise; who calls it decides what that means.

    Examples:
        >>> from ms_lr_callbacks.writers import Scalars, ScalarWriter
        >>> class Highest(ScalarWriter):
        ...     rate = 0.0
        ...     def write(self, points):
        ...         self.rate = max(self.rate, *(point.values["lr"] for point in points))
        >>> writer = Highest()
        >>> writer.open(after_step=0)
        >>> writer.write([Scalars(1, {"lr": 0.5}, 0.0), Scalars(2, {"lr": 0.25}, 0.0)])
        >>> writer.flush()
        >>> writer.rate
        0.5
        >>> writer.close()
    """

    def open(self, after_step: int) -> None:
        """Make ready for points behind `after_step`.

        Points behind it that are already there come from a run that was killed and has been resumed
        from an earlier checkpoint: they are taken back.

        Args:
            after_step: the number of updates that the run has done, >= 0.
        """

    @abstractmethod
    def write(self, points: Sequence[Scalars]) -> None:
        """Take some points.

        Args:
            points: in ascending order of their steps.
        """

    def flush(self) -> None:
        """Bring everything taken to where it outlives the process."""

    def close(self) -> None:
        """Flush and let go of files; harmless when closed already."""
