"""``examples/migrate_from_torch.py`` as a user runs it, in both modes."""
from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "migrate_from_torch.py"


def run(folder: Path, *arguments: str) -> str:
    """Run the example in a folder of its own and return what it prints."""
    path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])
    done = subprocess.run([sys.executable, str(EXAMPLE), *arguments], cwd=folder, text=True, stdin=subprocess.DEVNULL,
                          env={**os.environ, "PYTHONPATH": path}, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("mode", ["graph", "pynative"])
def test_the_port_learns_as_the_original(mode: str, tmp_path: Path) -> None:
    """With torch both are run and must agree; without it, the numbers are those that torch printed."""
    output = run(tmp_path, "--mode", mode, "--epochs", "2", "--compare")
    loss = re.search(r"^90 updates, loss 2\.2967 to ([0-9.]+)$", output, re.M)
    assert loss and float(loss[1]) == pytest.approx(0.3372, abs=2e-4)
    assert "learning rate 0.0010, up to 0.1000, down to 0.000122\n" in output
    accuracy = re.search(r"^test accuracy: ([0-9.]+) %$", output, re.M)
    assert accuracy and float(accuracy[1]) == pytest.approx(94.4, abs=0.6)
    assert list((tmp_path / "runs/migration/tensorboard").glob("events.*"))
    if importlib.util.find_spec("torch") is None:
        assert "torch is not installed, so only the port was run" in output
    else:
        difference = re.search(r"difference of the learning rate: (\S+), of the loss: (\S+)", output)
        assert difference and float(difference[1]) == 0 and float(difference[2]) < 1e-5


def test_both_sides_have_the_same_parts() -> None:
    """They are read side by side, so each part has its number on both sides."""
    sides = re.findall(r"^def train_in_\w+\(.*?(?=^def )", EXAMPLE.read_text(encoding="utf-8"), re.M | re.S)
    parts = [re.findall(r"^    # (\d)\. ", side, re.M) for side in sides]
    assert len(parts) == 2
    assert parts[0] == parts[1] == [str(number) for number in range(1, 7)]
