"""``python -m ms_lr_callbacks preview``: table, picture and errors, without MindSpore."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, List

import pytest

from ms_lr_callbacks import __version__
from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.cli import main

WARM_COSINE = S.SequentialLR([S.LinearLR(0.01, total_iters=100), S.CosineAnnealingLR(T_max=900)], [100])


def _file(folder: Path, config: Any) -> str:
    path = folder / "schedule.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return str(path)


def _table(text: str) -> List[List[str]]:
    return [line.split() for line in text.splitlines() if not line.startswith("picture:")]


def test_table_holds_the_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preview", _file(tmp_path, WARM_COSINE.to_config()), "--steps", "1000", "--base", "0.1"]) == 0
    header, *rows = _table(capsys.readouterr().out)
    assert header == ["t", "SequentialLR"] and len(rows) == 21
    assert [rows[0][0], rows[-1][0]] == ["0", "999"]
    for t, value in rows:
        assert value == f"{WARM_COSINE(int(t), 0.1):.6g}"


def test_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "lr.png"
    config = _file(tmp_path, {"warm": WARM_COSINE.to_config(), "exp": S.ExponentialLR(0.99).to_config()})
    assert main(["preview", config, "--steps", "50", "--base", "0.1", "--out", str(out), "--log",
                 "--rows", "3"]) == 0
    printed = capsys.readouterr().out
    assert _table(printed)[0] == ["t", "warm", "exp"] and len(_table(printed)) == 4
    assert f"picture: {out}" in printed and out.read_bytes().startswith(b"\x89PNG")


def test_one_column_per_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = _file(tmp_path, S.to_config([S.StepLR(2), None, S.ExponentialLR(0.5)]))
    assert main(["preview", config, "--steps", "3", "--base", "1"]) == 0
    assert _table(capsys.readouterr().out) == [["t", "group_0", "group_2"], ["0", "1", "1"], ["1", "1", "0.5"],
                                               ["2", "0.1", "0.25"]]


@pytest.mark.parametrize("text, words", [
    ('{"name": "StepLr", "step_size": 3}', "there is no schedule 'StepLr'; the nearest is 'StepLR'"),
    ('{"name": "StepLR", "step": 3}', "StepLR has no argument 'step'; the nearest is 'step_size'"),
    ('{"name": "StepLR", "step_size": 0}', "step_size must be an int >= 1, got 0"),
    ("{", "preview"), ("7", "config must be a dict"), ("{}", "config has no 'name'"),
    ('{"a": 7}', "config must be a dict"), ("[]", "the list holds no schedule, got []"),
    ("[null]", "the list holds no schedule, got [null]"),
])
def test_bad_config(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    assert main(["preview", str(path), "--steps", "3", "--base", "1"]) == 1
    captured = capsys.readouterr()
    assert words in captured.err and not captured.out


def test_bad_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = _file(tmp_path, S.StepLR(3).to_config())
    assert main(["preview", str(tmp_path / "none.json"), "--steps", "3", "--base", "1"]) == 1
    assert "none.json" in capsys.readouterr().err
    assert main(["preview", config, "--steps", "3", "--base", "1", "--out", "a.pdf"]) == 1
    assert "path must end in .png" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["preview", config, "--steps", "0", "--base", "1"])
    assert "must be at least 1" in capsys.readouterr().err
    for base in ("nan", "inf", "-1", "x"):
        with pytest.raises(SystemExit):
            main(["preview", config, "--steps", "3", "--base", base])
        assert base in capsys.readouterr().err


def test_as_a_process_without_mindspore(tmp_path: Path) -> None:
    config = _file(tmp_path, WARM_COSINE.to_config())
    script = ("import sys, runpy; sys.modules['mindspore'] = None; "
              "sys.argv = ['ms_lr_callbacks', *sys.argv[1:]]; "
              "runpy.run_module('ms_lr_callbacks', run_name='__main__')")
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", script, "preview", config, "--steps", "3", "--base", "1",
                           "--out", str(tmp_path / "lr.png")],
                          cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("t  SequentialLR")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"ms_lr_callbacks {__version__}\n"
