"""Removing checkpoints so that a final name never stands for half of one.

A checkpoint to be removed is renamed to a trash name first. What a dead run left behind - a
directory aside, trash, a checkpoint moved out of the way - is settled by the next owner.
"""
from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from ms_lr_callbacks.checkpoint.files import sync_directory
from ms_lr_callbacks.checkpoint.names import step_of, working_name, working_parts


def remove_checkpoint(path: Path) -> None:
    """Remove what carries a final name: a checkpoint, or the file or link that took its place."""
    step = step_of(path.name)
    if step is None:
        raise ValueError(f"{path.name} is not the name of a checkpoint")
    trash = path.with_name(working_name(step, uuid.uuid4().hex, "trash"))
    os.rename(path, trash)
    sync_directory(path.parent)
    remove_aside(trash)


def remove_aside(path: Path) -> None:
    """Remove a directory that carries no final name; nothing happens if it is not there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def settle_leftovers(directory: Path) -> list[str]:
    """Remove what dead runs left in the directory; only its owner may call this.

    A checkpoint that was moved out of the way for a new one of the same step gets its name back
    when the new one never took it.

    Returns:
        The names that were dealt with.
    """
    settled = []
    for name in sorted(os.listdir(directory)):
        parts = working_parts(name)
        if parts is None:
            continue
        final, _, kind = parts
        if kind == "replaced" and not os.path.lexists(directory / final):
            os.rename(directory / name, directory / final)
        else:
            remove_aside(directory / name)
        settled.append(name)
    if settled:
        sync_directory(directory)
    return settled
