"""``verify``: what it prints and how it exits."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ms_lr_callbacks.checkpoint import CheckpointStore
from ms_lr_callbacks.cli import main


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Three checkpoints, of steps 1 to 3."""
    with CheckpointStore(tmp_path / "ckpt") as store:
        for step in (1, 2, 3):
            store.save(step, {"network": {"w": np.arange(1000.0)}}, {"step": step})
    return tmp_path / "ckpt"


def call(path: Path) -> int:
    return main(["verify", str(path)])


def test_one_good_checkpoint(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(directory / "step-00000002") == 0
    assert capsys.readouterr().out == f"good     {directory / 'step-00000002'}  8.2 kB\n"


def test_a_directory_of_good_ones(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(directory) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["good"] * 3 and "step-00000003" in lines[0]
    assert lines[3] == "3 of 3 checkpoints are good"


def test_damage_is_named_and_the_code_is_1(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "step-00000002" / "state.json").write_text("{}")
    assert call(directory) == 1
    out = capsys.readouterr().out
    assert f"DAMAGED  {directory / 'step-00000002'}\n" in out
    assert "state.json: 2 bytes instead of" in out and "2 of 3 checkpoints are good" in out
    assert call(directory / "step-00000002") == 1 and call(directory / "step-00000001") == 0


@pytest.mark.parametrize("name", ["missing", "file", "empty"])
def test_what_is_no_checkpoint_is_not_good(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("{}")
    (tmp_path / "empty").mkdir()
    assert call(tmp_path / name) == 1


def test_a_name_cannot_steer_the_terminal(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "step-00000002" / "\x1b[2J").touch()
    assert call(directory / "step-00000002") == 1
    assert "\x1b" not in capsys.readouterr().out


def test_from_the_command_line_without_mindspore(directory: Path) -> None:
    code = "import sys; sys.modules['mindspore'] = None; sys.argv[0] = 'ms_lr_callbacks'; " \
           "import runpy; runpy.run_module('ms_lr_callbacks', run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-c", code, "verify", str(directory)]
    good = subprocess.run(command, capture_output=True, text=True)
    assert good.returncode == 0 and "3 of 3" in good.stdout, good.stderr
    (directory / "step-00000003" / "manifest.json").unlink()
    assert subprocess.run(command, capture_output=True).returncode == 1
