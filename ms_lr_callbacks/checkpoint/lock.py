"""One writing run per directory.

The owner holds an exclusive ``flock`` on ``.lock`` for as long as it lives; the kernel lets go of it
when the process ends, SIGKILL included. Because no two runs can own a directory, everything half
done that a new owner finds in it belongs to a run that is dead.
"""
from __future__ import annotations

import errno
import os
import socket
import time
import uuid
import warnings
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ms_lr_callbacks.checkpoint import jsontext
from ms_lr_callbacks.checkpoint.errors import DirectoryInUseError
from ms_lr_callbacks.checkpoint.names import LOCK

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

_PAUSE = 0.05
_BUSY = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
_MAX_BYTES = 4096
_HELD: weakref.WeakSet[DirectoryLock] = weakref.WeakSet()


@dataclass(frozen=True)
class Owner:
    """Who holds a directory: ``session`` is new for every time that it is taken."""

    session: str
    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


class DirectoryLock:
    """Take a directory for this process, until ``release()`` or the process' end.

    Args:
        directory: An existing directory.
        patience: Seconds to go on trying. A rank that looks whether the owner lives holds the lock
            for microseconds, and worker processes of a killed run may take a moment to end.

    Raises:
        DirectoryInUseError: Another run, or another store of this process, holds it.
        OSError: The lock file cannot be made.
    """

    def __init__(self, directory: Path, patience: float = 1.0) -> None:
        self.path = directory / LOCK
        self.owner = Owner(uuid.uuid4().hex[:16], os.getpid(), socket.gethostname(),
                           time.strftime("%Y-%m-%d %H:%M:%S"))
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            self._take(time.monotonic() + patience)
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, jsontext.dump(vars(self.owner)))
        except BaseException:
            os.close(self._descriptor)
            raise
        _HELD.add(self)

    def _take(self, deadline: float) -> None:
        while not _try_lock(self._descriptor, exclusive=True, unknown=True):
            if time.monotonic() > deadline:
                raise DirectoryInUseError(
                    f"{self.path.parent} is in use by another run ({_read_owner(self.path) or 'unknown'}); "
                    "two runs in one directory would remove each other's checkpoints. Give this run a "
                    "directory of its own, close the other store, or end the other run")
            time.sleep(_PAUSE)

    def is_held(self) -> bool:
        """Whether the lock still stands for the directory: False once that was removed or replaced."""
        try:
            ours, there = os.fstat(self._descriptor), os.stat(self.path)
        except OSError:
            return False
        return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)

    def release(self) -> None:
        """Let go; harmless when done twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def living_owner(directory: Path) -> Optional[Owner]:
    """Who holds the directory now, or None when nobody does."""
    try:
        descriptor = os.open(directory / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        if _try_lock(descriptor, exclusive=False, unknown=False):
            return None
        return _read_owner(directory / LOCK)
    finally:
        os.close(descriptor)


def _read_owner(path: Path) -> Optional[Owner]:
    try:
        with open(path, "rb") as file:
            return Owner(**jsontext.load(file.read(_MAX_BYTES)))
    except (OSError, ValueError, TypeError):
        return None


def _try_lock(descriptor: int, exclusive: bool, unknown: bool) -> bool:
    """Whether the lock could be taken; ``unknown`` where the file system has none."""
    if fcntl is None:  # pragma: no cover - Windows
        return unknown
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            return False
        if exclusive:
            warnings.warn(f"this file system cannot lock files ({error.strerror}): a second run that uses "
                          "the same checkpoint directory will not be noticed", stacklevel=5)
        return unknown
    return True


def _let_go_in_child() -> None:
    """A forked child (a data worker) must not keep a lock alive after its parent was killed."""
    for lock in list(_HELD):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
