"""What a learning-rate range test has found."""
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

import numpy as np

from ms_lr_callbacks._arrays import Float64Array


@dataclass(frozen=True)
class RangeTest:
    """The curve of a learning-rate range test.

    Attributes:
        rates: float64, ascending: the learning rate of each update, of the group that has the
            largest; the other groups kept their ratio to it.
        losses: float64, as long as `rates`: the loss of the step with that update; the last one may be
            NaN or infinite.
        mode: ``"exp"`` or ``"linear"``, how the rates are spaced.
        diverged: whether the test ended early because the loss exploded or was not finite.

    Examples:
        >>> import numpy as np
        >>> from ms_lr_callbacks.callbacks.range_test import RangeTest
        >>> rates = np.geomspace(1e-3, 10, 50)
        >>> curvature = 4.0  # gradient descent on 2 w ** 2 does best with a rate of 1/4
        >>> losses = 2 * np.cumprod(np.concatenate([[1.0], (1 - curvature * rates[:-1]) ** 2]))
        >>> bool(0.2 < RangeTest(rates, losses, "exp", False).suggestion < 0.3)
        True
    """

    rates: Float64Array
    losses: Float64Array
    mode: str
    diverged: bool

    @property
    def smoothed(self) -> Float64Array:
        """The losses as centred moving averages, which do not lag behind; NaN where the loss is not finite."""
        return _smooth(self.losses)

    @property
    def suggestion(self) -> Optional[float]:
        """The rate at which the loss fell fastest in relation to its height; None if it never fell.

        For a loss that is not positive everywhere: at which it fell fastest. On a quadratic bowl this is
        the rate with which gradient descent needs the fewest steps.
        """
        count = int(np.isfinite(self.losses).sum())
        losses = self.losses[:count]
        if count < 3:
            return None
        heights = _smooth(np.log(losses) if losses.min() > 0 else losses)
        falls = np.diff(heights)[:max(int(np.argmin(heights)), 1)]
        steepest = int(np.argmin(falls))
        return float(self.rates[steepest]) if falls[steepest] < 0 else None

    def plot(self, path: Union[str, os.PathLike[str]]) -> Path:
        """Draw losses, smoothed losses and the suggestion into a PNG file.

        Args:
            path: the file to write; missing folders are made.

        Returns:
            The path of the file.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from ms_lr_callbacks.monitoring.pictures import new_figure, save

        figure = new_figure("RangeTest.plot", rows=1)
        axes = figure.axes[0]
        axes.plot(self.rates, self.losses, color="tab:gray", alpha=0.5, label="loss")
        axes.plot(self.rates, self.smoothed, color="tab:blue", label="smoothed")
        if self.suggestion is not None:
            axes.axvline(self.suggestion, color="tab:red", linestyle="--", label=f"suggestion {self.suggestion:.3g}")
        axes.set_xscale("log" if self.mode == "exp" else "linear")
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss")
        _limit_height(axes, self.losses)
        axes.legend()
        return save(figure, path)


def _smooth(values: Float64Array) -> Float64Array:
    """Return centred moving averages over about a twentieth of the values, narrower at the ends."""
    smooth = np.full(len(values), np.nan)
    finite = values[:int(np.isfinite(values).sum())]
    half = max(len(finite) // 40, 1) if len(finite) >= 10 else 0
    for index in range(len(finite)):
        reach = min(half, index, len(finite) - 1 - index)
        smooth[index] = finite[index - reach:index + reach + 1].mean()
    return smooth


def _limit_height(axes: object, losses: Float64Array) -> None:
    """Leave the explosion at the end out of the picture."""
    finite = losses[np.isfinite(losses)]
    if len(finite):
        low, first = float(finite.min()), float(finite[0])
        margin = max(first - low, abs(first), 1e-12)
        axes.set_ylim(low - 0.1 * margin, min(float(finite.max()), first + margin) + 0.1 * margin)  # type: ignore
