"""Checks of where a writer is to write, made when it is built: a mistake shows before the training."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def checked_folder(argument: str, given: Any) -> Path:
    """Return a folder to write to as a path; nothing is made.

    Raises:
        TypeError: `given` is no path.
        ValueError: it is empty.
        OSError: it is a file or lies below one, or nothing can be written there.
    """
    path = _path(argument, given)
    _check_folder(argument, path, path.absolute())
    return path


def checked_file(argument: str, given: Any) -> Path:
    """Return a file to write as a path; nothing is made.

    Raises:
        TypeError: `given` is no path.
        ValueError: it is empty.
        OSError: it is a folder or lies below a file, or it cannot be written.
    """
    path = _path(argument, given)
    if path.is_dir():
        raise IsADirectoryError(f"{argument}={str(path)!r} is a folder, not a file; name a file in it.")
    if path.exists():
        _check_permission(argument, path, path)
    _check_folder(argument, path, path.absolute().parent)
    return path


def _path(argument: str, given: Any) -> Path:
    if not isinstance(given, (str, os.PathLike)):
        raise TypeError(f"{argument} must be a path, a string or os.PathLike, but got {given!r}.")
    if not os.fspath(given):
        raise ValueError(f"{argument} must not be empty; for the current folder give '.'.")
    return Path(given)


def _check_folder(argument: str, path: Path, folder: Path) -> None:
    """Check that there is `folder`, or that it can be made."""
    nearest = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    if not nearest.is_dir():
        raise NotADirectoryError(f"{argument}={str(path)!r} cannot be written, as {str(nearest)!r} is not a folder; "
                                 f"give another place, or move that file away.")
    _check_permission(argument, path, nearest)


def _check_permission(argument: str, path: Path, existing: Path) -> None:
    if not os.access(existing, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(f"{argument}={str(path)!r} cannot be written, as there is no permission to write to "
                              f"{str(existing)!r}; give another place.")
