"""TensorBoard event files, through tensorboardX."""
from __future__ import annotations

import os
import time
from typing import Any, Optional, Sequence, Union

from ms_lr_callbacks.writers.base import Scalars, ScalarWriter
from ms_lr_callbacks.writers.destination import checked_folder


class TensorBoardWriter(ScalarWriter):
    """Write scalars for TensorBoard.

    An event file is only ever added to, so points are taken back by the mark that TensorBoard knows
    for it: a session start at a step hides whatever stands there and behind it. Each opening
    starts a file of its own, whose name sorts behind all earlier ones.

    tensorboardX's own ``SummaryWriter`` is passed by: it writes in a thread whose errors nobody
    sees, and after one (a full disk) every further call blocks for ever.

    Args:
        log_dir: the folder, made if missing; what you call ``tensorboard --logdir`` with.

    Raises:
        ImportError: when opened: tensorboardX is not installed.
        OSError: `log_dir` is a file, or nothing can be written there.

    Examples:
        >>> import tempfile
        >>> from ms_lr_callbacks.writers import Scalars, TensorBoardWriter
        >>> writer = TensorBoardWriter(tempfile.mkdtemp())
        >>> writer.open(after_step=0)
        >>> writer.write([Scalars(1, {"lr": 0.1}, wall_time=0.0)])
        >>> writer.close()
    """

    def __init__(self, log_dir: Union[str, os.PathLike[str]]) -> None:
        self._log_dir = str(checked_folder("log_dir", log_dir))
        self._events: Optional[Any] = None

    def open(self, after_step: int) -> None:
        self.close()
        try:
            from tensorboardX.event_file_writer import EventsWriter
        except ImportError as error:
            raise ImportError(
                "TensorBoardWriter needs tensorboardX; install it with: pip install tensorboardX") from error
        os.makedirs(self._log_dir, exist_ok=True)
        # tensorboardX names files by the second, and opening an existing name would empty it.
        unique = f".{time.time_ns():020d}.{os.getpid()}"
        self._events = EventsWriter(os.path.join(self._log_dir, "events"), filename_suffix=unique)
        self._events.write_event(_session_start(after_step + 1))
        self._events.flush()

    def write(self, points: Sequence[Scalars]) -> None:
        if self._events is None:
            raise ValueError("TensorBoardWriter was written to before open() or after close(); open it first.")
        for point in points:
            self._events.write_event(_event(point))

    def flush(self) -> None:
        if self._events is not None:
            self._events.flush()

    def close(self) -> None:
        events, self._events = self._events, None
        if events is not None:
            events.close()


def _session_start(step: int) -> Any:
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    return Event(step=step, wall_time=time.time(), session_log=SessionLog(status=SessionLog.START))


def _event(point: Scalars) -> Any:
    """Return all values of one step as one event."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    values = [Summary.Value(tag=tag, simple_value=float(value)) for tag, value in point.values.items()]
    return Event(step=point.step, wall_time=point.wall_time, summary=Summary(value=values))
