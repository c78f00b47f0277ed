"""One JSON object in each line."""
from __future__ import annotations

import json
import math
import os
from typing import Optional, Sequence, Union

from ms_lr_callbacks.writers.base import Scalars, ScalarWriter
from ms_lr_callbacks.writers.destination import checked_file
from ms_lr_callbacks.writers.text_file import ContinuedFile, shortest


class JSONLinesWriter(ScalarWriter):
    """Write one JSON object for each step: ``{"step": 1, "wall_time": 2.5, "lr": 0.1}``.

    Numbers stand in their shortest exact form. JSON knows no others than finite ones: the rest
    stands as the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``, which ``float()`` reads. A
    resumed run continues the file: lines behind the step at which it goes on are cut off. A run that
    starts from nothing sets an existing file aside as ``<name>.1`` and so on.

    Args:
        path: the file, by custom with the ending ``.jsonl``; missing folders are made.

    Raises:
        OSError: `path` is a folder, or cannot be written.

    Examples:
        >>> import pathlib, tempfile
        >>> from ms_lr_callbacks.writers import JSONLinesWriter, Scalars
        >>> path = pathlib.Path(tempfile.mkdtemp(), "run.jsonl")
        >>> writer = JSONLinesWriter(path)
        >>> writer.open(after_step=0)
        >>> writer.write([Scalars(1, {"lr": 0.1}, wall_time=2.5)])
        >>> writer.close()
        >>> print(path.read_text(), end="")
        {"step": 1, "wall_time": 2.5, "lr": 0.1}
    """

    def __init__(self, path: Union[str, os.PathLike[str]]) -> None:
        self._file = ContinuedFile(checked_file("path", path), _step_of)

    def open(self, after_step: int) -> None:
        self._file.open(after_step)

    def write(self, points: Sequence[Scalars]) -> None:
        self._file.write("".join(map(_line, points)))

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _line(point: Scalars) -> str:
    values = {tag: _number(value) for tag, value in point.values.items()}
    return json.dumps({"step": point.step, "wall_time": point.wall_time, **values}, ensure_ascii=False) + "\n"


def _number(value: float) -> Union[float, str]:
    if math.isfinite(value):
        return float(shortest(value))
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _step_of(line: str) -> Optional[int]:
    try:
        return int(json.loads(line)["step"])
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a line of JSONLinesWriter: {line!r}") from error
