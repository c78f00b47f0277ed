"""Fine-tune a trained body under a new head, each group with its own schedule, and look at the curves.

    python examples/fine_tuning.py [--epochs 8] [--out runs/fine_tuning]

The body learns the digits 0 to 4 first. Then a new head learns 5 to 9: it starts at a high rate at
once, while the body rests at 0 for the first epoch, warms up slowly and stays at a fiftieth of the
head's rate. Weight decay grows meanwhile.
"""
from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import nn
from mindspore.train import Model
from sklearn.datasets import load_digits
from train_digits import DigitNet, batches

from ms_lr_callbacks import LRMonitor, LRScheduler, ProgressBar, WeightDecayScheduler
from ms_lr_callbacks import schedules as S


def digits_from(first: int) -> tuple[Any, Any]:
    """Return training and test data for five digits from `first` on, labelled 0 to 4."""
    images, labels = load_digits(return_X_y=True)
    chosen = (labels >= first) & (labels < first + 5)
    images = (images[chosen] / 16.0).astype(np.float32).reshape(-1, 1, 8, 8)
    labels = (labels[chosen] - first).astype(np.int32)
    return batches(images[180:], labels[180:], shuffle=True), batches(images[:180], labels[:180], shuffle=False)


def model_for(network: DigitNet, optimizer: Any) -> Model:
    """Return a classifier that tells its accuracy."""
    loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    return Model(network, loss, optimizer, metrics={"accuracy"})


def learn_body(network: DigitNet) -> None:
    """Train the whole network on the digits 0 to 4."""
    train, _ = digits_from(0)
    optimizer = nn.Momentum(network.trainable_params(), 0.05, 0.9)
    model_for(network, optimizer).train(4, train, callbacks=[LRScheduler(S.CosineAnnealingLR(4 * 22)), ProgressBar()])


def main() -> None:
    """Fine-tune and write the curves."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path("runs/fine_tuning"))
    options = parser.parse_args()
    ms.set_seed(0)
    network = DigitNet()
    learn_body(network)

    network.head = DigitNet().head
    train, test = digits_from(5)
    steps = train.get_dataset_size()
    total = options.epochs * steps
    optimizer = nn.Momentum([{"params": network.body.trainable_params(), "lr": 0.002},
                             {"params": network.head.trainable_params(), "lr": 0.1}],
                            learning_rate=0.1, momentum=0.9, weight_decay=1e-3)
    rest = S.ConstantLR(0.0, total_iters=steps)
    warm_up = S.LinearLR(0.01, 1.0, total_iters=2 * steps)
    decay = S.CosineAnnealingLR(max(total - 3 * steps, 1))
    body = S.SequentialLR([rest, warm_up, decay], milestones=[steps, 3 * steps])
    monitor = LRMonitor(options.out / "tensorboard", group_names=["body", "head"])
    model = model_for(network, optimizer)
    model.fit(options.epochs, train, test, callbacks=[
        LRScheduler([body, S.CosineAnnealingLR(total)]),
        WeightDecayScheduler(S.LinearLR(0.1, 1.0, total_iters=total)), monitor, ProgressBar()])
    print(f"accuracy on the digits 5 to 9: {100 * model.eval(test)['accuracy']:.2f} %")
    print(f"curves: {monitor.plot(options.out / 'curves.png')}")
    print(f"TensorBoard: tensorboard --logdir {options.out / 'tensorboard'}")


if __name__ == "__main__":
    main()
