"""The learning-rate range test."""
from __future__ import annotations

import math
from numbers import Real
from typing import Any, Optional

import numpy as np
from mindspore.train import Callback

from ms_lr_callbacks._checks import is_count, is_number
from ms_lr_callbacks._ranks import mean_over_ranks
from ms_lr_callbacks.training.losses import fetch, loss_of
from ms_lr_callbacks.callbacks.lr_scheduler import LRScheduler
from ms_lr_callbacks.callbacks.range_test import RangeTest
from ms_lr_callbacks.training.run import TrainingRun
from ms_lr_callbacks.training.snapshot import TrainingSnapshot
from ms_lr_callbacks.optimizers import updates_at_each_call

_DECAY = 0.8  # of the running mean that tells whether the loss explodes


class LRFinder(Callback):
    """Try ascending learning rates, one for each update, and put everything back afterwards.

    `find_lr` is the short way to use it. As a callback of a training of your own it ends that
    training when it is through: give the training at least `steps` steps.

    The loss of a step, the mean over all ranks, is paired with the rate of its update. All groups are
    scaled together: the group with the largest base rate gets the rates from `start` to `end`, the
    others keep their ratio to it. The test ends early when the running mean of the loss exceeds both the
    first loss and `explosion` times the smallest mean, or when a loss is not finite.

    Args:
        start: the first rate, > 0.
        end: the last rate, > `start`.
        steps: number of updates, a whole number >= 3.
        mode: ``"exp"`` multiplies the rate by the same factor from step to step, ``"linear"`` adds
            the same amount.
        explosion: factor > 1; infinity never ends the test early but for a loss that is not finite.

    Attributes:
        result: what was found, a `RangeTest`; None before a test has ended.

    Raises:
        ValueError: an argument is out of range. At train begin: a group has a dynamic rate; see also
            `LRScheduler`.

    Examples:
        >>> from ms_lr_callbacks import LRFinder
        >>> finder = LRFinder(start=1e-5, end=1.0, steps=50)
        >>> # model.train(1, dataset, callbacks=[finder])
        >>> # finder.result.suggestion
    """

    def __init__(self, start: float = 1e-7, end: float = 10.0, steps: int = 100, mode: str = "exp",
                 explosion: float = 4.0) -> None:
        super().__init__()
        _check(start, end, steps, mode, explosion)
        self.result: Optional[RangeTest] = None
        space = np.geomspace if mode == "exp" else np.linspace
        self._planned = space(start, end, int(steps)).astype(np.float64)
        self._mode = mode
        self._explosion = explosion
        self._losses: list[float] = []
        self._mean = _RunningMean()
        self._diverged = False
        self._scheduler: LRScheduler
        self._run: TrainingRun
        self._snapshot: Optional[TrainingSnapshot] = None

    def on_train_begin(self, run_context: Any) -> None:
        """Keep the state of the training aside and take the learning rates in hand."""
        cb_params = run_context.original_args()
        self._run = TrainingRun.of(run_context)
        access = self._run.access
        self._losses, self._mean, self._diverged = [], _RunningMean(), False
        access.refuse_dynamic_rates("A range test drives", "build the optimizer with a float for the test")
        largest = max((base for base in access.place("lr").bases() if base is not None), default=0.0)
        self._scheduler = LRScheduler(lambda t, base: self._rate(t, base / largest if largest else 1.0), start_step=0)
        self._snapshot = TrainingSnapshot(cb_params.train_network, access, cb_params.get("loss_scale_mananger"))
        self._scheduler.on_train_begin(run_context)

    def on_train_epoch_begin(self, run_context: Any) -> None:
        """Set the first rate."""
        self._scheduler.on_train_epoch_begin(run_context)

    def on_train_step_begin(self, run_context: Any) -> None:
        """Raise what went wrong with the rate of this step."""
        self._scheduler.on_train_step_begin(run_context)

    def on_train_step_end(self, run_context: Any) -> None:
        """Note the loss; set the next rate, or end the training."""
        cb_params = run_context.original_args()
        self._scheduler.on_train_step_end(run_context)
        done = self._run.updates_done - self._run.updates_before
        if done <= len(self._losses):
            return
        # All ranks have to end the test at the same step.
        loss = mean_over_ranks(fetch(loss_of(cb_params.net_outputs)))
        # Should one call have done several updates, they share its loss.
        self._losses += [loss] * (min(done, len(self._planned)) - len(self._losses))
        self._diverged = not math.isfinite(loss) or self._mean.explodes(loss, self._explosion)
        if self._diverged or len(self._losses) >= len(self._planned):
            run_context.request_stop()

    def on_train_epoch_end(self, run_context: Any) -> None:
        """Go on with the next epoch."""
        self._scheduler.on_train_epoch_end(run_context)

    def on_train_end(self, run_context: Any) -> None:
        """Put everything back."""
        self._scheduler.on_train_end(run_context)
        count = len(self._losses)
        self.result = RangeTest(self._planned[:count], np.array(self._losses, np.float64), self._mode, self._diverged)
        self._restore()

    def __exit__(self, *error: Any) -> None:
        # Model.fit also enters and exits the callbacks around each evaluation; only an exception ends the run.
        if error and error[0] is not None and self._snapshot is not None:
            self._scheduler.__exit__(*error)
            self._restore()

    def _rate(self, t: int, ratio: float) -> float:
        return float(self._planned[min(t, len(self._planned) - 1)]) * ratio

    def _restore(self) -> None:
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is not None:
            snapshot.restore()


def find_lr(model: Any, dataset: Any, start: float = 1e-7, end: float = 10.0, steps: int = 100,
            mode: str = "exp", *, explosion: float = 4.0) -> RangeTest:
    """Run a learning-rate range test and leave everything as it was.

    Network, optimizer, loss scale and step counters are afterwards bit-identical to before, also when
    the test is interrupted by an exception.

    Args:
        model: a ``mindspore.train.Model``.
        dataset: the training dataset; it is gone through as often as `steps` takes.
        start: the first rate, > 0.
        end: the last rate, > `start`.
        steps: number of updates, a whole number >= 3.
        mode: ``"exp"`` or ``"linear"``, how the rates are spaced.
        explosion: the test ends early when the loss exceeds this many times its smallest value.

    Returns:
        A `RangeTest` with ``rates``, ``losses``, ``smoothed``, ``suggestion`` and ``plot(path)``.

    Raises:
        TypeError: `model` is no ``Model``, or `dataset` no dataset.
        ValueError: an argument is out of range, or the learning rates cannot be driven (see
            `LRScheduler`).

    Examples:
        >>> from ms_lr_callbacks import find_lr
        >>> # result = find_lr(model, dataset)
        >>> # result.plot("range_test.png")
        >>> # optimizer = nn.Momentum(network.trainable_params(), result.suggestion, 0.9)
        >>> find_lr(None, None, start=1.0, end=0.1)
        Traceback (most recent call last):
            ...
        ValueError: end must be a finite number > start=1.0, but got 0.1.
    """
    finder = LRFinder(start, end, steps, mode, explosion)
    if not hasattr(model, "train_network"):
        raise TypeError(f"model must be a mindspore.train.Model, but got {type(model).__name__}.")
    if not callable(getattr(dataset, "get_dataset_size", None)):
        raise TypeError(f"dataset must be a dataset of mindspore.dataset, as for Model.train, but got "
                        f"{type(dataset).__name__}.")
    counters = {name: value for name, value in vars(model).items() if type(value) is int}
    training = [(cell, cell.training) for _, cell in model.train_network.cells_and_names()]
    # A train cell that accumulates gradients is called more often than it updates.
    calls = int(steps) if updates_at_each_call(model.train_network) else 100 * int(steps)
    epochs = -(-calls // max(int(dataset.get_dataset_size()), 1))
    try:
        model.train(epochs, dataset, callbacks=[finder], dataset_sink_mode=False)
    finally:
        vars(model).update(counters)
        for cell, flag in training:
            if cell.training != flag:
                cell.set_train(flag)
    assert finder.result is not None
    return finder.result


class _RunningMean:
    """The mean of the last few losses, and whether it explodes."""

    def __init__(self) -> None:
        self._sum = self._weight = 0.0
        self._first: Optional[float] = None
        self._smallest = math.inf

    def explodes(self, loss: float, factor: float) -> bool:
        """Take in a loss; return whether the mean is far above its smallest value and above the first loss."""
        self._sum = _DECAY * self._sum + loss
        self._weight = _DECAY * self._weight + 1.0
        mean = self._sum / self._weight
        if self._first is None:
            self._first = loss
        self._smallest = min(self._smallest, mean)
        limit = self._smallest + (factor - 1.0) * abs(self._smallest) if self._smallest else 0.0
        return mean > limit and mean > self._first


def _check(start: Any, end: Any, steps: Any, mode: Any, explosion: Any) -> None:
    if not (is_number(start) and start > 0):
        raise ValueError(f"start must be a finite number > 0, but got {start!r}.")
    if not (is_number(end) and end > start):
        raise ValueError(f"end must be a finite number > start={start!r}, but got {end!r}.")
    if not is_count(steps, 3):
        raise ValueError(f"steps must be a whole number >= 3, but got {steps!r}.")
    if mode not in ("exp", "linear"):
        raise ValueError(f"mode must be 'exp' or 'linear', but got {mode!r}.")
    if not (isinstance(explosion, Real) and float(explosion) > 1):
        raise ValueError(f"explosion must be a number > 1, but got {explosion!r}.")
