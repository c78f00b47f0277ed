"""Log one training to several places at once.

    python examples/log_everywhere.py [--out runs/log_everywhere]

TensorBoard, CSV, JSON lines, Python's logging, MindSpore's SummaryRecord, and an object of one's own.
"""
from __future__ import annotations

import argparse
import logging
from pathlib import Path

import mindspore as ms
from mindspore import nn
from mindspore.train import Model
from train_digits import DigitNet, digits

from ms_lr_callbacks import LRMonitor, LRScheduler
from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.writers import CSVWriter, JSONLinesWriter, LoggingWriter, SummaryRecordWriter


class Tracker:
    """Anything with a method add_scalar(tag, value, step): the client of an experiment tracker, for example."""

    def __init__(self) -> None:
        self.points = 0

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        """Take one number."""
        self.points += 1


def main() -> None:
    """Train three epochs and tell what was written."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/log_everywhere"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    ms.set_seed(0)
    train, _ = digits()
    network = DigitNet()
    optimizer = nn.Adam(network.trainable_params(), learning_rate=0.003)
    model = Model(network, nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean"), optimizer)
    tracker = Tracker()
    monitor = LRMonitor(options.out / "tensorboard", writers=[
        CSVWriter(options.out / "run.csv"), JSONLinesWriter(options.out / "run.jsonl"),
        LoggingWriter(every=44), SummaryRecordWriter(options.out / "summary"), tracker])
    schedule = S.warmup(S.CosineAnnealingLR(T_max=3 * train.get_dataset_size()), 20)
    model.train(3, train, callbacks=[LRScheduler(schedule), monitor])
    for path in sorted(options.out.rglob("*")):
        if path.is_file():
            print(f"{path}: {path.stat().st_size} bytes")
    print(f"the tracker got {tracker.points} points")


if __name__ == "__main__":
    main()
