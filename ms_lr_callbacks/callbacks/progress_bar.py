"""Progress of a training, for people who watch."""
from __future__ import annotations

import datetime
import logging
import sys
import time
from typing import IO, Any, Callable, Mapping, Optional

from mindspore.train import Callback

from ms_lr_callbacks._ranks import rank
from ms_lr_callbacks.monitoring.bar_display import Display, choose_display
from ms_lr_callbacks.training.losses import fetch, loss_of
from ms_lr_callbacks.training.run import TrainingRun

_LOGGER = logging.getLogger("ms_lr_callbacks")
_BAR_SECONDS = 0.5


class ProgressBar(Callback):
    """Show epoch, steps per second, loss, learning rate, metrics and the time left.

    In a terminal and in a notebook it is a bar of tqdm. Elsewhere, in a log file or a pipe, it is
    plain lines without control characters, one every `line_seconds` and one at the end of each epoch.
    A resumed run is shown from where it is. Silent on all ranks but 0, and in ``Model.eval``.

    The device is asked for the loss and the learning rate only when the display is refreshed: twice
    a second for a bar.

    Args:
        stream: where to write; None is ``sys.stderr``, or the notebook's output.
        line_seconds: seconds, > 0, between two lines where no bar can be drawn.

    Raises:
        TypeError: `stream` cannot be written to.
        ValueError: `line_seconds` is not a positive number.
        ImportError: at train begin: a bar is called for and tqdm is not installed.

    Examples:
        >>> from ms_lr_callbacks import ProgressBar
        >>> bar = ProgressBar(line_seconds=60)
        >>> # model.fit(10, dataset, test_dataset, callbacks=[scheduler, bar])
    """

    def __init__(self, stream: Optional[IO[str]] = None, *, line_seconds: float = 10.0) -> None:
        super().__init__()
        if stream is not None and not callable(getattr(stream, "write", None)):
            raise TypeError(f"stream must be an open text file or None, but got {stream!r}.")
        if isinstance(line_seconds, bool) or not isinstance(line_seconds, (int, float)) or not line_seconds > 0:
            raise ValueError(f"line_seconds must be a positive number of seconds, but got {line_seconds!r}.")
        self._stream = stream
        self._line_seconds = float(line_seconds)
        self._display: Optional[Display] = None
        self._run: TrainingRun
        self._epochs = 0  # number of the training's last epoch
        self._done = self._total = 0  # steps of this epoch
        self._last_call = 0
        self._refreshed_at = 0.0
        self._pace = _Pace()

    def on_train_begin(self, run_context: Any) -> None:
        """Choose the display."""
        self._run = TrainingRun.of(run_context)
        self._last_call = int(run_context.original_args().cur_step_num)
        self._epochs = 0
        self._pace = _Pace()
        self._display = None
        if rank() == 0:
            self._display = choose_display(self._stream, sys.stderr, _BAR_SECONDS, self._line_seconds)

    def on_train_epoch_begin(self, run_context: Any) -> None:
        """Begin a bar."""
        cb_params = run_context.original_args()
        self._run.begin(cb_params)
        if self._display is None:
            return
        epoch = self._run.epoch(cb_params)
        self._total = int(cb_params.batch_num)
        self._done = 0
        if not self._epochs:
            self._epochs = epoch + int(cb_params.epoch_num)
            self._done = _steps_left_out(cb_params.train_dataset) % max(self._total, 1)
            self._pace.start((self._epochs - epoch) * self._total - self._done)
        self._show(lambda display: display.start(f"epoch {epoch + 1}/{self._epochs}", self._done, self._total))
        self._refreshed_at = time.monotonic()

    def on_train_step_end(self, run_context: Any) -> None:
        """Refresh the display if it is time to."""
        cb_params = run_context.original_args()
        self._run.end_step(cb_params)
        if self._display is None:
            return
        steps = int(cb_params.cur_step_num) - self._last_call
        self._last_call += steps
        self._done += steps
        self._pace.add(steps)
        now = time.monotonic()
        if now - self._refreshed_at >= self._display.pause:
            self._refreshed_at = now
            text = f"{self._numbers(cb_params)}, {self._pace.time_left()} left"
            self._show(lambda display: display.update(self._done, text))

    def on_train_epoch_end(self, run_context: Any) -> None:
        """End the bar, with the metrics if there was an evaluation."""
        cb_params = run_context.original_args()
        self._run.end_epoch(cb_params)
        if self._display is not None:
            metrics = _metrics_text(cb_params.get("eval_results") or cb_params.get("metrics") or {})
            text = self._numbers(cb_params)
            self._show(lambda display: display.finish(self._done, text, metrics))

    def on_train_end(self, run_context: Any) -> None:
        """Let the next training begin anew."""
        self._run.end()
        self._display = None

    def __exit__(self, *error: Any) -> None:
        # Model.fit also enters and exits the callbacks around each evaluation; only an exception ends the run.
        if error and error[0] is not None:
            self._show(lambda display: display.abort())
            self._display = None

    def _show(self, call: Callable[[Display], None]) -> None:
        """Have something displayed, if anything is."""
        if self._display is not None:
            try:
                call(self._display)
            except (OSError, ValueError):  # the terminal has gone, the file is closed, the disk is full
                self._display = None
                _LOGGER.exception("ProgressBar cannot write and shows nothing more of this training, which goes on.")

    def _numbers(self, cb_params: Any) -> str:
        """Return loss and learning rate in words; waits for the device."""
        access = self._run.access
        rates = sorted({float(rate) for rate in access.last_rates()})
        shown = "/".join(f"{rate:.3g}" for rate in rates) if len(rates) <= 3 else f"{rates[0]:.3g}..{rates[-1]:.3g}"
        loss = loss_of(cb_params.get("net_outputs"))
        return f"lr {shown}" if loss is None else f"loss {fetch(loss):.4g}, lr {shown}"


class _Pace:
    """How long the rest of a training takes; its first step, which compiles, does not count."""

    def __init__(self) -> None:
        self._left = self._counted = 0
        self._began: Optional[float] = None

    def start(self, steps: int) -> None:
        self._left = steps

    def add(self, steps: int) -> None:
        self._left -= steps
        if self._began is None:
            self._began = time.monotonic()
        else:
            self._counted += steps

    def time_left(self) -> str:
        if self._began is None or not self._counted:
            return "?"
        seconds = (time.monotonic() - self._began) / self._counted * max(self._left, 0)
        return str(datetime.timedelta(seconds=round(seconds)))


def _steps_left_out(dataset: Any) -> int:
    """Return how many steps of the first epoch a resumed dataset leaves out."""
    get = getattr(dataset, "get_init_step", None)
    return int(get()) if callable(get) else 0


def _metrics_text(results: Mapping[str, Any]) -> str:
    """Return metrics in words.

    MindSpore's own ``eval_loss`` is the loss of the last batch alone: a metric ``loss`` of the user's,
    the mean, takes its place.
    """
    own = {name for name in results if f"eval_{name}" in results}
    named = {name if name.startswith("eval_") else f"eval_{name}": value for name, value in results.items()
             if not (name.startswith("eval_") and name[len("eval_"):] in own)}
    return ", ".join(f"{name} {_short(value)}" for name, value in named.items())


def _short(value: Any) -> str:
    try:
        return f"{float(value):.4g}"
    except (TypeError, ValueError):  # a metric may be anything, an array for example
        return str(value)
