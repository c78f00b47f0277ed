"""Run by ``msrun``: each rank sees a metric of its own; all must reduce in the same epoch."""
from __future__ import annotations

import warnings

import mindspore as ms
from mindspore import nn
from mindspore.communication import get_rank, init
from scripted import Echo, Scripted
from training import ConstantGradient, dataset, model

from ms_lr_callbacks import ReduceLROnPlateau, get_lr

warnings.simplefilter("ignore")
ms.set_context(mode=ms.GRAPH_MODE)
init()
rank = get_rank()
# Rank 0 alone would see improvement in every epoch, rank 1 in none; the mean stands still from the second on.
metrics = [[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]][rank]
network = ConstantGradient()
optimizer = nn.SGD(network.trainable_params(), 1.0)
trained = model(network, optimizer, metrics={"score": Scripted(metrics)}, eval_network=Echo(), eval_indexes=[0, 1, 2])
plateau = ReduceLROnPlateau("score", patience=1)
rates = []
for _ in range(2):
    trained.fit(2, dataset(2), dataset(1), callbacks=[plateau])
    rates.append(round(get_lr(optimizer)[0], 6))
print(f"rank {rank} rates {rates}")
