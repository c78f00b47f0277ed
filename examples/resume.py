"""Kill a training in the middle of an epoch, resume it, and compare it with one that was not disturbed.

``python examples/resume.py`` trains a small network three times in processes of their own: once
undisturbed; once until it sends itself SIGKILL, in the middle of its third epoch; and once more with
the same script, which finds the checkpoint and goes on. It prints that the final weights are equal,
bit for bit.
"""
from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

EPOCHS, STEPS_PER_EPOCH, KILLED_AFTER = 6, 20, 53


def train(directory: str, kill_after: Optional[int]) -> None:
    """Train from where the last checkpoint stands, as any script would; print a digest of the weights."""
    import mindspore as ms
    import mindspore.dataset as ds
    import numpy as np
    from mindspore import nn
    from mindspore.train import Callback, Model

    from ms_lr_callbacks import LRScheduler, OptimizerCheckpoint
    from ms_lr_callbacks import schedules as S

    class Kill(Callback):
        """Ends the process as a power cut would."""

        def on_train_step_end(self, run_context: Any) -> None:
            if run_context.original_args().cur_step_num == kill_after:
                os.kill(os.getpid(), signal.SIGKILL)

    ms.set_seed(1)  # the shuffle has to be the same in each run
    draw = np.random.default_rng(0)
    x = draw.normal(size=(16 * STEPS_PER_EPOCH, 10)).astype(np.float32)
    y = (x[:, :1] * x[:, 1:2] > 0).astype(np.float32)
    dataset = ds.GeneratorDataset(list(zip(x, y)), ["x", "y"], shuffle=True).batch(16)

    network = nn.SequentialCell(nn.Dense(10, 32), nn.Tanh(), nn.Dense(32, 1))
    optimizer = nn.AdamWeightDecay(network.trainable_params(), 0.01, weight_decay=0.05)
    model = Model(network, nn.BCEWithLogitsLoss(), optimizer)

    checkpoint = OptimizerCheckpoint(directory, save_steps=15)
    callbacks = [LRScheduler(S.CosineAnnealingLR(T_max=EPOCHS * STEPS_PER_EPOCH)), checkpoint]
    start = checkpoint.resume(model, dataset, callbacks)
    print(f"  starts at step {start.step}, in epoch {start.epoch}", flush=True)
    model.train(EPOCHS, dataset, callbacks=[*callbacks, Kill()], initial_epoch=start.epoch)
    weights = b"".join(parameter.asnumpy().tobytes() for parameter in network.get_parameters())
    print(f"  weights {hashlib.sha256(weights).hexdigest()}", flush=True)


def run(title: str, *arguments: str) -> tuple[int, str]:
    """Train in a process of its own; return its exit code and the digest that it printed."""
    print(title)
    done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("  ")]
    print("\n".join(lines))
    if done.returncode not in (0, -signal.SIGKILL):
        raise SystemExit(done.stderr)
    return done.returncode, lines[-1]


def main() -> None:
    """Run the three trainings."""
    with tempfile.TemporaryDirectory() as folder:
        _, undisturbed = run("A training without interruption:", f"{folder}/a")
        code, _ = run(f"The same, killed after step {KILLED_AFTER}:", f"{folder}/b", str(KILLED_AFTER))
        print(f"  ended by signal {-code}" if code < 0 else "  was not killed")
        _, resumed = run("Started again:", f"{folder}/b")
    if resumed != undisturbed:
        raise SystemExit("The weights differ.")
    print("The final weights are equal, bit for bit.")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        train(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None)
    else:
        main()
