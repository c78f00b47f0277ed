"""Two real ranks: one writes for both, or each writes its part; one of them dies in the middle of a save."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
from ranks import run_ranks

from ms_lr_callbacks.checkpoint import list_checkpoints, verify_checkpoint

SCRIPT = Path(__file__).with_name("checkpoint_ranks.py")


def lines(logs: str) -> list[str]:
    return sorted(set(re.findall(r"rank \d started at \d+ ended with \w+", logs)))


def ends(logs: str) -> list[str]:
    return [line.split()[-1] for line in lines(logs)]


def folder(parent: Path, name: str) -> Path:
    path = parent / name
    path.mkdir()
    return path


def test_killed_in_the_middle_of_a_save_and_resumed(tmp_path: Path) -> None:
    whole = run_ranks(SCRIPT, str(tmp_path / "undisturbed"), "all", "whole", folder=folder(tmp_path, "whole"))
    assert len(ends(whole)) == 2 and len(set(ends(whole))) == 1, whole
    for kind in ("all", "shards"):
        directory = tmp_path / kind
        with pytest.raises(AssertionError):
            run_ranks(SCRIPT, str(directory), kind, "kill", folder=folder(tmp_path, f"{kind} killed"))
        path, = list_checkpoints(directory)
        assert path.name == "step-00000004" and verify_checkpoint(path)
        assert list(directory.glob(".step-00000008.*")), "the save of step 8 was under way"
        assert (path / "optimizer.rank-00001.safetensors").exists() == (kind == "shards")
        resumed = run_ranks(SCRIPT, str(directory), kind, "resume", folder=folder(tmp_path, f"{kind} resumed"))
        assert [line.split()[4] for line in lines(resumed)] == ["4", "4"]
        assert ends(resumed) == ends(whole)
