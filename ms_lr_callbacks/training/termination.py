"""Saving what is pending when the process is told to terminate."""
from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Callable, Optional


class TerminationGuard:
    """While installed, calls a function at SIGTERM; the signal then has its ordinary effect.

    Whoever handled the signal before still does, behind this. A handler in Python runs between two
    steps of the interpreter, so it may come in the middle of anything; inside ``with guard:`` it
    waits until the block ends.

    Attributes:
        active: whether it is installed.
        before: whoever handles the signal behind this.
    """

    def __init__(self, save: Callable[[], None]) -> None:
        self._save = save
        self.active = False
        self._delayed = False
        self._waiting = False
        self._handing_on = False
        self.before: Any = None

    def install(self) -> None:
        """Begin to watch; without effect outside the main thread, where Python allows no handlers."""
        self.active = True
        if threading.current_thread() is not threading.main_thread():
            return
        before = signal.getsignal(signal.SIGTERM)
        # None is a handler that is not Python's, SIG_IGN a wish to live on.
        if before not in (None, signal.SIG_IGN, self._handle):
            self.before = before
            signal.signal(signal.SIGTERM, self._handle)

    def remove(self) -> None:
        """Watch no longer."""
        self.active = False
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == self._handle:
            signal.signal(signal.SIGTERM, self.before)

    def __enter__(self) -> None:
        """Delay the signal while what is pending is being moved."""
        self._delayed = True

    def __exit__(self, *error: Any) -> None:
        self._delayed = False
        if self._waiting:
            self._waiting = False
            self._handle(signal.SIGTERM, None)

    def _handle(self, number: int, frame: Optional[FrameType]) -> None:
        if self._delayed:
            self._waiting = True
            return
        if self.active:
            self._save()
        # The one before may raise the signal again, to have it end the process.
        if callable(self.before) and not self._handing_on:
            self._handing_on = True
            self.before(number, frame)
            self._handing_on = False
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
