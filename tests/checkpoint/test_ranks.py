"""Several real processes, one checkpoint: it is there when all parts are, and never otherwise."""
from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from ms_lr_callbacks.checkpoint import (CheckpointError, CheckpointStore, CheckpointWriteError,
                                        DamagedCheckpointError, list_checkpoints, load_checkpoint,
                                        verify_checkpoint)
from processes import start

RANK = """
    import os, sys, time
    import numpy as np
    from ms_lr_callbacks.checkpoint import CheckpointStore, files
    directory, rank, world_size, steps, slow, timeout = sys.argv[1], *map(float, sys.argv[2:])
    rank, world_size, steps = int(rank), int(world_size), int(steps)
    real = os.write
    def write(descriptor, chunk):
        if len(chunk) > 5000 and slow:
            print("writing", flush=True)
            time.sleep(slow)
        return real(descriptor, chunk)
    os.write = write
    with CheckpointStore(directory, rank=rank, world_size=world_size, timeout=timeout) as store:
        for step in range(1, steps + 1):
            tensors = {"optimizer": {"m": np.full(1000, rank * 1000 + step, np.float64)}}
            if rank == 0:
                tensors["network"] = {"w": np.full(10, step)}
            print(store.save(step, tensors, {"rank": rank, "seeds": np.arange(100) + rank}), flush=True)
"""


def ranks(directory: Path, world_size: int, steps: int, slow: dict[int, float], timeout: float = 30.0,
          ) -> list[subprocess.Popen[str]]:
    return [start(RANK, directory, rank, world_size, steps, slow.get(rank, 0.0), timeout)
            for rank in range(world_size)]


def test_every_rank_gets_back_its_own_part(tmp_path: Path) -> None:
    processes = ranks(tmp_path, 3, 4, {2: 0.05})
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    path = tmp_path / "step-00000004"
    assert all(out.split("\n")[-2] == str(path) for out, _ in outputs)
    assert len(list_checkpoints(tmp_path)) == 3
    assert verify_checkpoint(path)
    assert "optimizer.rank-00002.safetensors" in os.listdir(path)
    assert not [name for name in os.listdir(path) if name.startswith(("part", "."))]
    for rank in range(3):
        loaded = load_checkpoint(path, rank=rank)
        assert loaded.world_size == 3 and loaded.state["rank"] == rank
        assert (loaded.sections["optimizer"]["m"].array == rank * 1000 + 4).all()
        assert set(loaded.sections) == ({"optimizer", "network"} if rank == 0 else {"optimizer"})
    with pytest.raises(CheckpointError, match="written by 3 ranks and has nothing for rank 3"):
        load_checkpoint(path, rank=3)


def test_damage_to_one_rank_is_seen_by_all(tmp_path: Path) -> None:
    for process in ranks(tmp_path, 2, 1, {}):
        process.communicate(timeout=60)
    path = tmp_path / "step-00000001"
    file = path / "optimizer.rank-00001.safetensors"
    file.write_bytes(file.read_bytes()[:-8] + bytes(8))
    for rank in range(2):
        with pytest.raises(DamagedCheckpointError, match="optimizer.rank-00001"):
            load_checkpoint(path, rank=rank)


@pytest.mark.parametrize("victim", [0, 1])
def test_a_rank_killed_in_the_middle_leaves_no_checkpoint(tmp_path: Path, victim: int) -> None:
    for process in ranks(tmp_path, 2, 1, {}):
        process.communicate(timeout=60)
    before = list_checkpoints(tmp_path)
    processes = ranks(tmp_path, 2, 2, {victim: 0.6}, timeout=4.0)
    out = processes[victim].stdout
    assert out is not None
    while out.readline() != str(tmp_path / "step-00000001\n"):
        assert processes[victim].poll() is None
    assert out.readline() == "writing\n"
    time.sleep(0.4)  # by now the other one has joined and waits
    processes[victim].send_signal(signal.SIGKILL)
    survivor = processes[1 - victim]
    _, err = survivor.communicate(timeout=60)
    processes[victim].communicate()
    assert survivor.returncode == 1
    expected = "no files from rank 1 within 4 s" if victim == 1 else "rank 0 gave up or died"
    assert expected in err, err
    assert list_checkpoints(tmp_path) == before and verify_checkpoint(before[0])
    CheckpointStore(tmp_path).close()
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".step")]


def test_a_rank_that_fails_says_why_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = CheckpointStore(tmp_path, world_size=2, timeout=600)
    second = CheckpointStore(tmp_path, rank=1, world_size=2, timeout=600)
    os.mkdir(tmp_path / "elsewhere")
    from ms_lr_callbacks.checkpoint import store as module

    real = module.write_part

    def write_part(aside: Path, identity: str, part: object) -> object:
        if part.rank == 1:  # type: ignore[attr-defined]
            raise OSError(28, "No space left on device")
        return real(aside, identity, part)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "write_part", write_part)
    begun = time.monotonic()
    second.save_async(1, {"optimizer": {"m": np.zeros(3)}}, {})
    with pytest.raises(CheckpointWriteError, match="rank 1 could not write its part: .*No space left"):
        first.save(1, {"optimizer": {"m": np.zeros(3)}}, {})
    with pytest.raises(CheckpointWriteError, match="No space left"):
        second.wait()
    assert time.monotonic() - begun < 300 and list_checkpoints(tmp_path) == []
    monkeypatch.undo()
    second.save_async(1, {"optimizer": {"m": np.zeros(3)}}, {})
    assert verify_checkpoint(first.save(1, {"optimizer": {"m": np.zeros(3)}}, {}))
    second.close()
    first.close()


def test_a_rank_that_saves_alone_is_told_so(tmp_path: Path) -> None:
    with CheckpointStore(tmp_path, world_size=2, timeout=0.1) as store:
        with pytest.raises(CheckpointWriteError, match="no files from rank 1 within 0.1 s.*same steps"):
            store.save(1, {}, {})
    with CheckpointStore(tmp_path, rank=1, world_size=2, timeout=0.1) as store:
        with pytest.raises(CheckpointWriteError, match="rank 0 did not begin a checkpoint of step 1"):
            store.save(1, {}, {})
    assert os.listdir(tmp_path) == [".lock"]


@pytest.mark.parametrize("part", ["", "[]", "{}", '{"id": "x"}', '{"id": "ID", "rank": 1}',
                                  '{"id": "ID", "rank": 1, "files": []}',
                                  '{"id": "ID", "rank": 1, "files": {"../x": {}}}',
                                  '{"id": "ID", "rank": 1, "files": {"../x": {"sha256": "%s"}}}' % ("0" * 64),
                                  '{"id": "ID", "rank": 1, "files": {"state.rank-00001.json": {"bytes": 1, '
                                  '"rank": 1, "section": null, "sha256": "%s"}}}' % ("0" * 64)])
def test_a_part_that_is_none_is_refused(tmp_path: Path, part: str) -> None:
    def put() -> None:
        for _ in range(500):
            for aside in tmp_path.glob(".step*"):
                (aside / "state.rank-00001.json").write_text("two")
                identity = aside.name.split(".")[2]
                (aside / "new").write_text(part.replace("ID", identity))
                (aside / "new").rename(aside / "part-00001.json")
                return
            time.sleep(0.01)

    thread = threading.Thread(target=put)
    thread.start()
    with CheckpointStore(tmp_path, world_size=2, timeout=20) as store:
        with pytest.raises(CheckpointWriteError):
            store.save(1, {}, {})
    thread.join()
    assert os.listdir(tmp_path) == [".lock"]
