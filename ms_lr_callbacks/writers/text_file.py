"""Text files with one line for each step, which a resumed run continues."""
from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import IO, Callable, Optional

import numpy as np


class ContinuedFile:
    """A file of lines in ascending order of their steps.

    Whatever a killed process left is continued: a line that was cut short and all lines behind the
    step at which the run goes on are cut off. A run that starts from nothing sets a file with
    points in it aside, as ``<name>.1`` and so on: nothing is overwritten. So does a run that finds a
    file which holds something else; of one that is damaged a copy is set aside.
    """

    def __init__(self, path: Path, step_of: Callable[[str], Optional[int]], header: str = "") -> None:
        """Name the file.

        Args:
            path: the file.
            step_of: returns the step of a whole line, None for a line that belongs to no step; raises
                ValueError for a line that is damaged.
            header: what the first line begins with.
        """
        self.path = path
        self._header = header.encode("utf-8")
        self._step_of = step_of
        self._file: Optional[IO[str]] = None

    def open(self, after_step: int) -> None:
        """Open the file for lines behind `after_step`."""
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            if after_step == 0:
                self._set_aside()
            else:
                self._cut(after_step)
        self.reopen()

    def reopen(self) -> None:
        """Open the file as it is, at its end."""
        self._file = open(self.path, "a", encoding="utf-8", newline="")

    def write(self, text: str) -> None:
        """Add whole lines.

        Raises:
            ValueError: the file is not open.
        """
        if self._file is None:
            raise ValueError(f"{self.path} was written to before open() or after close(); open it first.")
        self._file.write(text)

    def flush(self) -> None:
        """Hand everything to the operating system, so that it outlives this process."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Flush and let go of the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _cut(self, after_step: int) -> None:
        length, sound = self._length_up_to(after_step)
        if sound:
            os.truncate(self.path, length)
        elif length == 0:
            self._set_aside()
        else:
            shutil.copyfile(self.path, self._free_name())
            os.truncate(self.path, length)

    def _length_up_to(self, after_step: int) -> tuple[int, bool]:
        """Return the length in bytes of the lines to keep, and whether the line behind them is one of ours."""
        length = 0
        with open(self.path, "rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                if length == 0 and not line.startswith(self._header):
                    return 0, False
                try:
                    step = self._step_of(line.decode("utf-8"))
                except ValueError:
                    return length, False
                if step is not None and step > after_step:
                    break
                length += len(line)
        return length, True

    def _set_aside(self) -> None:
        if self.path.stat().st_size:
            self.path.rename(self._free_name())

    def _free_name(self) -> Path:
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.{number}")).exists():
            number += 1
        return aside


def shortest(value: float) -> str:
    """Return the shortest text of a float32's exact value, else of a float64's: ``0.1``, ``nan``, ``inf``."""
    single = np.float32(value)
    return str(single) if float(single) == value else str(float(value))
