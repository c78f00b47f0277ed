"""One training that is meant to be killed; started again by `harness` until it is done.

Arguments: the directory of checkpoints and the file for the digest of the end state. Prints ``begun`` with
the step from which it goes on, then a line after each step.
"""
from __future__ import annotations

import hashlib
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.train import Callback, Model

from ms_lr_callbacks import LRMonitor, LRScheduler, OptimizerCheckpoint, WeightDecayScheduler
from ms_lr_callbacks import schedules as S

EPOCHS, STEPS, PAUSE = 16, 25, 0.004


class Network(nn.Cell):
    """Big enough for a save to take a while: about 11 MB with Adam's moments."""

    def __init__(self) -> None:
        super().__init__()
        draw = np.random.default_rng(0)
        self.first = Parameter(Tensor(draw.normal(size=(8, 100_000)).astype(np.float32) * 0.01), name="first")
        self.second = Parameter(Tensor(draw.normal(size=(100_000, 1)).astype(np.float32) * 0.01), name="second")

    def construct(self, x: Any, y: Any) -> Any:
        return ops.square(ops.matmul(ops.tanh(ops.matmul(x, self.first)), self.second) - y).mean()


class Losses(Callback):
    """A running digest of the loss of every step, which goes on with the checkpoint; and a pause."""

    def __init__(self) -> None:
        super().__init__()
        self.digest = ""

    def state_dict(self) -> dict[str, Any]:
        return {"digest": self.digest}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.digest = state["digest"]

    def on_train_step_end(self, run_context: Any) -> None:
        loss = run_context.original_args().net_outputs.asnumpy().tobytes()
        self.digest = hashlib.sha256(self.digest.encode() + loss).hexdigest()
        print("step", flush=True)
        time.sleep(PAUSE)


def main(directory: str, result: str) -> None:
    """Train to the end, from where the last checkpoint stands."""
    warnings.simplefilter("ignore")
    ms.set_context(mode=ms.GRAPH_MODE)
    ds.config.set_seed(1)
    draw = np.random.default_rng(1)
    rows = [(row[:8], row[8:]) for row in draw.normal(size=(2 * STEPS, 9)).astype(np.float32)]
    data = ds.GeneratorDataset(rows, ["x", "y"], shuffle=True).batch(2)
    network = Network()
    optimizer = nn.AdamWeightDecay(network.trainable_params(), 0.01, weight_decay=0.1)
    model = Model(network, None, optimizer)
    losses = Losses()
    # Every second save by number of steps falls into an epoch, and the checkpoint stands in the middle of the list.
    callbacks = [LRScheduler(S.CosineAnnealingLR(T_max=EPOCHS * STEPS)), losses,
                 OptimizerCheckpoint(directory, save_steps=5, save_epochs=1),
                 WeightDecayScheduler(S.LinearLR(1.0, 0.1, total_iters=EPOCHS * STEPS)), LRMonitor()]
    start = callbacks[2].resume(model, data, callbacks)
    print("begun", start.step, flush=True)
    if start.epoch < EPOCHS:
        model.train(EPOCHS, data, callbacks=callbacks, initial_epoch=start.epoch)
    state = b"".join(each.asnumpy().tobytes() for each in [*network.get_parameters(), *optimizer.get_parameters()])
    Path(result).write_text(hashlib.sha256(state).hexdigest() + losses.digest)


if __name__ == "__main__":
    main(*sys.argv[1:])
