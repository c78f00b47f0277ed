"""Writers killed with SIGKILL at random moments: whatever has a final name verifies."""
from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from ms_lr_callbacks.checkpoint import CheckpointStore, list_checkpoints, verify_checkpoint
from processes import start

KILLS = 25

WRITER = """
    import sys
    import numpy as np
    from ms_lr_callbacks.checkpoint import CheckpointStore
    with CheckpointStore(sys.argv[1], keep_last=2) as store:
        found = store.load_latest()
        step = found.step if found else 0
        w = np.random.default_rng(0).random(500_000)
        print("ready", flush=True)
        while True:
            step += 1
            store.save_async(step, {"network": {"w": w, "step": np.array(step)}, "optimizer": {"m": w + step}},
                             {"step": step, "history": np.full(1000, step)})
"""


def test_killed_at_random_moments(tmp_path: Path) -> None:
    random.seed(5)
    inside = 0
    newest = 0
    for kill in range(KILLS):
        writer = start(WRITER, tmp_path)
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n", writer.communicate()
        while kill % 5 == 0 and writer.poll() is None and not any(
                int(path.name[5:]) > newest for path in list_checkpoints(tmp_path)):
            time.sleep(0.01)  # however slow the disk is, some of them get on
        time.sleep(random.uniform(0.0, 0.25))
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        found = list_checkpoints(tmp_path)
        for path in found:
            assert verify_checkpoint(path), verify_checkpoint(path).faults
        steps = [int(path.name[5:]) for path in found]
        assert not newest or steps[0] >= newest  # a checkpoint once there does not go back
        newest = steps[0] if steps else 0
        inside += any(name.startswith(".step") for name in os.listdir(tmp_path))
    assert inside > KILLS // 4  # most kills must hit a write, or this test shows nothing
    with CheckpointStore(tmp_path) as store:
        loaded = store.load_latest()
        assert loaded is not None and loaded.step == newest
        assert loaded.sections["network"]["step"].array == newest
        assert (loaded.state["history"] == newest).all()
    assert not any(name.startswith(".step") for name in os.listdir(tmp_path))
