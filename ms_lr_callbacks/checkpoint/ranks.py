"""Several ranks, one checkpoint: who waits for whom.

Rank 0 owns the directory. It makes the directory aside; the others find it by the session in the
lock file, which they accept only while rank 0 lives. Every rank writes its files and then, last and
in one step, its part: a list of them with sizes and digests. Rank 0 publishes when all parts are
there and every file has the size that its part says. A rank that fails leaves a part that says so.
"""
from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar

from ms_lr_callbacks.checkpoint import jsontext
from ms_lr_callbacks.checkpoint.commit import Written
from ms_lr_callbacks.checkpoint.errors import CheckpointWriteError
from ms_lr_callbacks.checkpoint.files import read_file, replace_file
from ms_lr_callbacks.checkpoint.lock import living_owner
from ms_lr_callbacks.checkpoint.manifest import Manifest, checked_sha256, entry_from_json, entry_to_json
from ms_lr_callbacks.checkpoint.names import MANIFEST, checkpoint_name, part_file, working_name, working_parts

_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.25
_T = TypeVar("_T")


def session_identity(session: str, attempt: int) -> str:
    """Identity of the save number ``attempt`` of a session."""
    return f"{session}{attempt:08x}"


def join(directory: Path, step: int, timeout: float) -> tuple[Path, str]:
    """Wait until rank 0 has made the directory aside for ``step``.

    Returns:
        That directory and the identity of the checkpoint.

    Raises:
        CheckpointWriteError: Not within ``timeout`` seconds.
    """
    found = _wait_for(lambda: _open_aside(directory, step), timeout)
    if found is None:
        raise CheckpointWriteError(
            f"rank 0 did not begin a checkpoint of step {step} in {directory} within {timeout:g} s; "
            "every rank must save at the same steps, into the same directory")
    return found


def _open_aside(directory: Path, step: int) -> Optional[tuple[Path, str]]:
    owner = living_owner(directory)
    if owner is None:
        return None
    for path in directory.glob(working_name(step, f"{owner.session}*", "writing")):
        parts = working_parts(path.name)
        if parts is not None:
            return path, parts[1]
    return None


def leave_part(aside: Path, identity: str, rank: int, files: dict[str, Written]) -> None:
    """Declare a rank's files complete; they must be written and synced."""
    listed = {name: {**entry_to_json(file.entry), "sha256": file.sha256} for name, file in files.items()}
    replace_file(aside / part_file(rank), jsontext.dump({"id": identity, "rank": rank, "files": listed}))


def leave_failure(aside: Path, identity: str, rank: int, reason: str) -> None:
    """Tell rank 0 not to wait; silent if even that cannot be written."""
    try:
        replace_file(aside / part_file(rank),
                     jsontext.dump({"id": identity, "rank": rank, "error": reason[:2000]}))
    except OSError:
        pass


def gather(aside: Path, identity: str, world_size: int, timeout: float) -> dict[str, Written]:
    """Rank 0 waits for the parts of all others and takes them in.

    Returns:
        The files of the other ranks by name.

    Raises:
        CheckpointWriteError: A rank failed, its part or a file of it is not what it should be, or the
            part is not there within ``timeout`` seconds.
    """
    waiting = set(range(1, world_size))
    files: dict[str, Written] = {}

    def all_there() -> Optional[bool]:
        for rank in sorted(waiting):
            if (aside / part_file(rank)).exists():
                files.update(_take_part(aside, identity, rank, world_size))
                waiting.discard(rank)
        return None if waiting else True

    if _wait_for(all_there, timeout) is None:
        ranks = ", ".join(str(rank) for rank in sorted(waiting)[:20])
        raise CheckpointWriteError(
            f"no files from rank {ranks} within {timeout:g} s, so {aside.parent} gets no checkpoint of this "
            "step; see the log of that rank: every rank must save at the same steps")
    return files


def _take_part(aside: Path, identity: str, rank: int, world_size: int) -> dict[str, Written]:
    """Check one rank's part against its files, and remove the part."""
    path = aside / part_file(rank)
    try:
        content = jsontext.load(read_file(path, jsontext.MAX_BYTES))
        if content["id"] != identity or content["rank"] != rank:
            raise ValueError("belongs to another save")
        reason = content.get("error")
        files = {} if reason else {name: _listed(aside, name, value, rank, world_size)
                                   for name, value in content["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointWriteError(f"{path}: the part of rank {rank} is unusable: {error}") from error
    if reason:
        raise CheckpointWriteError(f"rank {rank} could not write its part: {reason}")
    path.unlink()
    return files


def _listed(aside: Path, name: str, value: dict[str, Any], rank: int, world_size: int) -> Written:
    """One file of a part; raises ValueError where the file differs from what the part says."""
    sha256 = checked_sha256(value.pop("sha256"))
    entry = entry_from_json(name, value, world_size)
    size = (aside / name).stat().st_size
    if entry.rank != rank or size != entry.nbytes:
        raise ValueError(f"{name} has {size} bytes, but rank {entry.rank} wrote {entry.nbytes}")
    return Written(entry, sha256)


def await_commit(aside: Path, identity: str, step: int, timeout: float) -> Path:
    """Another rank waits until rank 0 has published the checkpoint.

    Raises:
        CheckpointWriteError: Rank 0 gave up or died, or took longer than ``timeout`` seconds.
    """
    final = aside.with_name(checkpoint_name(step))

    def settled() -> Optional[bool]:
        if aside.exists():
            return False if living_owner(aside.parent) is None and aside.exists() else None
        if _identity_of(final) != identity:
            time.sleep(_LONGEST_PAUSE)  # a network file system may show the rename late
        return _identity_of(final) == identity

    done = _wait_for(settled, timeout)
    if done:
        return final
    reason = f"did not commit within {timeout:g} s" if done is None else "gave up or died"
    raise CheckpointWriteError(f"rank 0 {reason}, so {aside.parent} has no new checkpoint of step {step}; "
                               "see the log of rank 0")


def _identity_of(checkpoint: Path) -> Optional[str]:
    try:
        return Manifest.from_json(read_file(checkpoint / MANIFEST, jsontext.MAX_BYTES)).identity
    except (OSError, ValueError):
        return None


def _wait_for(look: Callable[[], Optional[_T]], timeout: float) -> Optional[_T]:
    """What ``look`` gives once it is not None, or None after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while True:
        result = look()
        if result is not None or time.monotonic() > deadline:
            return result
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
