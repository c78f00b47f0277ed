"""``examples/two_ranks.py`` as two real ranks run it: stopped half way, then started again."""
from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from ranks import run_ranks
from test_train_digits import curves

from ms_lr_callbacks import schedules as S

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "two_ranks.py"
STEPS, EPOCHS = 14, 4  # 1,797 pictures, of which each rank has half, in batches of 64


def said(folder: Path, *arguments: str) -> tuple[list[str], set[str]]:
    """Run the example; return where each rank started, and all different ends that the ranks report."""
    folder.mkdir()
    output = run_ranks(EXAMPLE, "--out", "../out", *arguments, folder=folder)
    starts = re.findall(r"^rank \d of 2 starts at update (\d+)$", output, re.M)
    ends = re.findall(r"^rank \d ends with (.*)$", output, re.M)
    assert len(ends) == 2
    return starts, set(ends)


def test_stop_and_go_on(tmp_path: Path) -> None:
    starts, ends = said(tmp_path / "first", "--stop-after", "2")
    assert starts == ["0", "0"] and len(ends) == 1, "both ranks have the same weights"
    starts, ends = said(tmp_path / "second")
    assert starts == [str(2 * STEPS)] * 2 and len(ends) == 1

    schedule = S.warmup(S.CosineAnnealingLR(T_max=(EPOCHS - 1) * STEPS), STEPS)
    wanted = S.values(schedule, 0.2, EPOCHS * STEPS)
    assert ends.pop().startswith(f"lr {wanted[-1]:.6f} ")
    steps, rates = zip(*curves(tmp_path / "out" / "tensorboard")["lr"])
    assert steps == tuple(range(1, EPOCHS * STEPS + 1)), "rank 0 alone writes, and goes on where it stopped"
    np.testing.assert_array_equal(np.float32(rates), np.float32(wanted))
