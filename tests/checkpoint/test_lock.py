"""One run per directory."""
from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from ms_lr_callbacks.checkpoint import CheckpointError, CheckpointStore, DirectoryInUseError
from ms_lr_callbacks.checkpoint.lock import living_owner
from processes import in_child, start
from sample import save, sections, state

HOLD = """
    import sys, time
    from ms_lr_callbacks.checkpoint import CheckpointStore
    store = CheckpointStore(sys.argv[1])
    print("open", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    first = start(HOLD, tmp_path)
    try:
        assert first.stdout is not None and first.stdout.readline() == "open\n"
        with pytest.raises(DirectoryInUseError) as caught:
            CheckpointStore(tmp_path)
        assert f"process {first.pid} on {os.uname().nodename}" in str(caught.value)
        assert "Give this run a directory of its own" in str(caught.value)
        owner = living_owner(tmp_path)
        assert owner is not None and owner.pid == first.pid
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    assert living_owner(tmp_path) is None
    CheckpointStore(tmp_path).close()


def test_a_second_store_in_the_same_process_is_refused_until_close(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    with pytest.raises(DirectoryInUseError, match=f"process {os.getpid()}"):
        CheckpointStore(tmp_path / "." / "")
    store.close()
    CheckpointStore(tmp_path).close()


def test_a_store_that_is_gone_lets_go(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    del store
    CheckpointStore(tmp_path).close()


def test_reading_needs_no_lock(tmp_path: Path) -> None:
    save(tmp_path, 1)
    with CheckpointStore(tmp_path) as store:
        reader = CheckpointStore(tmp_path, rank=1, world_size=2)
        assert len(reader.checkpoints()) == len(store.checkpoints()) == 1
        reader.close()


def test_children_of_a_killed_run_do_not_keep_its_lock(tmp_path: Path) -> None:
    first = start("""
        import os, sys, time
        from ms_lr_callbacks.checkpoint import CheckpointStore
        store = CheckpointStore(sys.argv[1])
        child = os.fork()
        if child:
            print(child, flush=True)
        time.sleep(60)
    """, tmp_path)
    assert first.stdout is not None
    child = int(first.stdout.readline())
    try:
        first.send_signal(signal.SIGKILL)
        first.wait()
        CheckpointStore(tmp_path).close()
    finally:
        os.kill(child, signal.SIGKILL)
        first.communicate()


def test_a_forked_child_may_not_save_and_does_not_free_the_directory(tmp_path: Path) -> None:
    with CheckpointStore(tmp_path) as store:
        def save_in_child() -> None:
            with pytest.raises(CheckpointError, match="another process"):
                store.save(1, sections(1), state(1))
            store.close()

        assert in_child(save_in_child) == 0
        with pytest.raises(DirectoryInUseError):
            CheckpointStore(tmp_path)


def test_a_passing_look_does_not_refuse_the_owner(tmp_path: Path) -> None:
    """Ranks look every few milliseconds whether rank 0 lives; that must never cost it the lock."""
    CheckpointStore(tmp_path).close()
    looker = start("""
        import sys, time
        from ms_lr_callbacks.checkpoint.lock import living_owner
        from pathlib import Path
        print("looking", flush=True)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            living_owner(Path(sys.argv[1]))
    """, tmp_path)
    try:
        assert looker.stdout is not None and looker.stdout.readline() == "looking\n"
        end = time.monotonic() + 1
        while time.monotonic() < end:
            CheckpointStore(tmp_path).close()
    finally:
        looker.kill()
        looker.communicate()
