"""Thousands of damaged checkpoints, in a process of its own: a crash or a leak there fails the test."""
from __future__ import annotations

import subprocess
import sys

from processes import ROOT

CASES = 2500


def test_every_damage_is_refused() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.checkpoint.damage", "--cases", str(CASES), "--seed", "11"],
                          cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{CASES} cases, {CASES} refused, 0 not" in done.stdout
