"""Two ways to show progress: a bar that is drawn over and over, and plain lines for a log file."""
from __future__ import annotations

import os
import sys
import time
from abc import ABC, abstractmethod
from typing import IO, Any, Optional

# Without the bar's own time left, which is the epoch's: it has to fit into 80 columns.
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{rate_fmt}{postfix}]"
_FULL_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}, {rate_fmt}{postfix}]"


class Display(ABC):
    """Shows one epoch after the other.

    Attributes:
        pause: seconds to leave between two calls of `update`.
    """

    pause: float

    @abstractmethod
    def start(self, title: str, done: int, total: int) -> None:
        """Begin an epoch of `total` steps, `done` of which were done before."""

    @abstractmethod
    def update(self, done: int, text: str) -> None:
        """Show that `done` steps of the epoch are done."""

    @abstractmethod
    def finish(self, done: int, text: str, metrics: str) -> None:
        """End the epoch, with the metrics of its evaluation, if there was one."""

    def abort(self) -> None:
        """Leave the output in order after an exception."""


class BarDisplay(Display):
    """A bar of tqdm, in a terminal or a notebook."""

    def __init__(self, bar_class: Any, stream: Optional[IO[str]], pause: float) -> None:
        self.pause = pause
        self._bar_class = bar_class
        self._stream = stream
        self._title = ""
        self._bar: Any = None

    def start(self, title: str, done: int, total: int) -> None:
        width = {"dynamic_ncols": True} if _knows_width(self._stream) else {"ncols": 80}
        self._title = title
        self._bar = self._bar_class(total=total, initial=done, desc=title, unit="step", file=self._stream,
                                    mininterval=0, miniters=0, bar_format=_BAR, **width)

    def update(self, done: int, text: str) -> None:
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(done - self._bar.n)

    def finish(self, done: int, text: str, metrics: str) -> None:
        self._bar.bar_format = _FULL_BAR
        self._bar.n = done
        # What does not fit behind the bar, tqdm would cut off: it gets a line of its own.
        parts = [part for part in (text, metrics) if part]
        count = next((count for count in range(len(parts), 0, -1) if self._fits(", ".join(parts[:count]))), 0)
        self._bar.set_postfix_str(", ".join(parts[:count]), refresh=False)
        self.abort()
        if parts[count:]:
            self._bar_class.write(f"{self._title}: {', '.join(parts[count:])}", file=self._stream)

    def _fits(self, text: str) -> bool:
        """Return whether there is room for `text` behind the bar, and for a rate of a few more digits."""
        padded = f"{text}    "
        self._bar.set_postfix_str(padded, refresh=False)
        return padded in str(self._bar)

    def abort(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()


class LineDisplay(Display):
    """Whole lines, without control characters."""

    def __init__(self, stream: IO[str], pause: float) -> None:
        self.pause = pause
        self._stream = stream
        self._title = ""
        self._total = self._first = 0
        self._began = 0.0

    def start(self, title: str, done: int, total: int) -> None:
        self._title, self._first, self._total = title, done, total
        self._began = time.monotonic()

    def update(self, done: int, text: str) -> None:
        if done < self._total:  # else the line of `finish` comes next
            self._print(done, text)

    def finish(self, done: int, text: str, metrics: str) -> None:
        self._print(done, ", ".join(filter(None, (text, metrics))))

    def _print(self, done: int, text: str) -> None:
        seconds = max(time.monotonic() - self._began, 1e-9)
        rate = (done - self._first) / seconds
        print(f"{self._title}: {done}/{self._total} steps, {rate:.1f} steps/s{', ' * bool(text)}{text}",
              file=self._stream, flush=True)


def choose_display(stream: Optional[IO[str]], default: IO[str], bar_seconds: float, line_seconds: float) -> Display:
    """Return the display that suits where the output goes.

    Args:
        stream: where to write; None for `default`, or for a notebook's own output.
        default: the stream to use if None was given.
        bar_seconds: pause between two refreshes of a bar.
        line_seconds: pause between two lines.

    Raises:
        ImportError: a bar is called for and tqdm is not installed.
    """
    target = default if stream is None else stream
    if stream is None and _is_notebook():
        return BarDisplay(_tqdm(), None, bar_seconds)
    if _is_terminal(target):
        return BarDisplay(_tqdm(), target, bar_seconds)
    return LineDisplay(target, line_seconds)


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # there is no such method or stream, or it is closed
        return False


def _knows_width(stream: Optional[IO[str]]) -> bool:
    """Return whether the terminal tells its width; some say 0, and tqdm would draw nothing."""
    if stream is None:
        return True
    try:
        return os.get_terminal_size(stream.fileno()).columns > 0
    except (OSError, ValueError, AttributeError):
        return False


def _tqdm() -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("ProgressBar draws its bar with tqdm; install it with: pip install "
                          "'ms_lr_callbacks[progress]'") from error
    return tqdm


def _is_notebook() -> bool:
    """Return whether this runs in a notebook's kernel, the way tqdm finds out."""
    # A kernel has imported IPython long before; there is no need to import it here.
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in shell.config
