"""Train on the digits with two data-parallel ranks, stop half way, and go on with the same command.

    msrun --worker_num=2 --local_worker_num=2 --join=True examples/two_ranks.py [--stop-after 2] [--out runs/two_ranks]

Every rank builds the same callbacks. Rank 0 writes the log and the checkpoints; each rank finds its own
place in its own part of the data. The command runs on one CPU as it does on several devices.
"""
from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any, Optional

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
from mindspore import nn, ops
from mindspore.communication import get_group_size, get_rank, init
from mindspore.train import Callback, Model
from sklearn.datasets import load_digits

from ms_lr_callbacks import LRMonitor, LRScheduler, OptimizerCheckpoint, get_last_lr
from ms_lr_callbacks import schedules as S

EPOCHS, BATCH = 4, 64


class StopAfter(Callback):
    """Ends the training after an epoch, as a job does whose time is up."""

    def __init__(self, epoch: Optional[int]) -> None:
        super().__init__()
        self._epoch = epoch

    def on_train_epoch_end(self, run_context: Any) -> None:
        if run_context.original_args().cur_epoch_num == self._epoch:
            run_context.request_stop()


def digits(rank: int, ranks: int) -> Any:
    """Return this rank's part of the training data; the seed makes all ranks shuffle alike."""
    images, labels = load_digits(return_X_y=True)
    rows = [(image, np.array(label)) for image, label in
            zip((images / 16.0).astype(np.float32), labels.astype(np.int32))]
    source = ds.GeneratorDataset(rows, ["image", "label"], shuffle=True, num_shards=ranks, shard_id=rank)
    return source.batch(BATCH, drop_remainder=True)


def digest(network: Any) -> str:
    """Return a few letters that differ when any bit of the weights does."""
    weights = b"".join(parameter.asnumpy().tobytes() for parameter in network.get_parameters())
    return hashlib.sha256(weights).hexdigest()[:12]


def main() -> None:
    """Train, on this rank, from where the last checkpoint stands."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stop-after", type=int, metavar="EPOCHS")
    parser.add_argument("--out", type=Path, default=Path("runs/two_ranks"))
    options = parser.parse_args()
    # On a CPU a rank signs off properly if its first small operation comes before init().
    ops.ones((1,), ms.float32)
    init()
    rank, ranks = get_rank(), get_group_size()
    ms.set_auto_parallel_context(parallel_mode="data_parallel", gradients_mean=True, device_num=ranks)
    ms.set_seed(0)

    train = digits(rank, ranks)
    network = nn.SequentialCell(nn.Dense(64, 32), nn.ReLU(), nn.Dense(32, 10))
    optimizer = nn.Momentum(network.trainable_params(), learning_rate=0.2, momentum=0.9)
    loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    model = Model(network, loss, optimizer)

    steps = train.get_dataset_size()
    schedule = S.warmup(S.CosineAnnealingLR(T_max=(EPOCHS - 1) * steps), steps)
    checkpoint = OptimizerCheckpoint(options.out / "checkpoints")
    callbacks = [LRScheduler(schedule), LRMonitor(options.out / "tensorboard"), checkpoint,
                 StopAfter(options.stop_after)]
    start = checkpoint.resume(model, train, callbacks)
    print(f"rank {rank} of {ranks} starts at update {start.step}", flush=True)
    if start.epoch < EPOCHS:
        model.train(EPOCHS, train, callbacks=callbacks, initial_epoch=start.epoch)
        print(f"rank {rank} ends with lr {get_last_lr(optimizer)[0]:.6f} and weights {digest(network)}", flush=True)


if __name__ == "__main__":
    main()
