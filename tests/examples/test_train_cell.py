"""``examples/train_cell.py`` as a user runs it."""
from __future__ import annotations

from pathlib import Path

import numpy as np
from test_train_digits import ROOT, curves, run_example

from ms_lr_callbacks import schedules as S

STEPS = 44


def test_one_epoch(tmp_path: Path) -> None:
    output = run_example(tmp_path / "out", "--epochs", "1", example=ROOT / "examples" / "train_cell.py")
    assert "test accuracy: " in output and "the next update would use [0.0, 0.0]" in output
    assert (tmp_path / "out" / "curves.png").read_bytes().startswith(b"\x89PNG")
    logged = curves(tmp_path / "out" / "tensorboard")
    warm = S.warmup(S.CosineAnnealingLR(T_max=STEPS // 2), STEPS // 2)
    for tag, schedule, base in [("lr/body", warm, 0.002), ("lr/head", S.CosineAnnealingLR(T_max=STEPS), 0.004),
                                ("weight_decay/body", S.LinearLR(1.0, 0.1, total_iters=STEPS), 0.1)]:
        steps, values = zip(*logged[tag])
        assert steps == tuple(range(1, STEPS + 1)), tag
        np.testing.assert_array_equal(np.float32(values), np.float32(S.values(schedule, base, STEPS)), tag)
