"""Finding checkpoints in a directory, newest first; needs no lock and changes nothing."""
from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Callable, Collection, Optional

from ms_lr_callbacks.checkpoint.errors import CheckpointError, DamagedCheckpointError, NoUsableCheckpointError
from ms_lr_callbacks.checkpoint.names import step_of
from ms_lr_callbacks.checkpoint.reader import (Contents, LoadedCheckpoint, PathLike, load_checkpoint,
                                               verify_checkpoint)


def list_checkpoints(directory: PathLike) -> list[Path]:
    """Everything in the directory that carries a checkpoint's name, the highest step first.

    Args:
        directory: May be missing, which counts as empty.

    Returns:
        Paths, sound and damaged ones alike.

    Raises:
        CheckpointError: The path is not a directory, or cannot be read.
    """
    directory = Path(directory)
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CheckpointError(f"cannot list checkpoints in {directory}: {error.strerror}; "
                              "pass a readable directory") from error
    steps = {name: step for name in names for step in [step_of(name)] if step is not None}
    return [directory / name for name in sorted(steps, key=lambda name: -steps[name])]


def latest_checkpoint(directory: PathLike, *, verify: bool = True) -> Optional[Path]:
    """The newest checkpoint in a directory that can be resumed from.

    Args:
        directory: Where a run saves its checkpoints; may be missing.
        verify: Check every byte of it (about a second per GB). False checks that all files are
            there with their sizes.

    Returns:
        Its path, or None if there is none. A damaged newer one is warned about and passed over.

    Example:
        >>> latest_checkpoint("nowhere") is None
        True
    """
    for path in list_checkpoints(directory):
        fault = _fault(path, verify)
        if fault is None:
            return path
        warnings.warn(f"checkpoint passed over: {fault}", stacklevel=2)
    return None


def _fault(path: Path, verify: bool) -> Optional[str]:
    if verify:
        return next(iter(verify_checkpoint(path).faults), None)
    try:
        Contents.of(path)
    except DamagedCheckpointError as error:
        return str(error)
    return None


def _warn(error: DamagedCheckpointError) -> None:
    warnings.warn(f"checkpoint is damaged, the one before it is used: {error}", stacklevel=4)


def load_latest(directory: PathLike, *, rank: int = 0, sections: Optional[Collection[str]] = None,
                on_damaged: Callable[[DamagedCheckpointError], object] = _warn) -> Optional[LoadedCheckpoint]:
    """Load the newest checkpoint that verifies.

    Args:
        directory: Where a run saves its checkpoints; may be missing.
        rank: As for ``load_checkpoint``.
        sections: As for ``load_checkpoint``.
        on_damaged: Called for every damaged one on the way; by default it warns.

    Returns:
        The checkpoint, or None if the directory has none: a fresh start.

    Raises:
        NoUsableCheckpointError: There are checkpoints, and all are damaged.
        CheckpointError: As for ``load_checkpoint``.
    """
    faults = []
    for path in list_checkpoints(directory):
        try:
            return load_checkpoint(path, rank=rank, sections=sections)
        except DamagedCheckpointError as error:
            # Its frames hold the tensors read so far; whoever keeps the error must not keep those.
            error.__traceback__ = error.__context__ = None
            on_damaged(error)
            faults.append(str(error))
    if faults:
        raise NoUsableCheckpointError(
            f"all {len(faults)} checkpoints in {directory} are damaged; restore one from a backup, or move "
            "them away to start afresh:\n" + "\n".join(faults))
    return None
