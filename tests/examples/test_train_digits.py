"""The main job, as a user starts it."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "train_digits.py"


def run_example(out: Path, *arguments: str, example: Path = EXAMPLE) -> str:
    """Run an example in an empty directory and return what it prints."""
    work = out.parent
    # An installed package is found anyway; this also serves a checkout that is not installed.
    path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])
    done = subprocess.run([sys.executable, str(example), "--out", out.name, *arguments], cwd=work, text=True,
                          env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Read a log folder with TensorBoard's own reader."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    reader = accumulator.EventAccumulator(str(folder), {"scalars": 0})
    reader.Reload()
    return {tag: [(event.step, event.value) for event in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}


@pytest.mark.parametrize("mode", ["graph", "pynative"])
def test_two_epochs(mode: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    out = tmp_path / "digits"
    output = run_example(out, "--mode", mode, "--epochs", "2")
    assert "epoch  1/2 " in output and "epoch  2/2 " in output
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert re.search(r"^open it with: \S*tensorboard --logdir digits.tensorboard$", output, re.MULTILINE)
    logged = curves(out / "tensorboard")
    assert {"loss", "lr/body", "lr/head"} <= set(logged)
    for tag, base in (("lr/body", 0.05), ("lr/head", 0.1)):
        steps, rates = zip(*logged[tag])
        assert steps == tuple(range(1, 89))
        assert rates[0] == pytest.approx(0.01 * base) and max(rates) == pytest.approx(base)
        assert rates.index(max(rates)) == 44, "the warm-up lasts one epoch"


def test_full_run_reaches_its_accuracy(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    output = run_example(tmp_path / "digits")
    found = re.search(r"^test accuracy: ([0-9.]+) %$", output, re.MULTILINE)
    assert found and float(found[1]) >= 97.0, output
