"""``inspect``: the tables, and what it does with states it does not know."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ms_lr_callbacks.checkpoint import CheckpointStore, TensorRecord
from ms_lr_callbacks.cli import main

STATE: dict[str, Any] = {
    "step": 200, "epoch": 3,
    "groups": [{"name": "backbone", "lr": np.float32(0.01), "weight_decay": 1e-4, "params": ["w", "b"]},
               {"name": "head", "lr": 0.1, "weight_decay": None, "params": 7}],
    "callbacks": {"ReduceLROnPlateau": {"best": float("inf"), "wait": 2},
                  "LRMonitor": {"values": np.arange(300.0)}, "Quiet": {}},
    "seed": 42,
}


def save(directory: Path, state: dict[str, Any], step: int = 200) -> Path:
    with CheckpointStore(directory) as store:
        return store.save(step, {"network": {"w": np.zeros((500, 2), np.float32)},
                                 "optimizer": {"m": np.zeros(1000, np.float32), "s": np.int32([200]),
                                               "h": TensorRecord.bfloat16(np.zeros(4, np.uint16))}}, state)


def call(path: Path) -> int:
    return main(["inspect", str(path)])


def test_the_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path, STATE)
    assert call(path) == 0
    out, err = capsys.readouterr()
    assert err == ""
    first, second, rest = out.split("\n", 2)
    assert first == str(path) and second.startswith("step 200, epoch 3, 1 rank, 1")
    assert rest == """
group     learning rate  weight decay  parameters
backbone  0.01           0.0001        2
head      0.1            -             7

section    tensors  size    dtypes
network    1        4.2 kB  float32
optimizer  3        4.4 kB  bfloat16 float32 int32
state      1        2.6 kB  float64

callback           state   value
ReduceLROnPlateau  best    inf
                   wait    2
LRMonitor          values  float64 array 300
Quiet                      {}

also saved  value
seed        42
"""


def test_the_newest_good_one_of_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for step in (1, 2, 3):
        save(tmp_path, STATE, step)
    (tmp_path / "step-00000003" / "state.json").unlink()
    assert call(tmp_path) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{tmp_path / 'step-00000002'}\nstep 2,") and "state.json is missing" in err


@pytest.mark.parametrize("state", [
    {}, {"epoch": None, "groups": None, "callbacks": None}, {"groups": 3, "callbacks": 4.5},
    {"groups": [1, {}, {"params": None}], "callbacks": [{"a": 1}, None, 3]},
    {"callbacks": {"a": {1: [2] * 1000}, "b\x1b[2J\n": "\x1b"}, "note": "x" * 1000, "epoch": "\x1b[2J"}])
def test_other_states_are_shown_as_far_as_they_go(tmp_path: Path, state: dict[str, Any],
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    assert call(save(tmp_path, state)) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out and max(len(line) for line in out.splitlines()) < 200


def test_damage_and_nothing_are_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(tmp_path / "missing") == 1
    path = save(tmp_path / "a", STATE)
    (path / "state.json").write_text("{}")
    assert call(path) == 1 and call(tmp_path / "a") == 1
    assert "state.json: 2 bytes instead of" in capsys.readouterr().err


def test_from_the_command_line_without_mindspore(tmp_path: Path) -> None:
    path = save(tmp_path, STATE)
    code = "import sys; sys.modules['mindspore'] = None; sys.argv[0] = 'ms_lr_callbacks'; " \
           "import runpy; runpy.run_module('ms_lr_callbacks', run_name='__main__', alter_sys=True)"
    done = subprocess.run([sys.executable, "-c", code, "inspect", str(path)], capture_output=True, text=True)
    assert done.returncode == 0 and "ReduceLROnPlateau" in done.stdout, done.stderr
