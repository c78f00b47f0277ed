"""The curves of a monitor as a picture."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Mapping, Union

from ms_lr_callbacks.monitoring.history import Series
from ms_lr_callbacks.monitoring.pictures import new_figure, save

_DASHES = ("-", "--", ":", "-.")


def plot_history(history: Mapping[str, Series], path: Union[str, os.PathLike[str]]) -> Path:
    """Draw all curves into one PNG file, one panel for each name before the slash of the tags.

    Args:
        history: the curves by tag.
        path: the file to write, with the ending ``.png``.

    Returns:
        The path of the file.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: there is nothing to draw, or `path` does not end in ``.png``.
    """
    panels: dict[str, dict[str, Series]] = {}
    for tag, series in history.items():
        name, _, group = tag.partition("/")
        panels.setdefault(name, {})[group] = series
    if not panels:
        raise ValueError("There is nothing to draw: no update has been logged yet. Call plot after the training.")
    figure = new_figure("LRMonitor.plot", rows=len(panels))
    for axes, (name, groups) in zip(figure.axes, panels.items()):
        for index, (group, series) in enumerate(groups.items()):
            marker = "." if len(series) < 30 else None
            # Groups often have equal values: dashes let the line below shine through.
            axes.plot(series.steps, series.values, _DASHES[index % len(_DASHES)], label=group or None, marker=marker)
        axes.set_ylabel(name)
        if any(groups) and len(groups) <= 12:
            axes.legend()
    figure.axes[-1].set_xlabel("updates done")
    return save(figure, path)
