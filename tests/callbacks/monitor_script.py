"""A training for tests that kill it: python monitor_script.py FOLDER EPOCHS START_EPOCH WHAT

Writes TensorBoard, CSV and JSON lines into FOLDER. WHAT: "run"; "kill", "term", "raise" or "exit" end it
in that way after a number of updates, after which it has said "ready" if it lives so long.
"""
from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

import mindspore as ms  # noqa: E402
from mindspore import nn  # noqa: E402
from mindspore.train import Callback  # noqa: E402
from training import ConstantGradient, dataset, model  # noqa: E402

from ms_lr_callbacks import LRMonitor, LRScheduler  # noqa: E402
from ms_lr_callbacks import schedules as S  # noqa: E402
from ms_lr_callbacks.writers import CSVWriter, JSONLinesWriter  # noqa: E402

STEPS = 10
END_AT = 25


class End(Callback):  # type: ignore[misc]
    """Ends the process in the middle of the third epoch."""

    def __init__(self, what: str, monitor: LRMonitor) -> None:
        super().__init__()
        self._what = what
        self._monitor = monitor

    def on_train_step_end(self, run_context: Any) -> None:
        done = self._monitor.state_dict()["step"]
        if self._what == "kill" and done == END_AT - 5:
            self._monitor.flush()
        if done != END_AT:
            return
        if self._what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._what == "term":
            os.kill(os.getpid(), signal.SIGTERM)
        if self._what == "raise":
            raise RuntimeError("the training dies")
        if self._what == "exit":
            sys.exit(3)


def main(folder: str, epochs: str, start: str, what: str) -> None:
    ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
    if os.environ.get("RANK_ID"):
        from mindspore.communication import init

        init()
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 0.5)
    monitor = LRMonitor(folder, writers=[CSVWriter(f"{folder}/run.csv"), JSONLinesWriter(f"{folder}/run.jsonl")])
    callbacks = [monitor, LRScheduler(S.ExponentialLR(0.9)), End(what, monitor)]
    model(network, optimizer).train(int(epochs), dataset(STEPS), callbacks, initial_epoch=int(start))


if __name__ == "__main__":
    main(*sys.argv[1:])
