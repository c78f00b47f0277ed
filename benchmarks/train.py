"""What the whole suite costs a training: steps per second with and without it.

    python benchmarks/train.py [--modes graph pynative] [--trainings digits larger] [--rounds 9]

The digits example (its network, groups, batches and schedule) and a larger network are trained in
turns, each with a model of its own that was compiled before: bare; bare once more, which shows how
much two equal trainings differ here; with a callback that does nothing but write one Parameter in
each step, by MindSpore's cheapest way; with all callbacks. The ratio to the bare training of the
same round is taken, and the median of these ratios: whatever else the machine does falls on all. The
first training, which compiles, is timed apart.
"""
from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
from measuring import ROOT, print_table, use_mode, versions

import sys

import mindspore.dataset as ds  # noqa: E402
from mindspore import Tensor, nn  # noqa: E402
from mindspore.train import Callback, Model  # noqa: E402

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


class WriteMomentum(Callback):
    """Writes another momentum in each step, and nothing else."""

    def __init__(self, assign: str) -> None:
        super().__init__()
        self._assign = assign

    def on_train_step_end(self, run_context: Any) -> None:
        cb_params = run_context.original_args()
        value = Tensor(np.float32(0.9 - 1e-6 * (cb_params.cur_step_num % 100)))
        getattr(cb_params.optimizer.momentum, self._assign)(value)


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


def compare(name: str, task: Callable[[], Task], rounds: int, assign: str, out: Path) -> List[List[str]]:
    """Return the rows of one training; `assign`: the cheapest way of writing that this mode sees."""
    callbacks = {"bare": [], "bare once more": [], f"{assign}() in each step": [WriteMomentum(assign)],
                 "all callbacks": suite(out)}
    sides = {kind: Side(task, each) for kind, each in callbacks.items()}
    first = {kind: side.first_seconds() for kind, side in sides.items()}
    speeds: Dict[str, List[float]] = {kind: [] for kind in sides}
    for number in range(rounds):
        for kind in sides if number % 2 == 0 else reversed(list(sides)):
            speeds[kind].append(sides[kind].steps_per_second())
    rows = []
    for kind, measured in speeds.items():
        low, middle, high = np.percentile(np.divide(measured, speeds["bare"]), [25, 50, 75])
        rows.append([name, kind, f"{np.median(measured):.1f}", f"{middle:.3f}", f"{low:.3f} to {high:.3f}",
                     f"{first[kind]:.1f}"])
    return rows


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
            assign = {"graph": "assign_value", "pynative": "copy_"}[mode]
            rows += compare(f"{name}, {mode}", TASKS[name], options.rounds, assign, options.out)
    print_table(["training", "callbacks", "steps/s", "median ratio", "quartiles", "first epoch, s"], rows)


if __name__ == "__main__":
    main()
