"""A training with a progress bar: python bar_script.py EPOCHS START_EPOCH PAUSE"""
from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

import mindspore as ms  # noqa: E402
from mindspore import nn  # noqa: E402
from mindspore.train import Callback, Model  # noqa: E402
from training import ConstantGradient, dataset  # noqa: E402

from ms_lr_callbacks import LRScheduler, ProgressBar  # noqa: E402
from ms_lr_callbacks import schedules as S  # noqa: E402


class Evaluation(nn.Cell):  # type: ignore[misc]
    """Loss, output and label of a network, as `Model` wants them for its metrics."""

    def __init__(self, network: Any) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, x: Any, y: Any) -> Any:
        return self.network(x, y), x, y


class Pause(Callback):  # type: ignore[misc]
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def on_train_step_end(self, run_context: Any) -> None:
        time.sleep(self._seconds)


def main(epochs: str, start: str, pause: str) -> None:
    ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
    if os.environ.get("RANK_ID"):
        from mindspore.communication import init

        from ms_lr_callbacks.optimizers.numpy2 import settle_numpy

        settle_numpy()
        init()
    network = ConstantGradient(start=1.0)
    optimizer = nn.SGD(network.trainable_params(), 0.5)
    model = Model(network, None, optimizer, eval_network=Evaluation(network), metrics={"loss"}, eval_indexes=[0, 1, 2])
    bar = ProgressBar(line_seconds=0.2)
    model.fit(int(epochs), dataset(20), dataset(2), callbacks=[LRScheduler(S.ExponentialLR(0.9)), bar,
                                                               Pause(float(pause))], initial_epoch=int(start))


if __name__ == "__main__":
    main(*sys.argv[1:])
