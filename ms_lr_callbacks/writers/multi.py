"""Several writers as one, none of which can harm the others or the training."""
from __future__ import annotations

import logging
import threading
from typing import Callable, Iterable, Sequence

from ms_lr_callbacks.writers.base import Scalars, ScalarWriter

_LOGGER = logging.getLogger("ms_lr_callbacks")


class MultiWriter(ScalarWriter):
    """Hand every point to each of several writers.

    A writer that raises is reported once, through ``logging`` as an error of the logger
    ``ms_lr_callbacks``, and gets nothing more until the next `open`; the others go on.

    Args:
        writers: any number of writers.

    Examples:
        >>> from ms_lr_callbacks.writers import AddScalarWriter, MultiWriter, Scalars
        >>> class Show:
        ...     def add_scalar(self, tag, value, step):
        ...         print(step, tag, value)
        >>> writer = MultiWriter([AddScalarWriter(Show()), AddScalarWriter(Show())])
        >>> writer.open(after_step=0)
        >>> writer.write([Scalars(1, {"lr": 0.5}, wall_time=0.0)])
        1 lr 0.5
        1 lr 0.5
    """

    def __init__(self, writers: Iterable[ScalarWriter]) -> None:
        self._writers = list(writers)
        self._failed: list[ScalarWriter] = []

    def open(self, after_step: int) -> None:
        self._failed = []
        self._each(lambda writer: writer.open(after_step))

    def write(self, points: Sequence[Scalars]) -> None:
        self._each(lambda writer: writer.write(points))

    def flush(self) -> None:
        self._each(lambda writer: writer.flush())

    def close(self) -> None:
        self._each(lambda writer: writer.close())

    def _each(self, call: Callable[[ScalarWriter], None]) -> None:
        for writer in self._writers:
            if not any(writer is failed for failed in self._failed):
                try:
                    call(writer)
                except BaseException as error:  # whatever a writer raises, the training matters more
                    if not isinstance(error, Exception) and threading.current_thread() is threading.main_thread():
                        raise  # a wish to stop, not of the writer's making
                    self._failed.append(writer)
                    _LOGGER.exception("%s failed and gets no more values; the training and the other writers go on.",
                                      type(writer).__name__)
