"""Files of a run that was killed in the middle and resumed: for every form of rate, point by point.

What a kill leaves is a copy of the run's folder, made between two steps; the run itself goes on to its end and
tells, update by update, what the files have to show.
"""
from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import pytest
from mindspore import Tensor, nn
from mindspore import dtype as mstype
from mindspore.train import Callback
from training import Regression, assert_same_weights, dataset, model

from ms_lr_callbacks import LRMonitor, LRScheduler, OptimizerCheckpoint, WeightDecayScheduler
from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.writers import CSVWriter, JSONLinesWriter

sys.path.append(str(Path(__file__).parents[1] / "writers"))
from event_files import csv_file, json_lines, tensorboard  # noqa: E402

EPOCHS, STEPS = 3, 10
UPDATES = EPOCHS * STEPS
SAVED, FLUSHED, KILLED = 14, 17, 19  # updates done
NUMBERS = [float(value) for value in np.linspace(0.05, 0.01, UPDATES + 1)]
SCHEDULE = S.CosineAnnealingLR(UPDATES)


def cosine() -> Any:
    return nn.CosineDecayLR(0.001, 0.1, UPDATES)


def flat(rate: Callable[[], Any]) -> Callable[[Regression], Any]:
    return lambda network: nn.Momentum(network.trainable_params(), rate(), 0.9, weight_decay=0.01)


def grouped(body: Any, head: Any) -> Callable[[Regression], Any]:
    return lambda network: nn.Momentum([{"params": network.body.trainable_params(), "lr": body},
                                        {"params": network.head.trainable_params(), "lr": head}], 0.05, 0.9)


def constant(value: float) -> np.ndarray:
    return np.full(UPDATES, value, np.float32)


def computed() -> np.ndarray:
    cell = cosine()
    return np.array([cell(Tensor(step, mstype.int32)).asnumpy() for step in range(UPDATES)], np.float32)


def scheduled(base: float) -> np.ndarray:
    return np.array([SCHEDULE(t, base) for t in range(UPDATES)], np.float32)


ROUNDED = float(np.float32(1e-5) + np.float32(1.0) - np.float32(1.0))
# The optimizer, whether schedules drive it, and what each tag has to show.
FORMS: dict[str, tuple[Callable[[Regression], Any], bool, Callable[[], dict[str, np.ndarray]]]] = {
    "number": (flat(lambda: 0.05), False, lambda: {"lr": constant(0.05), "weight_decay": constant(0.01)}),
    "tensor": (flat(lambda: Tensor(0.05, mstype.float32)), False, lambda: {"lr": constant(0.05)}),
    "list": (flat(lambda: NUMBERS), False, lambda: {"lr": np.array(NUMBERS[:UPDATES], np.float32)}),
    "cell": (flat(cosine), False, lambda: {"lr": computed(), "momentum": constant(0.9)}),
    "driven": (flat(lambda: 0.05), True, lambda: {"lr": scheduled(0.05), "weight_decay": scheduled(0.01)}),
    "grouped": (grouped(0.02, 0.05), True, lambda: {"lr/body": scheduled(0.02), "lr/head": scheduled(0.05)}),
    "mixed": (grouped(1e-5, cosine()), False, lambda: {"lr/body": constant(ROUNDED), "lr/head": computed()}),
}


class Losses(Callback):  # type: ignore[misc]
    """An account of the losses that is not the monitor's."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def on_train_step_end(self, run_context: Any) -> None:
        self.seen.append(float(run_context.original_args().net_outputs.asnumpy()))


class Kill(Callback):  # type: ignore[misc]
    """Keeps what a kill after `KILLED` updates would leave of the folder; some updates after the last flush."""

    def __init__(self, monitor: LRMonitor, folder: Path, left: Path) -> None:
        super().__init__()
        self._monitor, self._folder, self._left = monitor, folder, left

    def on_train_step_end(self, run_context: Any) -> None:
        done = run_context.original_args().cur_step_num
        if done == FLUSHED:
            self._monitor.flush()
        if done == KILLED:
            shutil.copytree(self._folder, self._left)


def train(form: str, folder: Path, left: Optional[Path] = None) -> tuple[Any, list[float]]:
    """Train in `folder`, from its checkpoint if it has one; keep in `left` what a kill would have left."""
    build, is_driven, _ = FORMS[form]
    network = Regression()
    optimizer = build(network)
    names = ["body", "head"] if form in ("grouped", "mixed") else None
    monitor = LRMonitor(folder / "tb", writers=[CSVWriter(folder / "run.csv"), JSONLinesWriter(folder / "run.jsonl")],
                        group_names=names)
    checkpoint = OptimizerCheckpoint(folder / "ckpt", save_steps=7, async_save=False)
    losses = Losses()
    callbacks: list[Any] = [monitor, checkpoint, losses]
    if is_driven:
        callbacks += [LRScheduler(SCHEDULE)]
    if form == "driven":
        callbacks += [WeightDecayScheduler(SCHEDULE)]
    if left is not None:
        callbacks += [Kill(monitor, folder, left)]
    data = dataset(STEPS)
    trained = model(network, optimizer)
    start = checkpoint.resume(trained, data, callbacks)
    assert start.step == (0 if left is not None else SAVED)
    trained.train(EPOCHS, data, callbacks, initial_epoch=start.epoch)
    return network, losses.seen


@pytest.mark.parametrize("form", FORMS)
def test_files_show_each_update_once(form: str, mode: str, tmp_path: Path) -> None:
    whole, losses = train(form, tmp_path / "whole", left=tmp_path / "killed")
    for read, path in readers(tmp_path / "killed"):
        assert [step for step, _ in read(path)["loss"]] == list(range(1, FLUSHED + 1)), path
    resumed, later = train(form, tmp_path / "killed")
    assert_same_weights(whole, resumed)
    assert later == losses[SAVED:]
    wanted = {**FORMS[form][2](), "loss": np.array(losses, np.float32)}
    for folder in (tmp_path / "whole", tmp_path / "killed"):
        for read, path in readers(folder):
            got = read(path)
            for tag, values in wanted.items():
                assert [step for step, _ in got[tag]] == list(range(1, UPDATES + 1)), (path, tag)
                np.testing.assert_array_equal(np.array([value for _, value in got[tag]], np.float32), values,
                                              err_msg=f"{path} {tag}")


def readers(folder: Path) -> list[tuple[Any, Path]]:
    return [(tensorboard, folder / "tb"), (csv_file, folder / "run.csv"), (json_lines, folder / "run.jsonl")]
