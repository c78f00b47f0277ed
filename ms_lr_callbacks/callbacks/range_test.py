"""What a learning-rate range test has found."""
from __future__ import annotations

import math
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
        >>> result = RangeTest(rates, losses, "exp", False)
        >>> bool(0.2 < result.suggestion < 0.3)
        True
        >>> import tempfile
        >>> result.plot(f"{tempfile.mkdtemp()}/curve.png").name
        'curve.png'
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

        For a loss that is negative somewhere: at which it fell fastest. On a quadratic bowl this is the
        rate with which gradient descent needs the fewest steps. On one that is steeper in one direction
        than in another, the fall is fastest where the steep direction has long been left behind, at
        rates that it would not stand; therefore never more than the best rate of a bowl on which the
        same updates would have brought the loss halfway down.
        """
        losses = self.losses[:int(np.isfinite(self.losses).sum())]
        if len(losses) < 3:
            return None
        steepest = _steepest(_heights(losses))
        return None if steepest is None else float(min(self.rates[steepest], _best_on_a_bowl(self.rates, losses)))

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


def _heights(losses: Float64Array) -> Float64Array:
    """Return the logarithms of the losses; the losses themselves if one is negative."""
    positive = losses[losses > 0]
    if losses.min() < 0 or not len(positive):
        return losses
    # A loss of exactly 0 counts as a thousandth of the smallest other one.
    return np.asarray(np.log(np.maximum(losses, positive.min() / 1000)))


def _steepest(heights: Float64Array) -> Optional[int]:
    """Return after which value the heights, once smoothed, fall fastest; None if they never fall.

    It is looked for where they fall fastest in the large, from one sixth of them to the next: between
    two neighbours a noisy loss falls fastest anywhere.
    """
    falls = np.diff(smooth := _smooth(heights))[:max(int(np.argmin(smooth)), 1)]
    descent = heights[:len(falls) + 1]
    reach = max(len(descent) // 6, 1)
    large = [descent[index + 1:index + 1 + reach].mean() - descent[max(index + 1 - reach, 0):index + 1].mean()
             for index in range(len(falls))]
    first = max(int(np.argmin(large)) - reach, 0)
    steepest = first + int(np.argmin(falls[first:first + 2 * reach + 1]))
    return steepest if falls[steepest] < 0 else None


def _best_on_a_bowl(rates: Float64Array, losses: Float64Array) -> float:
    """Return 1 / c for the curvature c of a bowl on which the same updates would halve the loss above its lowest value.

    Gradient descent on it divides that by ``exp(2 * c * r)`` with a small rate r.
    """
    smooth = _smooth(losses)
    lowest = int(np.argmin(smooth))
    half = (smooth[0] + smooth[lowest]) / 2
    above = np.flatnonzero(smooth[:lowest + 1] > half)
    if not len(above):
        return math.inf
    last = int(above[-1])
    part = (smooth[last] - half) / (smooth[last] - smooth[last + 1])
    return float(2 * (rates[:last].sum() + part * rates[last]) / math.log(2))


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
