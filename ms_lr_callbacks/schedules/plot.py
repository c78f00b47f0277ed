"""Schedules as a picture."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Mapping, Union

from ms_lr_callbacks.schedules.base import ScheduleLike
from ms_lr_callbacks.schedules.table import values


def plot(schedules: Mapping[str, ScheduleLike], base: float, n: int,
         path: Union[str, os.PathLike[str]], log: bool = False) -> Path:
    """Draw the first ``n`` values of several schedules into one PNG file.

    Args:
        schedules: the schedules by the name that the legend shows.
        base: the base value of all of them.
        n: number of updates, an int >= 1.
        path: the file to write, with the ending ``.png``; missing folders are made.
        log: whether the value axis is logarithmic.

    Returns:
        The path of the file.

    Raises:
        ImportError: matplotlib is not installed.
        TypeError: ``schedules`` is not a mapping.
        ValueError: there is nothing to draw, or ``path`` does not end in ``.png``.

    Example:
        >>> import tempfile
        >>> from ms_lr_callbacks.schedules import ExponentialLR, StepLR, plot
        >>> folder = tempfile.mkdtemp()
        >>> plot({"exp": ExponentialLR(0.99), "step": StepLR(30)}, 0.1, 100, folder + "/lr.png").name
        'lr.png'
    """
    if not isinstance(schedules, Mapping):
        raise TypeError(f"plot: schedules must be a dict from name to schedule, got {schedules!r}")
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise ValueError(f"plot: path must end in .png, got {str(target)!r}")
    if not schedules or n < 1:
        raise ValueError(f"plot: nothing to draw, got {len(schedules)} schedules and n={n}")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plot needs matplotlib; install it with: pip install 'ms_lr_callbacks[plot]'"
                          ) from error

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, schedule in schedules.items():
        axes.plot(values(schedule, base, n), label=name)
    axes.set_xlabel("t (updates done)")
    axes.set_ylabel("value")
    axes.set_yscale("log" if log else "linear")
    axes.grid(alpha=0.3)
    axes.legend()
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)
    return target
