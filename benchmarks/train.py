"""What the whole suite costs a training: steps per second with and without it.

    python benchmarks/train.py [--modes graph pynative] [--trainings digits larger] [--rounds 9]

The digits example (its network, groups, batches and schedule) and a larger network are trained bare
and with all callbacks, in turns, each with a model that was compiled before. The ratio of each pair
of neighbours is taken, and the median of these ratios: whatever else the machine does falls on both.
The first training, which compiles, is timed apart.
"""
from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import Any, Callable, List, Tuple

import numpy as np
from measuring import ROOT, print_table, use_mode, versions

import sys

import mindspore.dataset as ds  # noqa: E402
from mindspore import nn  # noqa: E402
from mindspore.train import Model  # noqa: E402

from ms_lr_callbacks import (HyperparameterScheduler, LRMonitor, LRScheduler, OptimizerCheckpoint,  # noqa: E402
                             WeightDecayScheduler)
from ms_lr_callbacks import schedules as S  # noqa: E402

sys.path.insert(0, str(ROOT / "examples"))
import train_digits  # noqa: E402

Task = Tuple[Any, Any, Any]


def digits_task() -> Task:
    """Return network, optimizer and data of the example."""
    network = train_digits.DigitNet()
    optimizer = nn.Momentum([
        {"params": network.body.trainable_params(), "lr": 0.05, "weight_decay": 1e-4},
        {"params": network.head.trainable_params(), "lr": 0.1, "weight_decay": 1e-3},
    ], learning_rate=0.05, momentum=0.9)
    return network, optimizer, train_digits.digits()[0].repeat(4)


def larger_task() -> Task:
    """Return a dense network with 2.4 million weights."""
    network = nn.SequentialCell([nn.Dense(784, 1024), nn.ReLU(), nn.Dense(1024, 1024), nn.ReLU(),
                                 nn.Dense(1024, 512), nn.ReLU(), nn.Dense(512, 10)])
    optimizer = nn.Momentum(network.trainable_params(), 0.01, 0.9, weight_decay=1e-4)
    draw = np.random.default_rng(0)
    rows = [(draw.normal(size=784).astype(np.float32), np.array(index % 10, np.int32)) for index in range(64 * 60)]
    return network, optimizer, ds.GeneratorDataset(rows, ["x", "y"], shuffle=False).batch(64)


TASKS = {"digits": digits_task, "larger": larger_task}


def suite(out: Path) -> List[Any]:
    """Return all callbacks of the package that a training can have at once."""
    changing = S.CosineAnnealingLR(T_max=2000)
    return [LRScheduler(changing), WeightDecayScheduler(S.LinearLR(1.0, 0.1, total_iters=2000)),
            HyperparameterScheduler("momentum", S.LinearLR(0.95, 1.0, total_iters=2000)),
            LRMonitor(out / "tensorboard"), OptimizerCheckpoint(out / "checkpoints", save_epochs=10 ** 6)]


class Side:
    """A model that is trained again and again, bare or with the suite."""

    def __init__(self, task: Callable[[], Task], callbacks: List[Any]) -> None:
        network, optimizer, self._data = task()
        self._callbacks = callbacks
        loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
        self._model = Model(network, loss, optimizer)
        self._steps = self._data.get_dataset_size()

    def steps_per_second(self) -> float:
        """Train one epoch; begin and end of the training count."""
        begin = time.perf_counter()
        self._model.train(1, self._data, self._callbacks, dataset_sink_mode=False)
        return self._steps / (time.perf_counter() - begin)

    def first_seconds(self) -> float:
        """Return the seconds of the first epoch, which compiles."""
        return self._steps / self.steps_per_second()


def compare(name: str, task: Callable[[], Task], rounds: int, out: Path) -> List[str]:
    """Return one row of the table."""
    bare, ours = Side(task, []), Side(task, suite(out))
    first = bare.first_seconds(), ours.first_seconds()
    speeds: List[Tuple[float, float]] = []
    for number in range(rounds):
        sides = (bare, ours) if number % 2 == 0 else (ours, bare)
        took = {side: side.steps_per_second() for side in sides}
        speeds.append((took[bare], took[ours]))
    ratios = np.array([with_suite / without for without, with_suite in speeds])
    low, middle, high = np.percentile(ratios, [25, 50, 75])
    without, with_suite = np.median(speeds, axis=0)
    return [name, f"{without:.0f}", f"{with_suite:.0f}", f"{middle:.3f}", f"{low:.3f} to {high:.3f}",
            f"{first[0]:.1f}", f"{first[1]:.1f}"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--modes", nargs="+", choices=["graph", "pynative"], default=["graph", "pynative"])
    parser.add_argument("--trainings", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark"))
    return parser.parse_args()


def main() -> None:
    """Print the table."""
    options = arguments()
    print(", ".join(f"{name} {version}" for name, version in versions().items()))
    rows = []
    for mode in options.modes:
        use_mode(mode)
        for name in options.trainings:
            shutil.rmtree(options.out, ignore_errors=True)
            rows.append(compare(f"{name}, {mode}", TASKS[name], options.rounds, options.out))
    print_table(["training", "bare, steps/s", "with all, steps/s", "median ratio", "quartiles", "first epoch bare, s",
                 "with all, s"], rows)


if __name__ == "__main__":
    main()
