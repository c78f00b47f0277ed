"""Find a learning rate by a range test, then train with it.

    python examples/range_test.py [--out runs/range_test]

The test leaves network and optimizer as they were, so the same model is trained afterwards.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import mindspore as ms
from mindspore import nn
from mindspore.train import Model
from train_digits import DigitNet, digits

from ms_lr_callbacks import LRScheduler, find_lr
from ms_lr_callbacks import schedules as S


def main() -> None:
    """Run the test, draw it, and train with what it suggests."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/range_test"))
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    ms.set_seed(0)
    train, test = digits()
    network = DigitNet()
    optimizer = nn.Momentum(network.trainable_params(), learning_rate=0.01, momentum=0.9)
    loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    model = Model(network, loss, optimizer, metrics={"accuracy"})

    result = find_lr(model, train, start=1e-5, end=10.0, steps=100)
    print(f"tried {len(result.rates)} rates up to {result.rates[-1]:.3g}"
          f"{', where the loss exploded' if result.diverged else ''}")
    print(f"suggestion: {result.suggestion:.3g}; curve: {result.plot(options.out / 'range_test.png')}")

    # The optimizer was built with 0.01; a schedule is free to start from what was found.
    found = S.OneCycleLR(max_lr=result.suggestion, total_steps=options.epochs * train.get_dataset_size())
    model.train(options.epochs, train, callbacks=[LRScheduler(found)])
    print(f"test accuracy after {options.epochs} epochs: {100 * model.eval(test)['accuracy']:.2f} %")


if __name__ == "__main__":
    main()
