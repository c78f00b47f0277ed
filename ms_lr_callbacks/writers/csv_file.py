"""A table of comma-separated values."""
from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Optional, Sequence, Union

from ms_lr_callbacks.writers.base import Scalars, ScalarWriter
from ms_lr_callbacks.writers.destination import checked_file
from ms_lr_callbacks.writers.text_file import ContinuedFile, shortest

_FIRST = ["step", "wall_time"]


class CSVWriter(ScalarWriter):
    """Write one row for each step: ``step``, ``wall_time``, then one column for each tag.

    Numbers stand in their shortest exact form (``0.1`` for the float32), NaN as ``nan``; a tag that
    a step does not have is left empty. A resumed run continues the file: rows behind the step
    at which it goes on are cut off. A run that starts from nothing sets an existing file aside as
    ``<name>.1`` and so on. When a tag comes up that has no column yet, the file is written anew with
    one more column, under another name, and takes the old one's place.

    Args:
        path: the file; missing folders are made.

    Raises:
        OSError: `path` is a folder, or cannot be written.

    Examples:
        >>> import pathlib, tempfile
        >>> from ms_lr_callbacks.writers import CSVWriter, Scalars
        >>> path = pathlib.Path(tempfile.mkdtemp(), "run.csv")
        >>> writer = CSVWriter(path)
        >>> writer.open(after_step=0)
        >>> writer.write([Scalars(1, {"lr": 0.1}, wall_time=2.5)])
        >>> writer.close()
        >>> path.read_text().splitlines()
        ['step,wall_time,lr', '1,2.5,0.1']
    """

    def __init__(self, path: Union[str, os.PathLike[str]]) -> None:
        self._file = ContinuedFile(checked_file("path", path), _step_of, header=",".join(_FIRST))
        self._columns: list[str] = []

    def open(self, after_step: int) -> None:
        self._file.open(after_step)
        self._columns = _columns_of(self._file.path)

    def write(self, points: Sequence[Scalars]) -> None:
        new = [tag for tag in dict.fromkeys(tag for point in points for tag in point.values)
               if tag not in self._columns]
        if new:
            self._add_columns(new)
        self._file.write("".join(_line(self._row(point)) for point in points))

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _row(self, point: Scalars) -> list[str]:
        cells = {tag: shortest(value) for tag, value in point.values.items()}
        return [str(point.step), repr(point.wall_time), *(cells.get(tag, "") for tag in self._columns)]

    def _add_columns(self, new: list[str]) -> None:
        if not self._columns:
            self._columns = new
            self._file.write(_line([*_FIRST, *new]))
            return
        self._columns += new
        self._file.close()
        path = self._file.path
        wider = path.with_name(f"{path.name}.wider")
        with open(path, encoding="utf-8", newline="") as old, open(wider, "w", encoding="utf-8", newline="") as file:
            rows = csv.reader(old)
            next(rows, None)
            file.write(_line([*_FIRST, *self._columns]))
            file.writelines(_line([*row, *[""] * len(new)]) for row in rows)
        os.replace(wider, path)
        self._file.reopen()


def _line(cells: Sequence[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _columns_of(path: Path) -> list[str]:
    """Return the tags of an existing file; none if it is new."""
    with open(path, encoding="utf-8", newline="") as file:
        header = next(csv.reader(file), [])
    return header[len(_FIRST):]


def _step_of(line: str) -> Optional[int]:
    first = line.split(",", 1)[0]
    return None if first == _FIRST[0] else int(first)
