"""Kill a training with SIGKILL at random moments, start it again until it is done, compare the end.

``python -m tests.crash.harness --runs 50 --seed 1`` kills it at least 50 times. Each process is killed at
a random moment: while it begins and compiles, or a random time behind a random step, so that a slow
machine is killed as far into its training as a fast one; two in five as soon as a save is seen to be under
way after that. When a training gets to its end, the next one begins in a directory of its own. Every end
state must be bit-identical to that of a training that nobody killed, the digest of all losses included, and
each checkpoint found after a kill must verify.
"""
from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from ms_lr_callbacks.checkpoint import list_checkpoints, verify_checkpoint  # noqa: E402

MOST_STEPS = 36
"""Steps within which a process is killed; it saves after every five."""


@dataclass
class Tally:
    """What has happened."""

    runs: int = 0
    kills: int = 0
    in_a_save: int = 0
    resumes: int = 0
    finished: int = 0
    verified: int = 0

    def __str__(self) -> str:
        return (f"runs {self.runs}, kills {self.kills}, kills inside a save {self.in_a_save}, resumes {self.resumes}, "
                f"trainings finished {self.finished}, checkpoints verified {self.verified}")


@dataclass(frozen=True)
class Moment:
    """When to kill: `pause` seconds after so many steps, or then as soon as a save is under way."""

    steps: int
    pause: float
    in_a_save: bool

    @classmethod
    def drawn(cls, draw: random.Random) -> Moment:
        """Draw one; in one of ten cases the process does not get to its first step, or hardly."""
        steps = max(0, draw.randrange(-4, MOST_STEPS))
        return cls(steps, draw.uniform(0.0, 0.05 if steps else 1.0), draw.random() < 0.4)


class Worker:
    """One process of the training."""

    def __init__(self, directory: Path, result: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "GLOG_v": "3"}
        self._log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("worker.py")), str(directory),
                                         str(result)], stdout=subprocess.PIPE, stderr=self._log, text=True,
                                        env=environment)

    def begun(self) -> int:
        """Wait until the training begins; return the step from which it goes on."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("begun"):
                return int(line.split()[1])
        raise RuntimeError(f"the worker failed before its training began:\n{self._error()}")

    def does_steps(self, steps: int) -> bool:
        """Wait until it has done so many steps; return whether it has, and did not end before."""
        assert self.process.stdout is not None
        return all(self.process.stdout.readline() for _ in range(steps))

    def end(self) -> None:
        """Wait for its end; raise what went wrong."""
        self.process.communicate()
        if self.process.returncode not in (0, -signal.SIGKILL):
            raise RuntimeError(f"the worker failed:\n{self._error()}")

    def _error(self) -> str:
        self._log.seek(0)
        return self._log.read()[-4000:]


def harness(kills: int, seed: int, folder: Path, limit: Optional[float] = None) -> Tally:
    """Kill `kills` processes and compare every end state.

    Args:
        kills: how many.
        seed: of the moments.
        folder: an empty directory.
        limit: seconds after which no more processes are killed; None for none.

    Raises:
        AssertionError: an end state differs, or a checkpoint is damaged.
    """
    draw, tally, began = random.Random(seed), Tally(), time.monotonic()
    expected = _undisturbed(folder)
    while tally.kills < kills and (limit is None or time.monotonic() - began < limit):
        directory, result = folder / f"run-{tally.runs}", folder / f"result-{tally.runs}"
        tally.runs += 1
        while not result.exists():
            enough = tally.kills >= kills
            moment = Moment.drawn(draw)
            _one_process(directory, result, None if enough else moment, tally)
        assert result.read_text() == expected, f"the end state of {directory} differs"
        tally.finished += 1
        shutil.rmtree(directory)
    return tally


def _undisturbed(folder: Path) -> str:
    worker = Worker(folder / "undisturbed", folder / "expected")
    worker.begun()
    worker.end()
    return (folder / "expected").read_text()


def _wait_for_a_save(directory: Path, worker: Worker) -> None:
    """Return as soon as a checkpoint is being written, or the process has ended, or after ten seconds."""
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline and worker.process.poll() is None:
        if any(name.startswith(".step-") for name in os.listdir(directory)):
            return


def _one_process(directory: Path, result: Path, moment: Optional[Moment], tally: Tally) -> None:
    worker = Worker(directory, result)
    tally.resumes += worker.begun() > 0
    if moment is not None and worker.does_steps(moment.steps):
        try:
            worker.process.wait(moment.pause)
        except subprocess.TimeoutExpired:
            if moment.in_a_save:
                _wait_for_a_save(directory, worker)
            worker.process.send_signal(signal.SIGKILL)
    worker.end()
    if worker.process.returncode != 0:
        tally.kills += 1
        tally.in_a_save += any(name.startswith(".step-") for name in os.listdir(directory))
        for path in list_checkpoints(directory):
            report = verify_checkpoint(path)
            assert report, report.faults
            tally.verified += 1


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50, help="how many processes to kill at least")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tally = harness(options.runs, options.seed, Path(folder))
    print(tally)
    print(f"every end state is bit-identical; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
