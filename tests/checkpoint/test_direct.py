"""Large files are written past the page cache; what stands in them is the same in every way to get there."""
from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ms_lr_callbacks.checkpoint import CheckpointStore, direct, load_checkpoint, verify_checkpoint
from ms_lr_callbacks.checkpoint.files import write_files

LARGE = np.random.default_rng(0).integers(0, 256, 3 * direct.LEAST // 2 + 12345, np.uint8)


def pieces(sizes: list[int]) -> list[memoryview]:
    ends = np.cumsum([0, *sizes])
    return [LARGE[start:end].data for start, end in zip(ends, ends[1:])]


@pytest.mark.parametrize("sizes", [
    [direct.LEAST], [direct.LEAST + 1], [8, direct.LEAST - 3], [direct.LEAST - 1], [LARGE.size],
    [1] * 100 + [LARGE.size - 100], [0, LARGE.size], [8 * 2 ** 20] * 3, [4096] * 2000 + [direct.LEAST],
    [5_000_001] * 5])
def test_every_byte_is_there(tmp_path: Path, sizes: list[int]) -> None:
    chunks = pieces(sizes)
    digest = write_files(tmp_path, {"file": chunks})["file"]
    assert (tmp_path / "file").read_bytes() == b"".join(chunks)
    assert digest.nbytes == sum(sizes)


@pytest.mark.parametrize("fault", ["no flag", "no direct write", "short write", "odd short write"])
def test_where_direct_writing_fails_the_rest_is_written_the_other_way(tmp_path: Path, fault: str,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl
    real_fcntl, real_write, calls = fcntl.fcntl, os.write, []

    def failing_fcntl(descriptor: int, command: int, flags: int = 0) -> Any:
        if fault == "no flag" and flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return real_fcntl(descriptor, command, flags)

    def failing_write(descriptor: int, data: Any) -> int:
        calls.append(bool(real_fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT))
        if len(calls) == 2 and fault == "no direct write":
            raise OSError(errno.EINVAL, "Invalid argument")
        if len(calls) == 2 and fault.endswith("short write"):
            if fault.startswith("odd"):
                real_fcntl(descriptor, fcntl.F_SETFL, real_fcntl(descriptor, fcntl.F_GETFL) & ~os.O_DIRECT)
            return real_write(descriptor, data[:4096 + 77 * fault.startswith("odd")])
        return real_write(descriptor, data)

    monkeypatch.setattr(fcntl, "fcntl", failing_fcntl)
    monkeypatch.setattr(os, "write", failing_write)
    write_files(tmp_path, {"file": pieces([8, LARGE.size - 8])})
    assert (tmp_path / "file").read_bytes() == LARGE.tobytes()
    assert not any(calls[3:])


def test_errors_of_the_disk_are_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        write_files(tmp_path, {"file": pieces([LARGE.size])})


def test_a_checkpoint_of_large_files(tmp_path: Path) -> None:
    with CheckpointStore(tmp_path) as store:
        path = store.save(1, {"network": {"w": LARGE, "b": np.float64([1.5])}, "optimizer": {"m": LARGE[::-1]}}, {})
    assert verify_checkpoint(path)
    sections = load_checkpoint(path).sections
    assert np.array_equal(sections["network"]["w"].array, LARGE)
    assert np.array_equal(sections["optimizer"]["m"].array, LARGE[::-1])
