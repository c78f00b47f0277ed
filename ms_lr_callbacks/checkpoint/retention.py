"""Which checkpoints may go. A rule is a small dataclass with one method."""
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Sequence

from ms_lr_callbacks.checkpoint.reader import verify_checkpoint

_Signature = frozenset[tuple[str, int, int, int]]


@dataclass(frozen=True)
class KeepLast:
    """Keep the newest ``count`` checkpoints that verify.

    Damaged ones do not count and are never taken for the last good one; they go once ``count`` good
    ones are newer. So the last one that verifies always stays.

    Example:
        >>> steps = [Path(f"step-0000000{n}") for n in (4, 3, 2, 1)]
        >>> [path.name for path in KeepLast(1).obsolete(steps, lambda path: "4" not in path.name)]
        ['step-00000002', 'step-00000001']
    """

    count: Optional[int]

    def __post_init__(self) -> None:
        if self.count is not None and (type(self.count) is not int or self.count < 1):
            raise ValueError(f"keep_last={self.count!r}; pass an integer of 1 or more, or None to keep all")

    def obsolete(self, newest_first: Sequence[Path], verifies: Callable[[Path], bool]) -> list[Path]:
        """The checkpoints that may be removed."""
        good = 0
        for position, path in enumerate(newest_first):
            if self.count is not None and good == self.count:
                return list(newest_first[position:])
            if self.count is not None and position + 1 < len(newest_first):
                good += verifies(path)
        return []


class Verified:
    """Remembers what was verified, so that it is not read again while its files stay the same.

    Size, inode and time of change of every file make the signature; a checkpoint written or loaded
    by this process was verified by that.
    """

    def __init__(self) -> None:
        self._signatures: dict[Path, _Signature] = {}

    def remember(self, path: Path) -> None:
        """Take a checkpoint for verified as it is now."""
        self._signatures[path] = _signature(path)

    def __call__(self, path: Path) -> bool:
        """Whether a checkpoint verifies."""
        signature = _signature(path)
        if self._signatures.get(path) != signature or not signature:
            self._signatures.pop(path, None)
            if not verify_checkpoint(path):
                return False
            self._signatures[path] = signature
        return True


def _signature(path: Path) -> _Signature:
    try:
        with os.scandir(path) as entries:
            found = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
    except OSError:
        return frozenset()
    return frozenset((name, status.st_size, status.st_ino, status.st_mtime_ns) for name, status in found)
