"""Lines for Python's ``logging``."""
from __future__ import annotations

import logging
from typing import Sequence, Union

from ms_lr_callbacks.writers.base import Scalars, ScalarWriter


class LoggingWriter(ScalarWriter):
    """Log one line for each step, ``[120] lr = 0.1, loss = 0.53``, through ``logging``.

    Args:
        logger: a logger or its name.
        level: the level of the lines, as in ``logging.INFO``.
        every: log only steps whose number is a multiple of this whole number >= 1.

    Raises:
        ValueError: `every` is not a whole number >= 1.

    Examples:
        >>> import logging, sys
        >>> from ms_lr_callbacks.writers import LoggingWriter, Scalars
        >>> logger = logging.Logger("example")
        >>> logger.addHandler(logging.StreamHandler(sys.stdout))
        >>> LoggingWriter(logger, every=10).write(
        ...     [Scalars(step, {"lr": 0.5 / step}, wall_time=0.0) for step in range(1, 21)])
        [10] lr = 0.05
        [20] lr = 0.025
    """

    def __init__(self, logger: Union[str, logging.Logger] = "ms_lr_callbacks.scalars", level: int = logging.INFO,
                 every: int = 1) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every must be a whole number >= 1, but got {every!r}.")
        self._logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self._level = level
        self._every = every

    def write(self, points: Sequence[Scalars]) -> None:
        for point in points:
            if point.step % self._every == 0:
                values = ", ".join(f"{tag} = {value:.6g}" for tag, value in point.values.items())
                self._logger.log(self._level, "[%d] %s", point.step, values)

    def flush(self) -> None:
        for handler in self._logger.handlers:
            handler.flush()
