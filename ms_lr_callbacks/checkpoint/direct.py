"""Writing large amounts past the system's page cache, where the file system lets us.

A page of the cache for each page of a checkpoint costs as much as the disk does, pushes the training's data
out of the cache, and nobody reads it again. What cannot be written so - the last odd bytes, and everything
on a file system that knows no direct writes - is written in the ordinary way.
"""
from __future__ import annotations

import errno
import mmap
import os
from typing import Iterable, Iterator

import numpy as np

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

_BLOCK = 4096  # a multiple of what any disk asks for
_BUFFER = 8 * 2 ** 20
_DIRECT = getattr(os, "O_DIRECT", 0)
LEAST = 2 * _BUFFER
"""Bytes from which on it is worth it."""


def write_large(descriptor: int, chunks: Iterable[memoryview]) -> None:
    """Write chunks one after the other to a new file; the caller syncs it."""
    buffer = memoryview(mmap.mmap(-1, _BUFFER))  # begins at a page, as a direct write has to
    _set_direct(descriptor, True)
    for nbytes in _filled(buffer, chunks):
        done = _write_direct(descriptor, buffer[:nbytes - nbytes % _BLOCK])
        if done < nbytes:
            _set_direct(descriptor, False)
            write_all(descriptor, buffer[done:nbytes])


def write_all(descriptor: int, chunk: memoryview) -> None:
    """Write a whole chunk, in as many calls as it takes."""
    done = 0
    while done < chunk.nbytes:
        done += os.write(descriptor, chunk[done:done + 2 ** 30])


def _filled(buffer: memoryview, chunks: Iterable[memoryview]) -> Iterator[int]:
    """Fill the buffer again and again with what comes next; yield how much is in it, less only at the end."""
    target = np.frombuffer(buffer, np.uint8)
    fill = 0
    for chunk in filter(len, chunks):
        source, start = np.frombuffer(chunk, np.uint8), 0
        while start < source.size:
            count = min(target.size - fill, source.size - start)
            np.copyto(target[fill:fill + count], source[start:start + count])
            fill, start = fill + count, start + count
            if fill == target.size:
                yield fill
                fill = 0
    if fill:
        yield fill


def _write_direct(descriptor: int, block: memoryview) -> int:
    """Return how much was written; less than all where direct writing does not go on."""
    try:
        return os.write(descriptor, block) if block.nbytes else 0
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return 0


def _set_direct(descriptor: int, on: bool) -> None:
    if fcntl is None or not _DIRECT:  # pragma: no cover - Windows, macOS
        return
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | _DIRECT if on else flags & ~_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:  # the file system has no direct writes
            raise
