"""Reading a checkpoint that nobody vouches for: everything is checked before anything is handed out.

Files are read once, into the memory that is then handed out, and hashed on the way; what was
verified is what the caller gets, whatever happens to the files meanwhile. Extra memory is none
beyond the tensors themselves.
"""
from __future__ import annotations

import hashlib
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Collection, Iterator, Mapping, Optional, Union

from ms_lr_callbacks.checkpoint import jsontext
from ms_lr_callbacks.checkpoint.errors import CheckpointError, DamagedCheckpointError
from ms_lr_callbacks.checkpoint.files import hash_file, read_file, read_hashed, read_start
from ms_lr_callbacks.checkpoint.manifest import FileEntry, Manifest, sums_from_text
from ms_lr_callbacks.checkpoint.names import MANIFEST, STATE, SUMS, state_file, step_of, tensor_file
from ms_lr_callbacks.checkpoint.state import MAX_ARRAY_BYTES, decode_state
from ms_lr_callbacks.checkpoint.tensorfile import PREFIX_BYTES, Header, header_bytes
from ms_lr_callbacks.checkpoint.tensors import TensorRecord

PathLike = Union[str, "os.PathLike[str]"]
_MAX_SUMS_BYTES = 64 * 2 ** 20


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A checkpoint that verified.

    Attributes:
        path: Its directory.
        step: Optimizer updates done when it was saved.
        world_size: Number of ranks that wrote it.
        state: What the rank saved as ``state``.
        sections: section -> tensor name -> tensor.
    """

    path: Path
    step: int
    world_size: int
    state: dict[str, Any]
    sections: dict[str, dict[str, TensorRecord]]


@dataclass(frozen=True)
class CheckpointReport:
    """What ``verify_checkpoint`` found; true in an ``if`` when the checkpoint is good.

    Attributes:
        path: The directory that was looked at.
        step: The step that its manifest names, or None where that could not be read.
        faults: One sentence per damaged file; empty when all is well.
        nbytes: Bytes that the manifest lists.

    Example:
        >>> report = verify_checkpoint("nowhere/step-00000200")
        >>> bool(report), report.step, report.nbytes
        (False, None, 0)
    """

    path: Path
    step: Optional[int] = None
    faults: tuple[str, ...] = ()
    nbytes: int = 0

    def __bool__(self) -> bool:
        return not self.faults


@dataclass(frozen=True)
class Contents:
    """A checkpoint whose manifest, list of files and sizes were checked, and none of its tensors."""

    path: Path
    manifest: Manifest
    digests: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, path: Path) -> Contents:
        """Look into the directory; raises DamagedCheckpointError."""
        with _faults(path, ""):
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                raise ValueError("a link or a file stands where a checkpoint directory belongs")
        with _faults(path, SUMS):
            digests = sums_from_text(read_file(path / SUMS, _MAX_SUMS_BYTES))
        with _faults(path, MANIFEST):
            text = read_file(path / MANIFEST, jsontext.MAX_BYTES)
            _compare(hashlib.sha256(text).hexdigest(), digests[MANIFEST])
            manifest = Manifest.from_json(text)
        with _faults(path, ""):
            _check_names(path, manifest, digests)
        for name, entry in manifest.files.items():
            with _faults(path, name):
                _check_size(path / name, entry)
        return cls(path, manifest, digests)

    def tensors(self, name: str) -> dict[str, TensorRecord]:
        """Read, check and return the tensors of one file."""
        entry = self.manifest.files[name]
        with _faults(self.path, name):
            buffer, digest = read_hashed(self.path / name, entry.nbytes)
            _compare(digest, self.digests[name])
            start = PREFIX_BYTES + header_bytes(buffer[:PREFIX_BYTES].tobytes(), entry.nbytes)
            header = self._checked(Header(buffer[PREFIX_BYTES:start].tobytes(), entry.nbytes), entry)
            return header.tensors(buffer)

    def header(self, name: str) -> Header:
        """Read and check the header of one tensor file, without its tensors and its digest."""
        entry = self.manifest.files[name]
        with _faults(self.path, name):
            length = header_bytes(read_start(self.path / name, min(PREFIX_BYTES, entry.nbytes)), entry.nbytes)
            text = read_start(self.path / name, PREFIX_BYTES + length)[PREFIX_BYTES:]
            return self._checked(Header(text, entry.nbytes), entry)

    def check(self, name: str) -> None:
        """Check one tensor file in constant memory."""
        with _faults(self.path, name):
            _compare(hash_file(self.path / name, self.manifest.files[name].nbytes), self.digests[name])
        self.header(name)

    def state(self, rank: int) -> dict[str, Any]:
        """Read, check and return one rank's state."""
        arrays_file = tensor_file(STATE, rank, self.manifest.world_size)
        arrays = {}
        if arrays_file in self.manifest.files:
            if self.manifest.files[arrays_file].nbytes > 2 * MAX_ARRAY_BYTES:
                raise DamagedCheckpointError(self.path, arrays_file, "larger than a state can be")
            arrays = self.tensors(arrays_file)
        name = state_file(rank, self.manifest.world_size)
        with _faults(self.path, name):
            text = read_file(self.path / name, jsontext.MAX_BYTES)
            _compare(hashlib.sha256(text).hexdigest(), self.digests[name])
            return decode_state(text, arrays)

    def _checked(self, header: Header, entry: FileEntry) -> Header:
        expected = {"checkpoint": self.manifest.identity, "section": entry.section, "rank": str(entry.rank)}
        if header.metadata != expected:
            raise ValueError("the file belongs to another checkpoint, section or rank")
        return header


def verify_checkpoint(path: PathLike) -> CheckpointReport:
    """Check every byte of a checkpoint, in constant memory.

    Args:
        path: The directory of one checkpoint, ``.../step-00000200``. A link is refused.

    Returns:
        A report that is true when the checkpoint can be loaded as it was saved, and otherwise names
        each damaged file and its fault in ``faults``. A path where nothing is counts as damaged.

    Example:
        >>> report = verify_checkpoint("nowhere/step-00000200")
        >>> bool(report), report.faults
        (False, ('nowhere/step-00000200: No such file or directory',))
    """
    path = Path(path)
    try:
        contents = Contents.of(path)
    except DamagedCheckpointError as error:
        return CheckpointReport(path, faults=(str(error),))
    manifest = contents.manifest
    faults = []
    for name, entry in manifest.files.items():
        try:
            if entry.section is None:
                contents.state(entry.rank)
            else:
                contents.check(name)
        except DamagedCheckpointError as error:
            faults.append(str(error))
    return CheckpointReport(path, manifest.step, tuple(dict.fromkeys(faults)),
                            sum(entry.nbytes for entry in manifest.files.values()))


def load_checkpoint(path: PathLike, *, rank: int = 0,
                    sections: Optional[Collection[str]] = None) -> LoadedCheckpoint:
    """Check every byte of a checkpoint, the other ranks' included, and return one rank's part of it.

    Args:
        path: The directory of one checkpoint.
        rank: Whose tensors and state to return, from 0 to the checkpoint's ``world_size`` - 1.
        sections: Which sections to return; None for all. The others are checked all the same.

    Raises:
        DamagedCheckpointError: Something is not as it was written; names the file and the fault.
        CheckpointError: The checkpoint has no such rank or section, or its tensors do not fit into
            this machine's memory.
    """
    contents = Contents.of(Path(path))
    manifest = contents.manifest
    wanted = _wanted(contents, rank, sections)
    loaded: dict[str, dict[str, TensorRecord]] = {}
    for name, entry in manifest.files.items():
        if entry.section is None and entry.rank != rank:
            contents.state(entry.rank)
        elif name in wanted and entry.section is not None:
            loaded[entry.section] = contents.tensors(name)
        elif entry.section is not None:
            contents.check(name)
    return LoadedCheckpoint(contents.path, manifest.step, manifest.world_size, contents.state(rank), loaded)


def _wanted(contents: Contents, rank: int, sections: Optional[Collection[str]]) -> set[str]:
    """Names of the tensor files to be returned."""
    manifest = contents.manifest
    if not 0 <= rank < manifest.world_size:
        raise CheckpointError(f"{contents.path} was written by {manifest.world_size} ranks and has "
                              f"nothing for rank {rank}; resume with as many ranks as saved it")
    files = {entry.section: name for name, entry in manifest.files.items()
             if entry.rank == rank and entry.section not in (None, STATE)}
    missing = sorted(set(sections or ()) - {str(section) for section in files})
    if missing:
        raise CheckpointError(f"{contents.path} has no section {missing[0]!r}; it has "
                              f"{', '.join(str(section) for section in files) or 'none'}")
    wanted = {name for section, name in files.items() if sections is None or section in sections}
    total, memory = sum(manifest.files[name].nbytes for name in wanted), _physical_memory()
    if memory is not None and total > memory:
        raise CheckpointError(f"{contents.path} holds {total} bytes of tensors, more than the {memory} bytes "
                              "of memory of this machine")
    return wanted


def _physical_memory() -> Optional[int]:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # pragma: no cover - Windows
        return None


@contextmanager
def _faults(path: Path, file: str) -> Iterator[None]:
    """Name the file in whatever goes wrong with it."""
    try:
        yield
    except ValueError as error:
        raise DamagedCheckpointError(path, file, str(error)) from None
    except OSError as error:
        raise DamagedCheckpointError(path, file, error.strerror or str(error)) from None
    except MemoryError:
        raise DamagedCheckpointError(path, file, "too large for this machine's memory") from None


def _compare(digest: str, expected: str) -> None:
    if digest != expected:
        raise ValueError("SHA-256 differs: the content is not what was written")


def _check_names(path: Path, manifest: Manifest, digests: Mapping[str, str]) -> None:
    """The directory, the manifest and the sums must name the same files and the same step."""
    step = step_of(path.name)
    if step is not None and step != manifest.step:
        raise ValueError(f"the manifest is that of step {manifest.step}")
    listed = {*manifest.files, MANIFEST}
    for name in sorted(listed ^ set(digests)):
        raise ValueError(f"{name} stands in only one of {MANIFEST} and {SUMS}")
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name not in listed and entry.name != SUMS:
                raise ValueError(f"{entry.name[:80]!r} does not belong to the checkpoint")
            listed.discard(entry.name)
    for name in sorted(listed):
        raise ValueError(f"{name} is missing")


def _check_size(path: Path, entry: FileEntry) -> None:
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("something else stands where a file belongs")
    if status.st_size != entry.nbytes:
        raise ValueError(f"{status.st_size} bytes instead of {entry.nbytes}")
