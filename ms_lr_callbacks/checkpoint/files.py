"""Bytes to and from the disk, hashed on the way. Knows nothing of what they mean.

SHA-256 is the digest: processors of today have instructions for it (about 2 GB/s on one core, half
as much again as BLAKE2b), and anybody can check a file with ``sha256sum``.
"""
from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Sequence

import numpy as np

from ms_lr_callbacks.checkpoint.direct import LEAST, write_all, write_large

_BLOCK = 2 ** 20
# O_NONBLOCK: opening a pipe that stands in a file's place must not wait for a writer.
_BINARY = getattr(os, "O_BINARY", 0)
_READ_FLAGS = os.O_RDONLY | _BINARY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True)
class FileDigest:
    """Size in bytes and SHA-256 (64 lower-case hexadecimal digits) of a file."""

    nbytes: int
    sha256: str


def write_files(directory: Path, files: Mapping[str, Sequence[memoryview]]) -> dict[str, FileDigest]:
    """Create files, which must not exist, from chunks, and wait until the disk has their content.

    Hashing runs beside the writing, each file in a thread of its own: on one core it costs about as
    much as the disk does, and a checkpoint has two large files.
    """
    hashings = [_Hashing(name, chunks) for name, chunks in files.items()]
    try:
        for name, chunks in files.items():
            _write_file(directory / name, chunks)
    except BaseException:
        for hashing in hashings:
            hashing.stopped = True
        for hashing in hashings:
            hashing.join()
        raise
    return {hashing.name: hashing.result() for hashing in hashings}


class _Hashing:
    """Computes the digest of one file beside its writing; once `stopped`, ends at the next chunk."""

    def __init__(self, name: str, chunks: Sequence[memoryview]) -> None:
        self.name = name
        self.stopped = False
        self._chunks = chunks
        self._digest = hashlib.sha256()
        self._thread = threading.Thread(target=self._run, name="checkpoint digest")
        try:
            self._thread.start()
        except RuntimeError:  # Python 3.12.0 and 3.12.1 start no thread once the interpreter is ending
            self._run()

    def _run(self) -> None:
        for chunk in self._chunks:
            if self.stopped:
                return
            self._digest.update(chunk)

    def join(self) -> None:
        """Wait for the end."""
        if self._thread.ident is not None:
            self._thread.join()

    def result(self) -> FileDigest:
        """Wait for the digest."""
        self.join()
        return FileDigest(sum(chunk.nbytes for chunk in self._chunks), self._digest.hexdigest())


def write_file(path: Path, content: bytes) -> FileDigest:
    """Create a small file, which must not exist, and wait until the disk has its content."""
    _write_file(path, [memoryview(content)])
    return FileDigest(len(content), hashlib.sha256(content).hexdigest())


def _write_file(path: Path, chunks: Sequence[memoryview]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    try:
        if sum(chunk.nbytes for chunk in chunks) < LEAST:
            for chunk in chunks:
                write_all(descriptor, chunk)
        else:
            write_large(descriptor, chunks)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` in one step: a reader sees all of it or what was there before."""
    aside = path.with_name(f".{path.name}.new")
    write_file(aside, content)
    os.replace(aside, path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Wait until the disk has the names in a directory."""
    if os.name == "nt":  # pragma: no cover - Windows cannot open a directory, and needs no such wait
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_file(path: Path, max_bytes: int) -> bytes:
    """The whole of a small regular file.

    Raises:
        ValueError: It is a link, a pipe or a directory, or larger than ``max_bytes``.
        OSError: It cannot be opened or read.
    """
    with _open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise ValueError(f"{size} bytes, more than the {max_bytes} such a file may have")
        return _read_exactly(file, bytearray(size))


def read_start(path: Path, nbytes: int) -> bytes:
    """The first ``nbytes`` of a regular file; errors as for ``read_file``."""
    with _open_regular(path) as file:
        return _read_exactly(file, bytearray(nbytes))


def read_hashed(path: Path, nbytes: int) -> tuple[np.ndarray[Any, Any], str]:
    """A regular file of known size, read once: its bytes (uint8, writable) and their SHA-256.

    Raises:
        ValueError: It is no regular file, or its size is not ``nbytes``.
        OSError: It cannot be opened or read.
    """
    with _open_regular(path, nbytes) as file:
        buffer = np.empty(nbytes, np.uint8)
        digest = hashlib.sha256()
        _fill(file, buffer.data, digest.update)
    return buffer, digest.hexdigest()


def hash_file(path: Path, nbytes: int) -> str:
    """The SHA-256 of a regular file of known size, in constant memory; errors as ``read_hashed``."""
    with _open_regular(path, nbytes) as file:
        digest = hashlib.sha256()
        block = memoryview(bytearray(_BLOCK))
        for start in range(0, nbytes, _BLOCK):
            _fill(file, block[:min(_BLOCK, nbytes - start)], digest.update)
    return digest.hexdigest()


def _open_regular(path: Path, nbytes: Optional[int] = None) -> io.FileIO:
    """Open for reading what is a regular file and, where ``nbytes`` is given, has that size."""
    status = os.lstat(path)
    if stat.S_ISREG(status.st_mode):
        descriptor = os.open(path, _READ_FLAGS)
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and nbytes in (None, status.st_size):
            if hasattr(os, "posix_fadvise"):  # from the disk it comes half as fast again
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            return io.FileIO(descriptor, "r")
        os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"a {_kind(status.st_mode)} stands where a file belongs")
    raise ValueError(f"{status.st_size} bytes instead of {nbytes}")


def _kind(mode: int) -> str:
    return "link" if stat.S_ISLNK(mode) else "directory" if stat.S_ISDIR(mode) else "pipe or device"


def _read_exactly(file: io.FileIO, buffer: bytearray) -> bytes:
    _fill(file, memoryview(buffer), lambda block: None)
    return bytes(buffer)


def _fill(file: io.FileIO, target: memoryview, seen: Callable[[memoryview], object]) -> None:
    """Fill ``target`` block by block and show each block, still in the cache, to ``seen``."""
    done = 0
    while done < target.nbytes:
        count = file.readinto(target[done:done + _BLOCK])
        if not count:
            raise ValueError(f"the file ended after {done} of {target.nbytes} bytes")
        seen(target[done:done + count])
        done += count
