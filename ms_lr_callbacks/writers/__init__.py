"""Where scalars go: one small interface, one file for each destination.

Give any of them to ``LRMonitor(writers=[...])``, or an object of your own with a method
``add_scalar(tag, value, step)``.
"""
from __future__ import annotations

from typing import Any

from ms_lr_callbacks.writers.add_scalar import AddScalarWriter
from ms_lr_callbacks.writers.background import BackgroundWriter
from ms_lr_callbacks.writers.base import Scalars, ScalarWriter
from ms_lr_callbacks.writers.csv_file import CSVWriter
from ms_lr_callbacks.writers.json_lines import JSONLinesWriter
from ms_lr_callbacks.writers.log import LoggingWriter
from ms_lr_callbacks.writers.multi import MultiWriter
from ms_lr_callbacks.writers.summary_record import SummaryRecordWriter
from ms_lr_callbacks.writers.tensorboard import TensorBoardWriter

__all__ = ["AddScalarWriter", "BackgroundWriter", "CSVWriter", "JSONLinesWriter", "LoggingWriter", "MultiWriter",
           "ScalarWriter", "Scalars", "SummaryRecordWriter", "TensorBoardWriter", "as_writer"]


def as_writer(target: Any) -> ScalarWriter:
    """Return `target` as a writer: itself, or wrapped if it has a method ``add_scalar``.

    Args:
        target: a `ScalarWriter`, or an object with a method ``add_scalar(tag, value, step)``.

    Returns:
        `target`, or an `AddScalarWriter` around it.

    Raises:
        TypeError: it is neither.

    Examples:
        >>> from ms_lr_callbacks.writers import as_writer
        >>> as_writer(7)
        Traceback (most recent call last):
            ...
        TypeError: a writer must be a ScalarWriter or have a method add_scalar(tag, value, step), but got int.
    """
    if isinstance(target, ScalarWriter):
        return target
    if callable(getattr(target, "add_scalar", None)):
        return AddScalarWriter(target)
    raise TypeError(f"a writer must be a ScalarWriter or have a method add_scalar(tag, value, step), but got "
                    f"{type(target).__name__}.")
