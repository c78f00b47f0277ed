"""Train with a train cell of one's own and an optimizer of mindspore.experimental.optim.

    python examples/train_cell.py [--mode graph|pynative] [--epochs 6] [--out runs/train_cell]

`Model` takes no optimizer of `mindspore.experimental.optim`, and its own train cell does not clip
gradients; a cell that does the update itself does both. The callbacks find the optimizer in it: the
head of the network starts at once, its body warms up, and the weight decay of both falls.
"""
from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import mindspore as ms
from mindspore import nn, ops
from mindspore.experimental import optim
from mindspore.train import Model
from train_digits import DigitNet, digits

from ms_lr_callbacks import LRMonitor, LRScheduler, ProgressBar, WeightDecayScheduler, get_lr
from ms_lr_callbacks import schedules as S


class ClippingTrainCell(nn.Cell):
    """One update for each call, with gradients of at most this norm."""

    def __init__(self, network: Any, loss: Any, optimizer: Any, norm: float) -> None:
        super().__init__(auto_prefix=False)
        self.network, self.loss, self.optimizer, self.norm = network, loss, optimizer, norm
        self.gradients = ms.value_and_grad(self.forward, None, optimizer.parameters)

    def forward(self, images: Any, labels: Any) -> Any:
        return self.loss(self.network(images), labels)

    def construct(self, images: Any, labels: Any) -> Any:
        loss, gradients = self.gradients(images, labels)
        return ops.depend(loss, self.optimizer(ops.clip_by_global_norm(gradients, self.norm)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mode", choices=["graph", "pynative"], default="graph")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("runs/train_cell"))
    return parser.parse_args()


def main() -> None:
    """Train and tell the accuracy."""
    options = arguments()
    ms.set_context(mode=ms.GRAPH_MODE if options.mode == "graph" else ms.PYNATIVE_MODE)
    ms.set_seed(0)
    train, test = digits()
    total = options.epochs * train.get_dataset_size()

    network = DigitNet()
    loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    optimizer = optim.AdamW([{"params": network.body.trainable_params(), "lr": 0.002},
                             {"params": network.head.trainable_params()}], lr=0.004, weight_decay=0.1)
    warm = train.get_dataset_size() // 2
    decay = S.CosineAnnealingLR(T_max=total - warm)
    monitor = LRMonitor(options.out / "tensorboard", group_names=["body", "head"])
    Model(ClippingTrainCell(network, loss, optimizer, norm=1.0)).train(options.epochs, train, callbacks=[
        LRScheduler([S.warmup(decay, warm), S.CosineAnnealingLR(T_max=total)]),
        WeightDecayScheduler(S.LinearLR(1.0, 0.1, total_iters=total)), monitor, ProgressBar()])

    accuracy = Model(network, loss, metrics={"accuracy"}).eval(test)["accuracy"]
    print(f"test accuracy: {100 * accuracy:.2f} %; the next update would use {get_lr(optimizer)}")
    print(f"curves: {monitor.plot(options.out / 'curves.png')}")


if __name__ == "__main__":
    main()
