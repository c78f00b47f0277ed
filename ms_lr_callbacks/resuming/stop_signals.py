"""SIGTERM and SIGINT as a wish to stop, instead of a blow.

A graph that runs takes SIGINT for itself and has MindSpore's handler send SIGTERM instead, so that a
Ctrl-C usually arrives here as SIGTERM.
"""
from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Optional

from ms_lr_callbacks.training.termination import TerminationGuard

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Notes SIGTERM and SIGINT between `install` and `restore`.

    The first one is noted only; the next one does what it would have done without us, so that an
    impatient user can still end a step that hangs.

    Attributes:
        received: the number of the signal that came first; None if none did.
    """

    def __init__(self) -> None:
        self.received: Optional[int] = None
        self._previous: dict[int, Any] = {}

    def install(self) -> None:
        """Start listening.

        Raises:
            ValueError: this is not the main thread, the only one that Python lets listen.
        """
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("save_on_signal=True needs Model.train to be called in the main thread, which alone may "
                             "handle signals; train there, or leave save_on_signal out.")
        for number in SIGNALS:
            self._previous[number] = signal.signal(number, self._handle)

    def restore(self) -> None:
        """Give the signals back to whoever had them before; does nothing when called again."""
        while self._previous:
            number, previous = self._previous.popitem()
            current = signal.getsignal(number)
            guard = getattr(current, "__self__", None)
            if current == self._handle:
                signal.signal(number, _living(previous))
            elif isinstance(guard, TerminationGuard) and guard.before == self._handle:
                guard.before = previous  # it came behind us and goes behind us

    def _handle(self, number: int, frame: Optional[FrameType]) -> None:
        if self.received is None:
            self.received = number
            return
        self.restore()
        signal.raise_signal(number)


def _living(handler: Any) -> Any:
    """Return `handler`, or who comes before it where that was a guard that is gone already."""
    guard = getattr(handler, "__self__", None)
    while isinstance(guard, TerminationGuard) and not guard.active:
        handler = guard.before
        guard = getattr(handler, "__self__", None)
    return signal.SIG_DFL if handler is None else handler
