"""Run by ``msrun``: data-parallel training that saves, is killed inside a save, and resumes.

Arguments: the directory of checkpoints, ``all`` or ``shards``, and what is to happen: ``whole``,
``kill`` (rank 0 dies in the middle of the save of step 8) or ``resume``.
"""
from __future__ import annotations

import hashlib
import os
import signal
import sys
import warnings

import mindspore as ms
import mindspore.dataset as ds
from mindspore import nn
from mindspore.communication import get_rank, init
from training import Regression, dataset, model

from ms_lr_callbacks import LRScheduler, OptimizerCheckpoint
from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.checkpoint import commit

warnings.simplefilter("ignore")
directory, kind, what = sys.argv[1:]
ms.set_context(mode=ms.GRAPH_MODE)
init()
rank = get_rank()
ms.set_auto_parallel_context(parallel_mode="data_parallel", gradients_mean=True, device_num=2)
ds.config.set_seed(1)
network = Regression()
optimizer = nn.Momentum(network.trainable_params(), 0.1, 0.9)
target = model(network, optimizer)
data = dataset(5, seed=rank, shuffle=True)
scheduler = LRScheduler(S.ExponentialLR(0.9))
checkpoint = OptimizerCheckpoint(directory, save_steps=4, sharded=kind == "shards")
if what == "kill" and rank == 0:
    written = []
    write_part = commit.write_part

    def dying(*arguments: object) -> object:
        files = write_part(*arguments)
        written.append(files)
        if len(written) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return files

    import ms_lr_callbacks.checkpoint.store as store
    store.write_part = dying
callbacks = [scheduler, checkpoint]
start = checkpoint.resume(target, data, callbacks)
target.train(3, data, callbacks=callbacks, initial_epoch=start.epoch)
held = [*network.get_parameters(), *optimizer.get_parameters()]
digest = hashlib.sha256(b"".join(each.asnumpy().tobytes() for each in held))
print(f"rank {rank} started at {start.step} ended with {digest.hexdigest()[:16]}", flush=True)
