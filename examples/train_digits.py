"""Train a small network on handwritten digits under a learning-rate schedule, and look at the curve.

    python examples/train_digits.py [--mode graph|pynative] [--epochs 12] [--out runs/digits]

The digits ship with scikit-learn: 1,797 pictures of 8 x 8 pixels, no download. The body of the
network and its head are parameter groups with different learning rates and weight decays; both
warm up over the first epoch and then follow half a cosine to 0.
"""
from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import mindspore as ms  # noqa: E402
import mindspore.dataset as ds  # noqa: E402
import numpy as np  # noqa: E402
from mindspore import nn  # noqa: E402
from mindspore.train import Callback, Model  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402

from ms_lr_callbacks import LRMonitor, LRScheduler, get_last_lr  # noqa: E402
from ms_lr_callbacks import schedules as S  # noqa: E402

BATCH = 32


class DigitNet(nn.Cell):
    """Two convolutions as `body`, two dense layers as `head`."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.SequentialCell([
            nn.Conv2d(1, 16, 3, has_bias=True), nn.ReLU(),
            nn.Conv2d(16, 32, 3, has_bias=True), nn.ReLU(),
            nn.MaxPool2d(2, 2), nn.Flatten()])
        self.head = nn.SequentialCell([nn.Dense(32 * 4 * 4, 64), nn.ReLU(), nn.Dense(64, 10)])

    def construct(self, images: Any) -> Any:
        return self.head(self.body(images))


def digits() -> tuple[Any, Any]:
    """Return the training and the test dataset."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).astype(np.float32).reshape(-1, 1, 8, 8)
    parts = train_test_split(images, labels.astype(np.int32), test_size=360, random_state=0, stratify=labels)
    train_images, test_images, train_labels, test_labels = parts
    return (batches(train_images, train_labels, shuffle=True), batches(test_images, test_labels, shuffle=False))


def batches(images: np.ndarray, labels: np.ndarray, shuffle: bool) -> Any:
    """Make a dataset; its rows are arrays, which works with NumPy 1 and 2."""
    rows = [(image, np.array(label)) for image, label in zip(images, labels)]
    return ds.GeneratorDataset(rows, ["image", "label"], shuffle=shuffle).batch(BATCH, drop_remainder=shuffle)


class Progress(Callback):
    """Prints a line after each epoch."""

    def on_train_epoch_end(self, run_context: Any) -> None:
        cb_params = run_context.original_args()
        rates = " ".join(f"{rate:.5f}" for rate in get_last_lr(cb_params.optimizer))
        print(f"epoch {cb_params.cur_epoch_num:2d}/{cb_params.epoch_num}  "
              f"loss {float(cb_params.net_outputs.asnumpy()):.4f}  lr of body and head {rates}", flush=True)


def plot(monitor: LRMonitor, path: Path) -> None:
    """Draw the learning rates and the loss over the updates."""
    figure, (top, bottom) = plt.subplots(2, 1, sharex=True, figsize=(8, 6))
    for tag in ("lr/body", "lr/head"):
        top.plot(monitor.history[tag].steps, monitor.history[tag].values, label=tag)
    bottom.plot(monitor.history["loss"].steps, monitor.history["loss"].values, color="tab:green", label="loss")
    bottom.set_xlabel("updates")
    for axes, name in ((top, "learning rate"), (bottom, "loss")):
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def tensorboard_program() -> str:
    """Return how to call the TensorBoard of this Python, which need not be on the PATH."""
    program = Path(sys.executable).with_name("tensorboard")
    if not program.exists() or shutil.which("tensorboard") == str(program):
        return "tensorboard"
    here = Path.cwd()
    return str(program.relative_to(here) if here in program.parents else program)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mode", choices=["graph", "pynative"], default="graph")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("runs/digits"))
    return parser.parse_args()


def main() -> None:
    options = arguments()
    ms.set_context(mode=ms.GRAPH_MODE if options.mode == "graph" else ms.PYNATIVE_MODE)
    ms.set_seed(0)
    train, test = digits()
    steps = train.get_dataset_size()
    total = options.epochs * steps

    network = DigitNet()
    optimizer = nn.Momentum([
        {"params": network.body.trainable_params(), "lr": 0.05, "weight_decay": 1e-4},
        {"params": network.head.trainable_params(), "lr": 0.1, "weight_decay": 1e-3},
    ], learning_rate=0.05, momentum=0.9)
    loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    model = Model(network, loss, optimizer, metrics={"accuracy"})

    schedule = S.SequentialLR([S.LinearLR(0.01, 1.0, total_iters=steps),
                               S.CosineAnnealingLR(T_max=max(total - steps, 1))], milestones=[steps])
    board = options.out / "tensorboard"
    monitor = LRMonitor(board, group_names=["body", "head"])
    print(f"{options.epochs} epochs of {steps} updates in {options.mode} mode", flush=True)
    model.train(options.epochs, train, callbacks=[LRScheduler(schedule), monitor, Progress()])

    accuracy = model.eval(test)["accuracy"]
    curves = options.out / "curves.png"
    plot(monitor, curves)
    print(f"test accuracy: {100 * accuracy:.2f} %")
    print(f"curves: {curves}")
    print(f"TensorBoard folder: {board}")
    print(f"open it with: {tensorboard_program()} --logdir {board}")


if __name__ == "__main__":
    main()
