"""Run by ``msrun``: a range test in which only one rank's loss explodes; both have to end it at the same step."""
from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.communication import get_rank, init
from training import dataset, model

from ms_lr_callbacks import find_lr
from ms_lr_callbacks.optimizers.numpy2 import settle_numpy

settle_numpy()
ms.set_context(mode=ms.GRAPH_MODE)
init()


class Bowl(nn.Cell):  # type: ignore[misc]
    """Loss = curvature / 2 * w^2."""

    def __init__(self, curvature: float) -> None:
        super().__init__()
        self.w = Parameter(Tensor(np.full(1, 2.0, np.float32)), name="w")
        self.curvature = curvature

    def construct(self, x: Any, y: Any) -> Any:
        return 0.5 * self.curvature * ops.square(self.w).sum() + 0.0 * x.sum()


network = Bowl([50.0, 0.01][get_rank()])
result = find_lr(model(network, nn.SGD(network.trainable_params(), 0.1)), dataset(10), 1e-4, 10.0, 60)
print(f"rank {get_rank()}: {len(result.losses)} {result.losses[-1]:.6g} {result.diverged} {network.w.asnumpy()}")
