"""What can go wrong with a checkpoint, one class per thing the caller may want to do about it.

All are ``CheckpointError``: catch that to catch every fault of this package. A programming mistake
(a wrong argument) is a ``ValueError`` or ``TypeError`` as everywhere else.
"""
from __future__ import annotations

from pathlib import Path


class CheckpointError(RuntimeError):
    """Any fault of a checkpoint or of its directory; the message names the path and the remedy."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint on disk is not what was written; nothing of it was handed out.

    Args:
        path: The checkpoint directory.
        file: Name of the file at fault inside it; empty when the directory itself is.
        fault: What is wrong, without the path.
    """

    def __init__(self, path: Path, file: str, fault: str) -> None:
        super().__init__(f"{path / file if file else path}: {fault}")
        self.path = path
        self.file = file
        self.fault = fault

    def __reduce__(self) -> tuple[type, tuple[Path, str, str]]:
        return type(self), (self.path, self.file, self.fault)


class NoUsableCheckpointError(CheckpointError):
    """There are checkpoints in the directory, and every one of them is damaged."""


class DirectoryInUseError(CheckpointError):
    """Another live run writes its checkpoints into this directory."""


class CheckpointWriteError(CheckpointError):
    """A checkpoint could not be written; those written before it are untouched."""
