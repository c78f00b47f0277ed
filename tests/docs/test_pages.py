"""The Python on the pages runs, and prints what the comments behind it say.

All blocks of a page run in order, in one namespace and in a folder of their own. Pages that speak of a
training which the reader has already are given one.
"""
from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from mindspore import nn
from pages import DOCS, blocks, said
from ranks import run_ranks
from training import Regression, dataset, model

from ms_lr_callbacks import LRScheduler, latest_checkpoint
from ms_lr_callbacks import schedules as S

COMPLETE = ["hyperparameters", "train-cells", "dataset-sinking", "how-it-works", "schedules"]
WITH_A_TRAINING = ["index", "monitoring", "checkpoint-and-resume"]
# In tests of their own: the script for several ranks, below, and the pages of which torch runs a part.
ELSEWHERE = ["distributed", "torch-optimizer-state", "migration", "migration.zh-CN"]


def a_training() -> dict[str, Any]:
    def optimizer_of(network: Regression) -> Any:
        return nn.Adam([{"params": network.body.trainable_params(), "lr": 0.05},
                        {"params": network.head.trainable_params()}], 0.1, weight_decay=0.01)

    network, schedule = Regression(), S.ExponentialLR(0.9)
    optimizer = optimizer_of(network)
    return {"network": network, "optimizer": optimizer, "other_optimizer": optimizer_of(Regression()),
            "model": model(network, optimizer), "dataset": dataset(3), "schedule": schedule,
            "scheduler": LRScheduler(schedule)}


def test_every_page_with_code_is_run() -> None:
    pages = (path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md"))
    assert {page for page in pages if blocks(page)} <= {*COMPLETE, *WITH_A_TRAINING, *ELSEWHERE}


@pytest.mark.parametrize("page", [*COMPLETE, *WITH_A_TRAINING])
def test_the_code_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                       capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    found = blocks(page)
    assert found
    script = tmp_path / "page.py"  # MindSpore compiles cells from their source, so there has to be a file
    script.write_text("\n".join(found), encoding="utf-8")
    runpy.run_path(str(script), init_globals=a_training() if page in WITH_A_TRAINING else {})
    assert capsys.readouterr().out.splitlines() == [line for block in found for line in said(block)]


def test_the_script_for_several_ranks_runs_in_two(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("\n".join(blocks("distributed")), encoding="utf-8")
    logs = run_ranks(script, folder=tmp_path)
    assert "rank 0: [0.0625]" in logs and "rank 1: [0.0625]" in logs  # half of 0.125 after 16 updates of 4 rows
    assert len(list((tmp_path / "tb").glob("events.*"))) == 1
    assert latest_checkpoint(tmp_path / "ckpt") == tmp_path / "ckpt" / "step-00000016"
