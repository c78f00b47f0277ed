"""What the benchmarks share: timing hooks where they run, inside a real ``Model.train``."""
from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

HOOKS = ("on_train_step_begin", "on_train_step_end")
# Long enough to hold one write of a table of 64 rows.
BLOCK = 64


class StepTimes:
    """Measures what one callback's hooks cost in each step of a training.

    The class of the callback stays what it is: some callbacks trust only classes that they know.
    """

    def __init__(self, callback: Any) -> None:
        self.seconds: List[float] = []
        self._spent = 0.0
        for name in HOOKS:
            setattr(callback, name, self._timed(getattr(callback, name), name))

    def _timed(self, hook: Any, name: str) -> Any:
        def timed(run_context: Any) -> None:
            begin = time.perf_counter()
            hook(run_context)
            self._spent += time.perf_counter() - begin
            if name == HOOKS[-1]:
                self.seconds.append(self._spent)
                self._spent = 0.0
        return timed


def block_means(seconds: Sequence[float]) -> np.ndarray:
    """Return microseconds per step, the mean of each whole block of steps; the first block is left out."""
    whole = len(seconds) // BLOCK * BLOCK
    return np.asarray(seconds[BLOCK:whole]).reshape(-1, BLOCK).mean(axis=1) * 1e6


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |", flush=True)


def use_mode(mode: str) -> None:
    """Switch MindSpore to ``"graph"`` or ``"pynative"``."""
    import mindspore as ms

    from ms_lr_callbacks.optimizers.numpy2 import settle_numpy

    ms.set_context(mode={"graph": ms.GRAPH_MODE, "pynative": ms.PYNATIVE_MODE}[mode])
    settle_numpy()
    for _ in range(2):  # under NumPy 2 the first such operation may fail
        with contextlib.suppress(SystemError, ImportError):
            ms.Tensor(np.ones(1, np.float32)).reshape(()).asnumpy()


def versions() -> Dict[str, str]:
    """Return what a table has to say about where it was made."""
    import mindspore as ms

    return {"MindSpore": ms.__version__, "NumPy": np.__version__, "Python": sys.version.split()[0]}
