"""One job at a time behind the caller's back, and no error lost.

An error of a job is raised by the next ``submit``, ``poll``, ``wait`` or ``close``. Should none of
them come, it is printed when the interpreter exits. The thread is not a daemon, so a normal exit
waits for the job.
"""
from __future__ import annotations

import sys
import threading
import weakref
from typing import Callable, Optional


class BackgroundWriter:
    """Runs submitted jobs one after the other.

    Example:
        >>> writer = BackgroundWriter()
        >>> done = []
        >>> writer.submit(lambda: done.append(1))
        >>> writer.close()
        >>> done
        [1]
    """

    def __init__(self) -> None:
        self._thread: Optional[threading.Thread] = None
        self._errors: list[BaseException] = []
        weakref.finalize(self, _report, self._errors)

    @property
    def busy(self) -> bool:
        """Whether a job is running."""
        return self._thread is not None and self._thread.is_alive()

    def submit(self, job: Callable[[], object]) -> None:
        """Start a job; waits for the one before it and raises that one's error."""
        self.wait()
        errors = self._errors

        def run() -> None:
            try:
                job()
            except BaseException as error:
                errors.append(error)

        self._thread = threading.Thread(target=run, name="checkpoint writer", daemon=False)
        self._thread.start()

    def poll(self) -> bool:
        """Raise the error of a finished job; returns whether a job is still running."""
        if self.busy:
            return True
        self.wait()
        return False

    def wait(self) -> None:
        """Wait for the job and raise its error."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._errors:
            raise self._errors.pop()

    def close(self) -> None:
        """The same as ``wait``; the writer can be used again."""
        self.wait()


def _report(errors: list[BaseException]) -> None:
    for error in errors:
        print(f"ms_lr_callbacks: a checkpoint was not written: {error}", file=sys.stderr)
