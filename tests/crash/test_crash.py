"""A training killed over and over ends with the bits of one that was not."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

from .harness import harness

# The whole harness takes minutes: CI sets this to 50.
KILLS = int(os.environ.get("MS_LR_CALLBACKS_KILLS", "4"))


def test_killed_at_random_moments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tally = harness(KILLS, seed=1, folder=tmp_path)
    with capsys.disabled():
        print(f"\n{tally}")
    assert tally.kills >= KILLS and tally.finished == tally.runs > 0
    assert tally.resumes > 0
    if KILLS >= 50:
        assert tally.in_a_save >= KILLS // 10, "too few kills hit a save to show anything"
