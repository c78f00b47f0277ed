"""Writing from a thread."""
from __future__ import annotations

import queue
import threading
import weakref
from typing import Any, Callable, Optional, Sequence

from ms_lr_callbacks.writers.base import Scalars, ScalarWriter

_Job = Callable[[], None]


class BackgroundWriter(ScalarWriter):
    """Let another writer work in a thread of its own.

    Calls are carried out in the order in which they were made. `open`, `flush` and `close` wait for
    all that came before; `write` and `request_flush` do not wait. An error in the thread is raised by the next call,
    whichever it is; what was queued behind it is still tried.

    Args:
        writer: the writer that does the work; only the thread calls it.

    Examples:
        >>> from ms_lr_callbacks.writers import AddScalarWriter, BackgroundWriter, Scalars
        >>> class Show:
        ...     def add_scalar(self, tag, value, step):
        ...         print(step, tag, value)
        >>> writer = BackgroundWriter(AddScalarWriter(Show()))
        >>> writer.open(after_step=0)
        >>> writer.write([Scalars(1, {"lr": 0.5}, wall_time=0.0)])
        >>> writer.request_flush()
        >>> writer.close()
        1 lr 0.5
    """

    def __init__(self, writer: ScalarWriter) -> None:
        self._writer = writer
        self._jobs: queue.SimpleQueue[Optional[_Job]] = queue.SimpleQueue()
        self._errors: list[BaseException] = []
        self._thread: Optional[threading.Thread] = None
        self._at_exit: Optional[weakref.finalize[Any, BackgroundWriter]] = None

    def open(self, after_step: int) -> None:
        self._submit(lambda: self._writer.open(after_step))
        self._wait()

    def write(self, points: Sequence[Scalars]) -> None:
        self._submit(lambda: self._writer.write(points))
        self._raise_error()

    def flush(self) -> None:
        self._submit(self._writer.flush)
        self._wait()

    def request_flush(self) -> None:
        """Have everything flushed without waiting for it."""
        self._submit(self._writer.flush)

    def close(self) -> None:
        self._submit(self._writer.close)
        thread, self._thread = self._thread, None
        self._jobs.put(None)
        if thread is not None:
            thread.join()
        if self._at_exit is not None:
            self._at_exit.detach()
        self._raise_error()

    def _submit(self, job: _Job) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._jobs, self._errors), daemon=True,
                                            name="ms_lr_callbacks writer")
            self._thread.start()
            # A daemon would be cut off when the interpreter exits; let it finish its queue.
            self._at_exit = weakref.finalize(self, _finish, self._writer, self._jobs, self._thread)
        self._jobs.put(job)

    def _wait(self) -> None:
        done = threading.Event()
        self._jobs.put(done.set)
        done.wait()
        self._raise_error()

    def _raise_error(self) -> None:
        if self._errors:
            raise self._errors.pop(0)


def _work(jobs: queue.SimpleQueue[Optional[_Job]], errors: list[BaseException]) -> None:
    while True:
        job = jobs.get()
        if job is None:
            return
        try:
            job()
        except BaseException as error:  # raised by the next call; if the thread ended, that would wait for ever
            errors.append(error)


def _finish(writer: ScalarWriter, jobs: queue.SimpleQueue[Optional[_Job]], thread: threading.Thread) -> None:
    if thread.is_alive():
        jobs.put(writer.close)
        jobs.put(None)
        thread.join()
