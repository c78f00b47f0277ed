"""Reduce the learning rate when a metric stops improving."""
from __future__ import annotations

import math
import warnings
from typing import Any, Optional, Sequence, Union

import numpy as np

from ms_lr_callbacks._arrays import Float32Array, Float64Array
from ms_lr_callbacks._checks import is_count, is_number
from ms_lr_callbacks._ranks import mean_over_ranks
from ms_lr_callbacks.scheduling.driving import DrivingCallback
from ms_lr_callbacks.training.monitored import read_metric
from ms_lr_callbacks.scheduling.plateau import Plateau
from ms_lr_callbacks.training.run import TrainingRun


class ReduceLROnPlateau(DrivingCallback):
    """Reduce the learning rates when a metric has stopped improving, with torch's arithmetic.

    At the end of each epoch that has the metric: if it is better than the best so far by the
    threshold, it is the new best; otherwise the epoch is bad. After more than `patience` bad epochs
    in a row every group's rate becomes ``max(rate * factor, min_lr)``, and for `cooldown` epochs no
    bad epoch is counted. The rates start from what the optimizer has when the training starts. A
    second training goes on from the metrics of the first, one of an optimizer without any update starts anew.

    Args:
        monitor: ``"loss"``: the loss of the epoch's last step; ``"eval_loss"`` or the name of a metric
            given to `Model`: the result of `Model.fit`'s evaluation. MindSpore's ``"eval_loss"`` is
            the loss of the evaluation's last batch; for the mean over all batches give `Model` the
            metric ``{"mean_loss": Loss()}`` and monitor that. In a distributed run the mean over all
            ranks, so that all of them decide alike. 0.0 is a metric like any other.
        mode: ``"min"``: lower is better; ``"max"``: higher is better.
        factor: what rates are multiplied by, in (0, 1).
        patience: bad epochs to put up with, a whole number >= 0.
        threshold: what counts as better, >= 0.
        threshold_mode: ``"rel"``: better than ``best * (1 - threshold)`` (``1 + threshold`` for
            ``"max"``); ``"abs"``: better than ``best - threshold`` (``best + threshold``).
        cooldown: epochs after a reduction in which no bad epoch counts, a whole number >= 0.
        min_lr: lower bound of the rates, a number >= 0 or a list with one for each group.
        eps: a reduction by no more than this is not made, >= 0.
        warmup: number of updates, >= 0, in which the rates rise linearly to their start before any
            epoch is judged. ``schedules.warmup(plateau, steps)`` sets it as well.
        warmup_start_factor: the first rate of the warm-up over the last, in [0, 1].

    Raises:
        ValueError: an argument is out of range. At train begin: the optimizer's rate cannot be
            driven. At the end of an epoch with evaluation: it has no metric of that name; at the end
            of a training: the metric never appeared.

    Source: ``torch.optim.lr_scheduler.ReduceLROnPlateau`` of torch 2.13.

    Examples:
        >>> from ms_lr_callbacks import ReduceLROnPlateau
        >>> from ms_lr_callbacks import schedules as S
        >>> plateau = ReduceLROnPlateau("mean_loss", factor=0.5, patience=3)
        >>> behind_a_warmup = S.warmup(ReduceLROnPlateau("accuracy", mode="max"), steps=500)
        >>> # model.fit(100, train_set, valid_set, callbacks=[plateau])
    """

    def __init__(self, monitor: str = "loss", *, mode: str = "min", factor: float = 0.1, patience: int = 10,
                 threshold: float = 1e-4, threshold_mode: str = "rel", cooldown: int = 0,
                 min_lr: Union[float, Sequence[float]] = 0.0, eps: float = 1e-8, warmup: int = 0,
                 warmup_start_factor: float = 0.0) -> None:
        super().__init__("lr")
        if not isinstance(monitor, str) or not monitor:
            raise ValueError(f"monitor must be the name of a metric such as 'loss', but got {monitor!r}.")
        self.monitor = monitor
        self._plateau = Plateau(mode, factor, patience, threshold, threshold_mode, cooldown, min_lr, eps)
        self._set_warmup(warmup, warmup_start_factor)
        self._seen = False
        self._started = False
        # What the rates are without the factor of the warm-up.
        self._rates: list[float] = []
        self._restored = False
        self._bases: Sequence[Optional[float]] = []
        self._held: Float32Array = np.zeros(0, np.float32)

    def with_warmup(self, steps: int, start_factor: float = 0.0) -> ReduceLROnPlateau:
        """Set a linear warm-up of `steps` updates in front; see `schedules.warmup`.

        Args:
            steps: number of updates, >= 0.
            start_factor: the first rate over the last, in [0, 1].

        Returns:
            This callback.

        Raises:
            ValueError: an argument is out of range.

        Examples:
            >>> plateau = ReduceLROnPlateau("loss").with_warmup(100)
        """
        self._set_warmup(steps, start_factor)
        return self

    def on_train_begin(self, run_context: Any) -> None:
        """Take the learning rates in hand, or say why that is impossible."""
        self._run = TrainingRun.of(run_context)
        access = self._run.access
        groups = len(access.groups)
        self._plateau.check_groups(groups)
        access.refuse_dynamic_rates("ReduceLROnPlateau reduces", "pass a float to the optimizer")
        self._bases = access.place("lr").bases()
        self._held = access.next_rates()
        self._take(run_context, list(range(groups)), 1)
        self._started = self._seen = False

    def on_train_epoch_begin(self, run_context: Any) -> None:
        """Write the first rates of the training."""
        self._run.begin(run_context.original_args())
        if not self._started:
            self._started = True
            self._settle_rates()
        self._write()

    def on_train_step_end(self, run_context: Any) -> None:
        """Go on with the warm-up."""
        self._run.end_step(run_context.original_args())
        if self._run.updates_done <= self._warmup:
            self._write()

    def on_train_epoch_end(self, run_context: Any) -> None:
        """Judge the epoch."""
        cb_params = run_context.original_args()
        if self._run.updates_done >= self._warmup:
            metric = read_metric(cb_params, self.monitor)
            if metric is not None:
                self._seen = True
                self._judge(mean_over_ranks(metric))
        self._end_epoch(cb_params)

    def on_train_end(self, run_context: Any) -> None:
        """Give the learning rates back to the optimizer."""
        super().on_train_end(run_context)
        if not self._seen and self._run.updates_done > self._warmup:
            raise ValueError(
                f"monitor={self.monitor!r} never appeared in this training, so no rate was ever reduced. Model.train "
                f"offers 'loss' only; for 'eval_loss' and the metrics of Model, train with Model.fit and have "
                f"it evaluate.")

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint has to keep of this callback.

        Returns:
            The best metric, the counters and the rates by name.

        Examples:
            >>> from ms_lr_callbacks import ReduceLROnPlateau
            >>> ReduceLROnPlateau("loss").state_dict()
            {'best': inf, 'bad_epochs': 0, 'cooldown_left': 0, 'rates': []}
        """
        return {**self._plateau.state_dict(), "rates": list(self._rates)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on as the callback that returned `state` would have.

        Args:
            state: what `state_dict` returned.

        Examples:
            >>> from ms_lr_callbacks import ReduceLROnPlateau
            >>> plateau, another = ReduceLROnPlateau("loss"), ReduceLROnPlateau("loss")
            >>> another.load_state_dict(plateau.state_dict())
        """
        self._plateau.load_state_dict(state)
        self._rates = list(state["rates"])
        self._restored = True

    def _judge(self, metric: float) -> None:
        if math.isnan(metric):
            warnings.warn(f"{self.monitor} is NaN; ReduceLROnPlateau counts that as no improvement.", RuntimeWarning,
                          stacklevel=2)
        if self._plateau.step(metric):
            self._rates = self._plateau.reduced(self._rates)
            self._write()

    def _settle_rates(self) -> None:
        """Take the rates to start from out of what the optimizer had when the training started."""
        restored, self._restored = self._restored, False
        if not restored and not self._run.updates_before:  # a new run; what an earlier one saw says nothing about it
            self._plateau.reset()
            self._rates = []
        # A checkpoint's rates are those behind the warm-up, in which the optimizer still may be.
        if len(self._rates) == len(self._held) and (restored or self._would_write(self._rates)):
            return
        bases = [float("nan") if base is None else base for base in self._bases]
        if self._would_write(bases):  # another callback's warm-up goes on
            self._rates = bases
            return
        # What was given, where that is what the optimizer has: 0.1, not 0.10000000149.
        self._rates = [base if np.float32(base) == now else float(now) for base, now in zip(bases, self._held)]

    def _would_write(self, rates: Sequence[float]) -> bool:
        """Return whether this callback would have left with `rates` what the optimizer had."""
        return bool((self._values(rates).astype(np.float32) == self._held).all())

    def _values(self, rates: Sequence[float]) -> Float64Array:
        """Return what the next update uses."""
        update = self._run.updates_done
        values: Float64Array = np.array(rates) * (self._rise(update) if update < self._warmup else 1.0)
        return values

    def _write(self) -> None:
        assert self._driver is not None
        self._driver.write(self._run.updates_done, self._values(self._rates)[None])

    def _set_warmup(self, steps: int, start_factor: float) -> None:
        if not is_count(steps):
            raise ValueError(f"warmup must be a whole number >= 0 of updates, but got {steps!r}.")
        if not is_number(start_factor) or not 0.0 <= start_factor <= 1.0:
            raise ValueError(f"warmup_start_factor must be a number in [0, 1], but got {start_factor!r}.")
        self._warmup = int(steps)
        self._start_factor = float(start_factor)

    def _rise(self, update: int) -> float:
        return self._start_factor + (1.0 - self._start_factor) * update / self._warmup
