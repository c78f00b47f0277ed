"""A training script as it is written for PyTorch, and its port to MindSpore, part by part.

    python examples/migrate_from_torch.py [--mode graph|pynative] [--epochs 6] [--out runs/migration] [--compare]

`train_in_torch` and `train_in_mindspore` are meant to be read side by side: the same numbers stand before the
same parts. Only the port is run, and torch need not be installed; with `--compare` and torch both are run, from the
same weights and with the same batches, and the difference of their curves is printed.

The digits ship with scikit-learn: 1,797 pictures of 8 x 8 pixels, no download.
"""
from __future__ import annotations

import argparse
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
from mindspore import Tensor
from mindspore.train import Model
from sklearn.datasets import load_digits

from ms_lr_callbacks import LRMonitor, LRScheduler
from ms_lr_callbacks import schedules as S

BATCH, TEST = 32, 357


@dataclass(frozen=True)
class Data:
    """Pictures and labels, in an order drawn once, so that both frameworks see the same batches."""

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


@dataclass(frozen=True)
class Curves:
    """What a training leaves: learning rate and loss of each update, and the accuracy at its end."""

    rates: np.ndarray
    losses: np.ndarray
    accuracy: float


def digits() -> Data:
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    images, labels = (images[order] / 16.0).astype(np.float32), labels[order].astype(np.int32)
    return Data(images[TEST:], labels[TEST:], images[:TEST], labels[:TEST])


def first_weights() -> list[np.ndarray]:
    """Draw the weights that both networks start from: weight and bias of the first layer, then of the second."""
    draw = np.random.default_rng(1)
    return [draw.uniform(-0.125, 0.125, shape).astype(np.float32) for shape in ((32, 64), (32,), (10, 32), (10,))]


def train_in_torch(data: Data, epochs: int) -> Curves:
    import torch
    from torch import nn
    from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
    from torch.utils.data import DataLoader, TensorDataset

    # 1. The data.
    rows = TensorDataset(torch.tensor(data.images), torch.tensor(data.labels, dtype=torch.int64))
    loader = DataLoader(rows, batch_size=BATCH, shuffle=False, drop_last=True)
    steps = len(loader)

    # 2. The network.
    network = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    for parameter, value in zip(network.parameters(), first_weights()):
        parameter.data = torch.tensor(value)
    loss_fn = nn.CrossEntropyLoss()

    # 3. The optimizer: weight decay for the matrices only.
    optimizer = torch.optim.SGD([
        {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": 1e-3},
        {"params": [p for p in network.parameters() if p.ndim == 1]},
    ], lr=0.1, momentum=0.9)

    # 4. The schedule: one epoch of warm-up, then half a cosine.
    warm_up = LinearLR(optimizer, 0.01, 1.0, total_iters=steps)
    cosine = CosineAnnealingLR(optimizer, T_max=max((epochs - 1) * steps, 1))
    scheduler = SequentialLR(optimizer, [warm_up, cosine], milestones=[steps])

    # 5. The loop, with its log.
    rates, losses = [], []
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = loss_fn(network(images), labels)
            loss.backward()
            optimizer.step()
            rates.append(scheduler.get_last_lr()[0])
            losses.append(loss.item())
            scheduler.step()

    # 6. The evaluation.
    with torch.no_grad():
        guesses = network(torch.tensor(data.test_images)).argmax(dim=1).numpy()
    return Curves(np.array(rates), np.array(losses), float((guesses == data.test_labels).mean()))


def train_in_mindspore(data: Data, epochs: int, log_dir: Path) -> Curves:
    from mindspore import nn

    # 1. The data. GeneratorDataset shuffles unless it is told not to.
    rows = [(image, np.array(label)) for image, label in zip(data.images, data.labels)]
    dataset = ds.GeneratorDataset(rows, ["image", "label"], shuffle=False).batch(BATCH, drop_remainder=True)
    steps = dataset.get_dataset_size()

    # 2. The network: Linear is Dense, and its weight has the same shape.
    network = nn.SequentialCell(nn.Dense(64, 32), nn.Tanh(), nn.Dense(32, 10))
    for parameter, value in zip(network.trainable_params(), first_weights()):
        parameter.set_data(Tensor(value))
    loss_fn = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")

    # 3. The optimizer: torch's SGD with momentum is Momentum; groups are lists.
    optimizer = nn.Momentum([
        {"params": [p for p in network.trainable_params() if p.ndim > 1], "weight_decay": 1e-3},
        {"params": [p for p in network.trainable_params() if p.ndim == 1]},
    ], learning_rate=0.1, momentum=0.9)

    # 4. The schedule is a value; it does not know the optimizer.
    warm_up = S.LinearLR(0.01, 1.0, total_iters=steps)
    cosine = S.CosineAnnealingLR(T_max=max((epochs - 1) * steps, 1))
    schedule = S.SequentialLR([warm_up, cosine], milestones=[steps])

    # 5. Model is the loop; callbacks do the rest.
    monitor = LRMonitor(log_dir, group_names=["weights", "biases"])
    model = Model(network, loss_fn, optimizer, metrics={"accuracy"})
    model.train(epochs, dataset, callbacks=[LRScheduler(schedule), monitor])

    # 6. The evaluation.
    test_rows = [(image, np.array(label)) for image, label in zip(data.test_images, data.test_labels)]
    test = ds.GeneratorDataset(test_rows, ["image", "label"], shuffle=False).batch(BATCH)
    history = monitor.history
    return Curves(history["lr/weights"].values, history["loss"].values, float(model.eval(test)["accuracy"]))


def compare(port: Curves, data: Data, epochs: int) -> None:
    """Run the original as well and print how far apart the curves are."""
    if importlib.util.find_spec("torch") is None:
        print("torch is not installed, so only the port was run")
        return
    original = train_in_torch(data, epochs)
    print(f"test accuracy in torch: {100 * original.accuracy:.2f} %")
    rates = np.abs(port.rates - original.rates.astype(np.float32)).max()
    losses = np.abs(port.losses - original.losses.astype(np.float32)).max()
    print(f"largest difference of the learning rate: {rates:.1e}, of the loss: {losses:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mode", choices=["graph", "pynative"], default="graph")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("runs/migration"))
    parser.add_argument("--compare", action="store_true", help="run torch too, if it is installed")
    options = parser.parse_args()
    ms.set_context(mode=ms.GRAPH_MODE if options.mode == "graph" else ms.PYNATIVE_MODE)

    data = digits()
    port = train_in_mindspore(data, options.epochs, options.out / "tensorboard")
    print(f"{len(port.losses)} updates, loss {port.losses[0]:.4f} to {port.losses[-1]:.4f}")
    print(f"learning rate {port.rates[0]:.4f}, up to {port.rates.max():.4f}, down to {port.rates[-1]:.6f}")
    print(f"test accuracy: {100 * port.accuracy:.2f} %")
    if options.compare:
        compare(port, data, options.epochs)
    print(f"TensorBoard: tensorboard --logdir {options.out / 'tensorboard'}")


if __name__ == "__main__":
    main()
