"""What each callback costs the host in one step, measured inside a real ``Model.train``.

    python benchmarks/hooks.py [--groups 1 4 64 256] [--modes graph pynative] [--rounds 5]
                               [--torch-python PYTHON] [--rows TEXT ...]

Each row is a training of its own, with a model of its own that was compiled before; the rows take
turns, round by round, so that whatever else the machine does falls on all of them alike. Both hooks
of a step are timed. A number is the median over blocks of 64 steps of the mean step of the block:
so one write for 64 steps counts for what it is. Reads and writes per step are counted in a training
of their own.
"""
from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
from measuring import BLOCK, StepTimes, block_means, print_table, use_mode, versions

import mindspore as ms  # noqa: E402
import mindspore.dataset as ds  # noqa: E402
from device_traffic import counted_traffic  # noqa: E402
from mindspore import Parameter, Tensor, nn, ops, train  # noqa: E402

from ms_lr_callbacks import (HyperparameterScheduler, LRMonitor, LRScheduler, OptimizerCheckpoint,  # noqa: E402
                             ReduceLROnPlateau, WeightDecayScheduler)
from ms_lr_callbacks import schedules as S  # noqa: E402

STEPS = 5 * BLOCK
# Another float32 at every step.
CHANGING = S.ExponentialLR(0.9999)
CONSTANT = S.ConstantLR(1.0, 1)
MINDSPORE = "MindSpore LearningRateScheduler"


class Network(nn.Cell):
    """Some work for the device, and one weight for each group."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.body = nn.Dense(64, 64, weight_init="normal")
        self.scales = [Parameter(Tensor(np.ones(1, np.float32)), name=f"scale_{index}") for index in range(groups)]
        for index, scale in enumerate(self.scales):
            setattr(self, f"scale_{index}", scale)

    def construct(self, x: Any, y: Any) -> Any:
        total = ops.square(self.body(x) - y).mean()
        for scale in self.scales:
            total = total + ops.square(scale).sum()
        return total


class Empty(train.Callback):
    """Does nothing."""

    def on_train_step_begin(self, run_context: Any) -> None:
        pass

    def on_train_step_end(self, run_context: Any) -> None:
        pass


class AssignEach(train.Callback):
    """Writes each group's rate by ``ops.assign``, as a callback without a table has to."""

    def on_train_step_end(self, run_context: Any) -> None:
        cb_params = run_context.original_args()
        held = cb_params.optimizer.learning_rate
        for parameter in {id(each): each for each in (held if isinstance(held, tuple) else [held])}.values():
            ops.assign(parameter, Tensor(np.float32(CHANGING(cb_params.cur_step_num, 0.1))))


class WriteByHand(train.Callback):
    """Writes the one rate by MindSpore's cheapest way that training sees: nothing that writes can cost less."""

    def on_train_step_end(self, run_context: Any) -> None:
        cb_params = run_context.original_args()
        parameter = cb_params.optimizer.learning_rate
        value = Tensor.from_numpy(np.array(0.1 * 0.9999 ** cb_params.cur_step_num, np.float32))
        if ms.get_context("mode") == ms.GRAPH_MODE:
            parameter.assign_value(value)
        else:
            parameter.copy_(value)


class ReadRate(train.Callback):
    """Asks the optimizer, as ``optimizer.get_lr().asnumpy()`` in a user's callback does."""

    def on_train_step_end(self, run_context: Any) -> None:
        run_context.original_args().optimizer.get_lr().asnumpy()


def optimizer_of(network: Any, groups: int, rate: Any) -> Any:
    """Return Momentum with `groups` parameter groups."""
    if groups == 1:
        return nn.Momentum(network.trainable_params(), rate, 0.9, weight_decay=1e-4)
    members = [[scale] for scale in network.scales]
    members[0] += network.body.trainable_params()
    return nn.Momentum([{"params": each, "lr": rate} for each in members], rate, 0.9, weight_decay=1e-4)


def all_of_ours(out: Path) -> List[Any]:
    """Return every callback that can be in one training."""
    return [LRScheduler(CHANGING), WeightDecayScheduler(CHANGING), HyperparameterScheduler("momentum", CHANGING),
            LRMonitor(), OptimizerCheckpoint(out, save_steps=10 ** 9)]


class Case:
    """One row: the callbacks of a training, and a model to train."""

    def __init__(self, name: str, scales: int, groups: int, make: Callable[[], List[Any]], rate: Any = 0.1) -> None:
        self.name = name
        self.blocks: List[float] = []
        self._make = make
        network = Network(scales)
        self._model = train.Model(network, None, optimizer_of(network, groups, rate))

    def measure(self) -> None:
        """Add the blocks of one more training."""
        callbacks = self._make()
        times = [StepTimes(each) for each in callbacks]
        self._train(callbacks, STEPS)
        self.blocks += list(np.sum([block_means(each.seconds) for each in times], axis=0))

    def traffic(self) -> Tuple[float, float]:
        """Return device reads and writes per step, counted over one block in the middle of a training."""
        marks: List[Tuple[int, int]] = []
        callbacks = self._make()
        hook = callbacks[-1].on_train_step_end

        def marking(run_context: Any) -> None:
            hook(run_context)
            marks.append((len(traffic.reads), len(traffic.writes)))

        callbacks[-1].on_train_step_end = marking
        with counted_traffic() as traffic:
            self._train(callbacks, 3 * BLOCK)
        reads, writes = np.subtract(marks[2 * BLOCK - 1], marks[BLOCK - 1]) / BLOCK
        return float(reads), float(writes)

    def _train(self, callbacks: List[Any], steps: int) -> None:
        self._model.train(1, dataset(steps), callbacks, dataset_sink_mode=False)

    @property
    def microseconds(self) -> float:
        return float(np.median(self.blocks))


def cases(groups: int, out: Path) -> List[Case]:
    """Return the rows of one table.

    Where there are several groups, rows with one group in the same network stand beside them: a longer
    step leaves the caches colder, whoever runs in it.
    """
    rows: Dict[str, Tuple[Callable[[], List[Any]], Any]] = {"empty callback": (lambda: [Empty()], 0.1)}
    if groups == 1:
        rows[MINDSPORE] = (lambda: [train.LearningRateScheduler(lambda lr, step: CHANGING(step, 0.1))], 0.1)
        rows["the cheapest write by hand"] = (lambda: [WriteByHand()], 0.1)
        rows["optimizer.get_lr().asnumpy(), cell"] = (lambda: [ReadRate()], nn.CosineDecayLR(1e-6, 0.1, 10 ** 6))
    rows["ops.assign for each group"] = (lambda: [AssignEach()], 0.1)
    rows["LRScheduler"] = (lambda: [LRScheduler(CHANGING)], 0.1)
    rows["LRScheduler, a Python function"] = (lambda: [LRScheduler(lambda t, base: base * 0.9999 ** t)], 0.1)
    rows["LRScheduler, lookahead=64"] = (lambda: [LRScheduler(CHANGING, lookahead=64)], 0.1)
    rows["LRScheduler, value unchanged"] = (lambda: [LRScheduler(CONSTANT)], 0.1)
    rows["WeightDecayScheduler"] = (lambda: [WeightDecayScheduler(CHANGING)], 0.1)
    rows["HyperparameterScheduler, momentum"] = (lambda: [HyperparameterScheduler("momentum", CHANGING)], 0.1)
    rows["ReduceLROnPlateau"] = (lambda: [ReduceLROnPlateau()], 0.1)
    rows["LRMonitor, number"] = (lambda: [LRMonitor()], 0.1)
    if groups == 1:
        rows["LRMonitor, cell"] = (lambda: [LRMonitor()], nn.CosineDecayLR(1e-6, 0.1, 10 ** 6))
    rows["OptimizerCheckpoint, no save"] = (lambda: [OptimizerCheckpoint(out, save_steps=10 ** 9)], 0.1)
    rows["all of ours together"] = (lambda: all_of_ours(out), 0.1)
    found = [Case(name, groups, groups, make, rate) for name, (make, rate) in rows.items()]
    if groups > 1:
        found += [Case(f"{name}, one group", groups, 1, *rows[name])
                  for name in ("LRScheduler", "LRScheduler, lookahead=64", "LRScheduler, value unchanged")]
    return found


def dataset(steps: int) -> Any:
    """Return `steps` batches; its rows are ready in memory, so that no worker competes with the hooks."""
    draw = np.random.default_rng(0)
    rows = [tuple(draw.normal(size=(32, 64)).astype(np.float32) for _ in "xy") for _ in range(steps)]
    return ds.GeneratorDataset(rows, ["x", "y"], shuffle=False)


def torch_step(python: Optional[str], groups: int) -> Optional[float]:
    """Return microseconds of torch's ``scheduler.step()``; None where there is no torch."""
    script = Path(__file__).with_name("torch_step.py")
    done = subprocess.run([python or sys.executable, str(script), str(groups)], capture_output=True, text=True)
    return float(done.stdout) if done.returncode == 0 else None


def table(mode: str, groups: int, rounds: int, torch_python: Optional[str], out: Path,
          reference: Optional[float], wanted: List[str]) -> Optional[float]:
    """Measure and print one table; return what MindSpore's scheduler took, if it can be in it."""
    use_mode(mode)
    rows = [each for each in cases(groups, out) if any(text in each.name for text in wanted)]
    traffic = [each.traffic() for each in rows]  # compiles, too
    for number in range(rounds):
        for each in rows if number % 2 == 0 else reversed(rows):
            each.measure()
    took = {each.name: each.microseconds for each in rows}
    reference = took.get(MINDSPORE, reference) or math.nan
    print(f"\n{mode}, {groups} group{'s' * (groups > 1)}\n")
    lines = [[each.name, f"{each.microseconds:.1f}", f"{each.microseconds / reference:.3f}", f"{reads:.2f}",
              f"{writes:.2f}"] for each, (reads, writes) in zip(rows, traffic)]
    step = torch_step(torch_python, groups)
    took_torch = "n/a" if step is None else f"{step:.1f}"
    lines.append(["torch scheduler.step(), tensor rate", took_torch,
                  "n/a" if step is None else f"{step / reference:.3f}", "-", "-"])
    print_table(["callback", "us per step", "ratio", "reads", "writes"], lines)
    if {"optimizer.get_lr().asnumpy(), cell", "LRMonitor, cell"} <= set(took):
        ratio = took["optimizer.get_lr().asnumpy(), cell"] / took["LRMonitor, cell"]
        print(f"\nget_lr().asnumpy() takes {ratio:.0f} times what LRMonitor takes on a cell.")
    return None if math.isnan(reference) else reference


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, nargs="+", default=[1, 4, 64, 256])
    parser.add_argument("--modes", nargs="+", choices=["graph", "pynative"], default=["graph", "pynative"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", nargs="+", default=[""], help="only rows whose name holds one of these texts")
    parser.add_argument("--torch-python", help="a Python that has torch, if this one has not")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark"), help="where checkpoints would go")
    return parser.parse_args()


def main() -> None:
    """Print the tables; ratios are to MindSpore's LearningRateScheduler with one group."""
    options = arguments()
    print(", ".join(f"{name} {version}" for name, version in versions().items()))
    begin = time.perf_counter()
    for mode in options.modes:
        reference = None
        for groups in options.groups:
            reference = table(mode, groups, options.rounds, options.torch_python, options.out, reference, options.rows)
    print(f"\n{time.perf_counter() - begin:.0f} s in all; ratio: to {MINDSPORE}, one group, same run.")


if __name__ == "__main__":
    main()
