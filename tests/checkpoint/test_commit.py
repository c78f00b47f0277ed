"""A process that ends anywhere in the protocol leaves nothing half under a final name."""
from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any, Callable

import pytest

from ms_lr_callbacks.checkpoint import (CheckpointStore, CheckpointWriteError, list_checkpoints, load_checkpoint,
                                        load_latest, verify_checkpoint)
from processes import in_child
from sample import assert_equal, save, sections, state

CALLS = ("mkdir", "open", "write", "fsync", "close", "rename", "replace", "unlink", "rmdir")


def patch_calls(at: int, action: Callable[[str], None]) -> list[str]:
    """Do ``action`` instead of the ``at``-th of the file system calls that follow; returns their log."""
    log: list[str] = []

    def wrap(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            log.append(name)
            if len(log) == at:
                action(name)
            return real(*arguments, **options)
        return call

    for name in CALLS:
        setattr(os, name, wrap(name))
    return log


def die(name: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def assert_complete(directory: Path, *steps: int) -> None:
    """At least one of these steps is there to be resumed from, and all that is there verifies."""
    found = list_checkpoints(directory)
    for path in found:
        assert verify_checkpoint(path), verify_checkpoint(path).faults
    assert {int(path.name[5:]) for path in found} <= set(steps)


@pytest.mark.parametrize("before, step, keep_last", [((), 1, 3), ((1,), 2, 1), ((1,), 1, 1), ((1, 2), 2, 3)],
                         ids=["first", "retire", "replace the only one", "replace"])
def test_killed_at_every_call(tmp_path: Path, before: tuple[int, ...], step: int, keep_last: int) -> None:
    at = 0
    while True:
        at += 1
        directory = tmp_path / str(at)
        directory.mkdir()
        if before:
            save(directory, *before)

        def killed() -> None:
            with CheckpointStore(directory, keep_last=keep_last) as store:
                patch_calls(at, die)
                store.save(step, sections(step), state(step))

        status = in_child(killed)
        assert_complete(directory, *before, step)
        with CheckpointStore(directory) as store:  # the next run settles what the dead one left
            loaded = store.load_latest()
            assert (loaded is not None) or not before
            if loaded is not None:
                assert_equal(loaded, loaded.step)
            assert not [name for name in os.listdir(directory) if name.startswith(".step")]
            assert_complete(directory, *before, step)
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert at > 20
    assert_equal(load_checkpoint(directory / f"step-{step:08d}"), step)


def test_failed_at_every_call(tmp_path: Path) -> None:
    """An error the process survives: nothing half is left, not even aside, and the store goes on."""
    at = 0
    failed = 0
    while True:
        at += 1
        directory = tmp_path / str(at)
        save(directory, 1)

        def fails() -> None:
            def fail(name: str) -> None:
                if name != "close":
                    raise OSError(5, "Input/output error")

            with CheckpointStore(directory) as store:
                log = patch_calls(at, fail)
                try:
                    store.save(2, sections(2), state(2))
                except CheckpointWriteError as error:
                    assert "Input/output error" in str(error) and "Earlier checkpoints" in str(error)
                    assert len(log) >= at
                    log.append("reported")
                if len(log) < at:
                    os._exit(7)
                reported = "reported" in log
                store.save(3, sections(3), state(3))
                os._exit(2 if reported else 0)

        status = in_child(fails)
        if status == 7:
            break
        assert status in (0, 2)
        failed += status == 2
        assert_complete(directory, 1, 2, 3)
        assert not [name for name in os.listdir(directory) if name.startswith(".step")]
        loaded = load_latest(directory)
        assert loaded is not None
        assert_equal(loaded, 3)
    assert failed > 15


def test_files_directory_and_parent_are_synced_in_this_order(tmp_path: Path) -> None:
    def record() -> None:
        with CheckpointStore(tmp_path) as store:
            names: dict[int, str] = {}
            log: list[str] = []
            real_open, real_sync, real_rename = os.open, os.fsync, os.rename

            def opened(path: Any, *arguments: Any, **options: Any) -> int:
                descriptor = real_open(path, *arguments, **options)
                names[descriptor] = os.path.basename(path)
                return descriptor

            def synced(descriptor: int) -> None:
                log.append(names[descriptor])
                real_sync(descriptor)

            def renamed(*arguments: Any) -> None:
                log.append("rename")
                real_rename(*arguments)

            os.open, os.fsync, os.rename = opened, synced, renamed  # type: ignore[assignment]
            store.save(1, {"network": sections(1)["network"]}, {})
        (tmp_path / "log").write_text("\n".join(log))

    assert in_child(record) == 0
    log = (tmp_path / "log").read_text().split("\n")
    aside = log[2]
    assert aside.startswith(".step-00000001.") and aside.endswith(".writing")
    assert log == ["network.safetensors", "state.json", aside, "manifest.json", "SHA256SUMS", aside, "rename",
                   tmp_path.name]
