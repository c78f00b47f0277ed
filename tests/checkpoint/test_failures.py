"""Disks that are full, and directories that cannot be written or vanish: earlier checkpoints stay."""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ms_lr_callbacks.checkpoint import CheckpointStore, CheckpointWriteError, verify_checkpoint
from processes import run
from sample import save, sections, state

LIMITED = """
    import resource, sys
    import numpy as np
    from ms_lr_callbacks.checkpoint import CheckpointStore, CheckpointWriteError, verify_checkpoint
    background = sys.argv[2] == "async"
    with CheckpointStore(sys.argv[1]) as store:
        good = store.save(1, {"network": {"w": np.zeros(1000)}}, {})
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        try:
            (store.save_async if background else store.save)(2, {"network": {"w": np.zeros(int(sys.argv[3]))}}, {})
            store.wait()
        except CheckpointWriteError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert verify_checkpoint(good)
        store.save(3, {"network": {"w": np.zeros(10 ** 6)}}, {})
"""


@pytest.mark.parametrize("entries", [10 ** 6, 5 * 10 ** 6])  # the larger one goes past the page cache
@pytest.mark.parametrize("how", ["save", "async"])
def test_a_limit_on_file_sizes(tmp_path: Path, how: str, entries: int) -> None:
    done = run(LIMITED, tmp_path, how, entries)
    assert done.returncode == 0, done.stderr
    assert "File too large" in done.stdout and "ulimit -f" in done.stdout
    assert sorted(os.listdir(tmp_path)) == [".lock", "step-00000001", "step-00000003"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A file system of 2 MB, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if mount is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    import numpy as np
    with CheckpointStore(small_disk) as store:
        good = store.save(1, {"network": {"w": np.zeros(1000)}}, {})
        for entries in (10 ** 6, 5 * 10 ** 6):
            with pytest.raises(CheckpointWriteError, match="No space left on device.*keep fewer checkpoints"):
                store.save(2, {"network": {"w": np.zeros(entries)}}, {})
        assert verify_checkpoint(good)
        assert store.checkpoints() == [good]
        assert sorted(os.listdir(small_disk)) == [".lock", good.name]
        assert verify_checkpoint(store.save(3, {"network": {"w": np.zeros(1000)}}, {}))


def test_an_unwritable_directory(tmp_path: Path) -> None:
    save(tmp_path, 1)
    if os.geteuid() == 0:
        target = Path("/proc/self/checkpoints")  # nobody can make a directory there
    else:
        target = tmp_path
        target.chmod(0o555)
    try:
        with pytest.raises(CheckpointWriteError, match="could not write a checkpoint into"):
            CheckpointStore(target).save(2, sections(2), state(2))
    finally:
        tmp_path.chmod(0o755)
    assert verify_checkpoint(tmp_path / "step-00000001")


def test_the_directory_removed_while_training(tmp_path: Path) -> None:
    with CheckpointStore(tmp_path / "run") as store:
        store.save(1, sections(1), state(1))
        shutil.rmtree(tmp_path / "run")
        with pytest.raises(CheckpointWriteError, match="removed or replaced while it was in use"):
            store.save(2, sections(2), state(2))
    assert not (tmp_path / "run").exists()


def test_the_directory_replaced_by_that_of_another_run(tmp_path: Path) -> None:
    with CheckpointStore(tmp_path / "run") as store:
        (tmp_path / "run").rename(tmp_path / "moved")
        with CheckpointStore(tmp_path / "run") as other:
            good = other.save(1, sections(1), state(1))
            with pytest.raises(CheckpointWriteError, match="removed or replaced"):
                store.save(1, sections(2), state(2))
            assert verify_checkpoint(good)
