"""The commit protocol: the only way a checkpoint comes into being.

1. ``begin``: a directory aside is made, next to where the checkpoint will be.
2. ``write_part``: every rank writes its files into it; each file is synced, then the directory.
3. ``publish``: the manifest and, last, the sums are written and synced; the directory is synced and
   renamed to its final name; the parent is synced.

A crash at any point leaves a directory aside, which no reader looks at and the next owner removes.
A failure that the process survives removes it at once (``abandon``).
"""
from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Mapping, Optional

from ms_lr_callbacks.checkpoint.errors import CheckpointWriteError
from ms_lr_callbacks.checkpoint.files import sync_directory, write_file, write_files
from ms_lr_callbacks.checkpoint.manifest import FileEntry, Manifest, sums_to_text
from ms_lr_callbacks.checkpoint.names import (MANIFEST, STATE, SUMS, checkpoint_name, state_file,
                                              tensor_file, working_name)
from ms_lr_callbacks.checkpoint.tensorfile import build
from ms_lr_callbacks.checkpoint.tensors import TensorRecord
from ms_lr_callbacks.checkpoint.trash import remove_aside

_REMEDIES = {
    errno.ENOSPC: "free space on that file system, or keep fewer checkpoints",
    errno.EDQUOT: "the disk quota is used up: free space, or keep fewer checkpoints",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f), or save fewer tensors",
    errno.EACCES: "make the directory writable for this user",
    errno.EPERM: "make the directory writable for this user",
    errno.EROFS: "the file system is mounted read-only: use another directory",
    errno.ENOENT: "the directory was removed while in use: make it again and restart the store",
}


@dataclass(frozen=True)
class Part:
    """What one rank puts into a checkpoint.

    Attributes:
        rank: Which rank this is.
        world_size: How many ranks write.
        state: The JSON text of the rank's state.
        sections: section -> tensor name -> tensor; ``state`` holds the state's larger arrays.
    """

    rank: int
    world_size: int
    state: bytes
    sections: Mapping[str, Mapping[str, TensorRecord]]


@dataclass(frozen=True)
class Written:
    """Entry of the manifest and SHA-256 of a file that is on the disk."""

    entry: FileEntry
    sha256: str


@contextmanager
def write_faults(directory: Path) -> Iterator[None]:
    """Turn an operating system's error into a CheckpointWriteError that says the remedy."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "see the system's log for the device")
        raise CheckpointWriteError(
            f"could not write a checkpoint into {directory}: {error.strerror or error} "
            f"({error.filename or directory}); {remedy}. Earlier checkpoints are untouched") from error


def begin(directory: Path, step: int, identity: str) -> Path:
    """Make the directory aside for a checkpoint that is to be."""
    aside = directory / working_name(step, identity, "writing")
    os.mkdir(aside)
    return aside


def write_part(aside: Path, identity: str, part: Part) -> dict[str, Written]:
    """Write and sync the files of one rank; returns them by name."""
    files: dict[str, list[memoryview]] = {}
    sections: dict[str, Optional[str]] = {}
    for section, tensors in part.sections.items():
        if section != STATE or tensors:
            name = tensor_file(section, part.rank, part.world_size)
            metadata = {"checkpoint": identity, "section": section, "rank": str(part.rank)}
            files[name], sections[name] = build(tensors, metadata), section
    name = state_file(part.rank, part.world_size)
    files[name], sections[name] = [memoryview(part.state)], None
    digests = write_files(aside, files)
    sync_directory(aside)
    return {name: Written(FileEntry(digest.nbytes, part.rank, sections[name]), digest.sha256)
            for name, digest in digests.items()}


def publish(aside: Path, identity: str, step: int, world_size: int, files: Mapping[str, Written]) -> Path:
    """Give a directory aside, in which all files are written and synced, its final name."""
    manifest = Manifest(identity, step, world_size, {name: file.entry for name, file in files.items()})
    digests = {name: file.sha256 for name, file in files.items()}
    digests[MANIFEST] = write_file(aside / MANIFEST, manifest.to_json()).sha256
    write_file(aside / SUMS, sums_to_text(digests))
    sync_directory(aside)
    final = aside.with_name(checkpoint_name(step))
    _rename_over(aside, final, aside.with_name(working_name(step, identity, "replaced")))
    return final


def _rename_over(aside: Path, final: Path, former: Path) -> None:
    """Rename ``aside`` to ``final``; what had that name is moved to ``former`` first, then removed.

    A crash between the two renames leaves ``former``, which the next owner renames back.
    """
    if os.path.lexists(final):
        os.rename(final, former)
    try:
        os.rename(aside, final)
    except OSError:
        if os.path.lexists(former):
            os.rename(former, final)
        raise
    sync_directory(final.parent)
    abandon(former)


def abandon(aside: Path) -> None:
    """Remove a directory aside; what cannot be removed is left to the next owner."""
    try:
        remove_aside(aside)
    except OSError:
        pass
