"""What a checkpoint costs: stall of the training, write rate, time to resume, memory.

Run ``python benchmarks/checkpoint.py [--gigabytes 1.1] [--rounds 5]``. A training with Momentum takes
turns: after each step one of the candidates saves, each in another place of the order in every round,
and the time for which the training loop stands still is measured. All figures are medians. The copy
and the raw write beside them move the same bytes, in the same process.
"""
from __future__ import annotations

import argparse
import logging
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mindspore as ms  # noqa: E402
import mindspore.dataset as ds  # noqa: E402
from mindspore import Parameter, Tensor, nn, ops  # noqa: E402
from mindspore.train import Callback, CheckpointConfig, Model, ModelCheckpoint  # noqa: E402

from ms_lr_callbacks import OptimizerCheckpoint, latest_checkpoint, verify_checkpoint  # noqa: E402

PIECE = 8_000_000
"""Entries of one Parameter."""


class Network(nn.Cell):
    """Many Parameters, little arithmetic."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.weights = ms.ParameterTuple([Parameter(Tensor(np.full(PIECE, 0.01, np.float32)), name=f"w{index}")
                                          for index in range(pieces)])

    def construct(self, x: Any, y: Any) -> Any:
        total = x.sum() * 0.0
        for weight in self.weights:
            total = total + ops.square(weight).mean()
        return total


class Turns(Callback):
    """Lets the candidates save in turn and takes their time."""

    def __init__(self, model: Model, folder: Path, arrays: Callable[[], list[Any]]) -> None:
        super().__init__()
        self.ours = OptimizerCheckpoint(folder / "ours", save_steps=1, keep_last=None)
        self.waiting = OptimizerCheckpoint(folder / "waiting", save_steps=1, keep_last=None, async_save=False)
        self.theirs = {name: ModelCheckpoint("step", str(folder / name), CheckpointConfig(
            save_checkpoint_steps=1, keep_checkpoint_max=1, async_save=background))
            for name, background in (("ModelCheckpoint", False), ("ModelCheckpoint async_save", True))}
        self._arrays = arrays
        self._folder = folder
        self._buffers: list[Any] = []
        self._turn = 0
        self.seconds: dict[str, list[float]] = {}

    def on_train_begin(self, run_context: Any) -> None:
        for each in (self.ours, self.waiting):
            each.on_train_begin(run_context)

    def on_train_epoch_begin(self, run_context: Any) -> None:
        for each in (self.ours, self.waiting):
            each.on_train_epoch_begin(run_context)

    def on_train_step_end(self, run_context: Any) -> None:
        run_context.original_args().net_outputs.asnumpy()  # the step itself is no stall
        if not self._buffers:
            self._buffers = [np.zeros_like(each) for each in self._arrays()]
        acts = [self._copy, self._raw_write, lambda: self._save(self.waiting, "OptimizerCheckpoint async_save=False",
                                                                run_context),
                lambda: self._save(self.ours, "OptimizerCheckpoint", run_context),
                *(lambda name=name: self._their_save(name, run_context) for name in self.theirs)]
        start = self._turn % len(acts)
        for act in acts[start:] + acts[:start]:
            act()
        self._turn += 1

    def on_train_end(self, run_context: Any) -> None:
        for each in (self.ours, self.waiting):
            each.on_train_end(run_context)

    def _note(self, name: str, seconds: float) -> None:
        self.seconds.setdefault(name, []).append(seconds)

    def _copy(self) -> None:
        began = time.perf_counter()
        for buffer, array in zip(self._buffers, self._arrays()):
            np.copyto(buffer, array)
        self._note("one copy in memory", time.perf_counter() - began)

    def _raw_write(self) -> None:
        path = self._folder / "raw"
        began = time.perf_counter()
        with path.open("wb", buffering=0) as file:
            for buffer in self._buffers:
                file.write(buffer.data)
            os.fsync(file.fileno())
        self._note("raw write and fsync", time.perf_counter() - began)
        path.unlink()

    def _save(self, checkpoint: OptimizerCheckpoint, name: str, run_context: Any) -> None:
        began = time.perf_counter()
        checkpoint.on_train_step_end(run_context)
        checkpoint.on_train_step_begin(run_context)  # it is not in the list and waits for those behind it
        stalled = time.perf_counter()
        checkpoint._store.wait()
        self._note(name, stalled - began)
        self._note(f"{name}, until written", time.perf_counter() - began)
        checkpoint._saver._seen = 0  # this step again, in the next round
        for path in checkpoint.directory.glob("step-*"):  # not timed, as the raw file's removal is not
            shutil.rmtree(path)

    def _their_save(self, name: str, run_context: Any) -> None:
        began = time.perf_counter()
        self.theirs[name].step_end(run_context)
        self._note(name, time.perf_counter() - began)
        _wait_for_async_thread()


def _wait_for_async_thread() -> None:
    import threading
    for thread in threading.enumerate():
        if thread.name == "asyn_save_ckpt":
            thread.join()


def memory() -> tuple[int, int]:
    """Return resident bytes now and at the peak since `reset_peak`."""
    status = Path("/proc/self/status").read_text().splitlines()
    values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in status if line.startswith("Vm")}
    return values["VmRSS"], values["VmHWM"]


def reset_peak() -> None:
    """Have the peak start from now."""
    Path("/proc/self/clear_refs").write_text("5")


def build(pieces: int) -> tuple[Any, Any, Model]:
    network = Network(pieces)
    optimizer = nn.Momentum(network.trainable_params(), 0.01, 0.9)
    return network, optimizer, Model(network, None, optimizer)


def data(steps: int) -> Any:
    rows = [(np.ones(1, np.float32), np.ones(1, np.float32))] * steps
    return ds.GeneratorDataset(rows, ["x", "y"], shuffle=False).batch(1)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.1, help="size of the state")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default=None, help="where to write; its disk is what is measured")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    ms.set_context(mode=ms.GRAPH_MODE)
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        measure(max(1, round(options.gigabytes * 1e9 / PIECE / 8)), options.rounds, folder)
    finally:
        shutil.rmtree(folder)


def measure(pieces: int, rounds: int, folder: Path) -> None:
    network, optimizer, model = build(pieces)
    model.train(1, data(2))  # compile, and have all memory of the training itself

    # Memory first: nothing else has been allocated and given back yet.
    before, _ = memory()
    reset_peak()
    checkpoint = OptimizerCheckpoint(folder / "memory", save_steps=1, keep_last=1)
    model.train(1, data(2), [checkpoint])
    extra = memory()[1] - before
    size = sum(path.stat().st_size for path in (folder / "memory").glob("*/*.safetensors"))
    began = time.perf_counter()
    checkpoint.resume(model)
    resumed = time.perf_counter() - began
    path = latest_checkpoint(folder / "memory", verify=False)
    assert path is not None
    began = time.perf_counter()
    assert verify_checkpoint(path)
    verified = time.perf_counter() - began
    shutil.rmtree(folder / "memory")

    def arrays() -> list[Any]:
        return [each.asnumpy() for each in [*network.get_parameters(), *optimizer.moments]]

    turns = Turns(model, folder, arrays)
    model.train(1, data(rounds + 1), [turns])
    median = {name: statistics.median(values[1:]) for name, values in turns.seconds.items()}  # the first is a warm-up
    copy, raw = median["one copy in memory"], median["raw write and fsync"]
    print(f"state {size / 1e9:.2f} GB, {rounds} rounds, medians, MindSpore {ms.__version__}, {os.cpu_count()} CPUs\n")
    print("| The training stands still for | seconds | copies |\n|---|---:|---:|")
    for name in ("one copy in memory", "OptimizerCheckpoint", "OptimizerCheckpoint async_save=False",
                 "ModelCheckpoint", "ModelCheckpoint async_save"):
        print(f"| {name} | {median[name]:.3f} | {median[name] / copy:.2f} |")
    print("\n| | seconds | GB/s | of the raw rate |\n|---|---:|---:|---:|")
    for name in ("raw write and fsync", "OptimizerCheckpoint, until written",
                 "OptimizerCheckpoint async_save=False, until written"):
        print(f"| {name} | {median[name]:.2f} | {size / 1e9 / median[name]:.2f} | {raw / median[name]:.2f} |")
    print(f"\nresume {resumed:.2f} s (verifying alone {verified:.2f} s); "
          f"peak extra memory {extra / 1e9:.2f} GB = {extra / size:.2f} of the state")


if __name__ == "__main__":
    main()
