"""The store: one directory of checkpoints, owned by one run."""
from __future__ import annotations

import os
import warnings
import weakref
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Collection, Mapping, Optional

from ms_lr_callbacks.checkpoint import ranks
from ms_lr_callbacks.checkpoint.background import BackgroundWriter
from ms_lr_callbacks.checkpoint.commit import Part, abandon, begin, publish, write_faults, write_part
from ms_lr_callbacks.checkpoint.errors import CheckpointError, CheckpointWriteError, DamagedCheckpointError
from ms_lr_callbacks.checkpoint.listing import list_checkpoints, load_latest
from ms_lr_callbacks.checkpoint.lock import DirectoryLock
from ms_lr_callbacks.checkpoint.names import MAX_RANKS, MAX_STEP, STATE, checkpoint_name, is_section
from ms_lr_callbacks.checkpoint.reader import LoadedCheckpoint, PathLike
from ms_lr_callbacks.checkpoint.retention import KeepLast, Verified
from ms_lr_callbacks.checkpoint.state import encode_state
from ms_lr_callbacks.checkpoint.tensorfile import is_tensor_name
from ms_lr_callbacks.checkpoint.tensors import Sections, TensorRecord, as_record
from ms_lr_callbacks.checkpoint.trash import remove_checkpoint, settle_leftovers


class CheckpointStore:
    """Saves checkpoints into a directory and loads them again.

    Opening it makes the directory, takes it for this process and removes what dead runs left in it.
    It is owned until ``close()``, the end of the ``with`` block or the end of the process.

    Args:
        directory: Where the checkpoints stand side by side.
        keep_last: How many checkpoints that verify are kept, 1 or more; None keeps all.
        rank: Which of several writing ranks this is. Rank 0 owns the directory. Where only rank 0
            writes (data parallel), open the store there, with ``world_size=1``; the other ranks
            read through ``load_latest``.
        world_size: How many ranks write one checkpoint together.
        timeout: Seconds that one rank waits for another.

    Raises:
        DirectoryInUseError: Another live run owns the directory.
        CheckpointWriteError: It cannot be made or written to.

    Example:
        >>> import tempfile, numpy as np
        >>> with CheckpointStore(tempfile.mkdtemp(), keep_last=2) as store:
        ...     for step in (10, 20, 30):
        ...         path = store.save(step, {"network": {"w": np.full(3, step)}}, {"step": step})
        ...     print(path.name, len(store.checkpoints()))
        ...     loaded = store.load_latest()
        ...     print(loaded.step, loaded.state, loaded.sections["network"]["w"].array)
        step-00000030 2
        30 {'step': 30} [30 30 30]
    """

    def __init__(self, directory: PathLike, *, keep_last: Optional[int] = 3, rank: int = 0,
                 world_size: int = 1, timeout: float = 600.0) -> None:
        if not 1 <= world_size <= MAX_RANKS or not 0 <= rank < world_size:
            raise ValueError(f"rank={rank} of world_size={world_size}; rank goes from 0 to world_size - 1, "
                             f"and world_size from 1 to {MAX_RANKS}")
        self.directory = Path(os.path.abspath(directory))
        self.rank, self.world_size, self.timeout = rank, world_size, timeout
        self._rule = KeepLast(keep_last)
        self._verified = Verified()
        self._writer = BackgroundWriter()
        self._attempts = 0
        self._pid = os.getpid()
        self._closed = False
        self._lock = self._take_directory() if rank == 0 else None

    def _take_directory(self) -> DirectoryLock:
        with write_faults(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
            lock = DirectoryLock(self.directory)
            weakref.finalize(self, lock.release)
            settle_leftovers(self.directory)
        return lock

    def save(self, step: int, sections: Sections, state: Mapping[str, Any]) -> Path:
        """Write a checkpoint and wait until the disk has it.

        A checkpoint of the same step is replaced. With several ranks each calls this with its own
        tensors and state; it returns when the whole checkpoint is there.

        Args:
            step: Optimizer updates done, 0 or more.
            sections: section -> tensor name -> NumPy array or ``TensorRecord``. A section becomes a
                file; its name has lower-case letters, digits and ``_``, and is not ``state``.
            state: Nested plain values (see ``state.encode_state``).

        Returns:
            The checkpoint's directory.

        Raises:
            CheckpointWriteError: It could not be written; those before it are untouched.
            TypeError: A tensor or a value of the state has a type that cannot be stored.
            ValueError: A name, the step or a value is out of range.
        """
        part = self._prepare(step, sections, state)
        self._writer.wait()
        return self._write(step, part)

    def save_async(self, step: int, sections: Sections, state: Mapping[str, Any]) -> Path:
        """Start writing a checkpoint and return; arguments and errors as for ``save``.

        Waits for the save before it and raises that one's error. The state may be changed at once;
        the arrays must not be, until ``poll()`` returns False or ``wait()`` returns.

        Returns:
            Where the checkpoint is going to be.
        """
        part = self._prepare(step, sections, state)
        self._writer.submit(lambda: self._write(step, part))
        return self.directory / checkpoint_name(step)

    def poll(self) -> bool:
        """Raise the error of a save that failed; returns whether one is still being written."""
        return self._writer.poll()

    def wait(self) -> None:
        """Wait for the save that is being written, and raise its error."""
        self._writer.wait()

    def close(self) -> None:
        """Wait for the save that is being written, raise its error, and let go of the directory."""
        self._closed = True
        try:
            self._writer.close()
        finally:
            if self._lock is not None:
                self._lock.release()

    def __enter__(self) -> CheckpointStore:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def checkpoints(self) -> list[Path]:
        """All checkpoints in the directory, newest first, sound and damaged ones alike."""
        return list_checkpoints(self.directory)

    def load_latest(self, *, sections: Optional[Collection[str]] = None,
                    on_damaged: Optional[Callable[[DamagedCheckpointError], object]] = None,
                    ) -> Optional[LoadedCheckpoint]:
        """Load this rank's part of the newest checkpoint that verifies; see ``listing.load_latest``."""
        options: dict[str, Any] = {} if on_damaged is None else {"on_damaged": on_damaged}
        loaded = load_latest(self.directory, rank=self.rank, sections=sections, **options)
        if loaded is not None:
            self._verified.remember(loaded.path)
        return loaded

    def _prepare(self, step: int, sections: Sections, state: Mapping[str, Any]) -> Part:
        """Check the arguments and take from them what the caller may change afterwards."""
        if self._closed or os.getpid() != self._pid:
            raise CheckpointError(f"the store of {self.directory} is closed"
                                  " or was opened in another process; open one here")
        if type(step) is not int or not 0 <= step <= MAX_STEP:
            raise ValueError(f"step={step!r}; pass an integer from 0 to {MAX_STEP}")
        records: dict[str, dict[str, TensorRecord]] = {}
        for section, tensors in sections.items():
            if not is_section(section):
                raise ValueError(f"section {section!r}; use lower-case letters, digits and _, "
                                 f"starting with a letter, and not {STATE!r}")
            records[section] = {_checked_name(name): as_record(value, name)
                                for name, value in tensors.items()}
        text, records[STATE] = encode_state(state)
        return Part(self.rank, self.world_size, text, records)

    def _write(self, step: int, part: Part) -> Path:
        if self._lock is None:
            return self._contribute(step, part)
        if not self._lock.is_held():
            raise CheckpointWriteError(f"{self.directory} was removed or replaced while it was in use; "
                                       "start a new store")
        path = self._commit(step, part, self._lock.owner.session)
        self._retire(path)
        return path

    def _commit(self, step: int, part: Part, session: str) -> Path:
        """Rank 0: write, take in the others' files, publish."""
        self._attempts += 1
        identity = ranks.session_identity(session, self._attempts)
        with write_faults(self.directory):
            aside = begin(self.directory, step, identity)
            try:
                files = write_part(aside, identity, part)
                files.update(ranks.gather(aside, identity, self.world_size, self.timeout))
                return publish(aside, identity, step, self.world_size, files)
            except BaseException:
                abandon(aside)
                raise

    def _contribute(self, step: int, part: Part) -> Path:
        """Another rank: write into rank 0's directory aside and wait for it to publish."""
        aside, identity = ranks.join(self.directory, step, self.timeout)
        with write_faults(self.directory):
            try:
                ranks.leave_part(aside, identity, self.rank, write_part(aside, identity, part))
            except BaseException as error:
                ranks.leave_failure(aside, identity, self.rank, str(error))
                raise
        return ranks.await_commit(aside, identity, step, self.timeout)

    def _retire(self, newest: Path) -> None:
        """Remove what need not be kept; the checkpoint just written always is."""
        self._verified.remember(newest)
        for path in self._rule.obsolete(self.checkpoints(), self._verified):
            if path == newest:
                continue
            try:
                remove_checkpoint(path)
            except OSError as error:
                warnings.warn(f"the old checkpoint {path} could not be removed: {error.strerror}; "
                              "remove it by hand", stacklevel=2)


def _checked_name(name: Any) -> str:
    if type(name) is not str or not is_tensor_name(name):
        raise ValueError(f"a tensor is called {name!r}; use Unicode text, not empty, not '__metadata__'")
    return name
