"""Figures in PNG files, through matplotlib."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Union


def new_figure(caller: str, rows: int) -> Any:
    """Return a figure with `rows` axes below each other that share their x.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f"{caller} needs matplotlib; install it with: pip install 'ms_lr_callbacks[plot]'") from error
    figure = Figure(figsize=(8, 1.5 + 2.5 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for axes in figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]:
        axes.grid(alpha=0.3)
    return figure


def save(figure: Any, path: Union[str, os.PathLike[str]]) -> Path:
    """Write a figure as a PNG file; missing folders are made.

    Raises:
        ValueError: `path` does not end in ``.png``.
    """
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise ValueError(f"path must end in .png, but got {str(target)!r}.")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120)
    return target
