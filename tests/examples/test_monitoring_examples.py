"""The examples about monitoring run and write what they say."""
from __future__ import annotations

import json
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.append(str(EXAMPLES.parent / "docs"))


@pytest.mark.parametrize("name, arguments, files, words", [
    ("fine_tuning", ["--epochs", "1"], ["curves.png", "tensorboard"], "accuracy on the digits 5 to 9"),
    ("range_test", ["--epochs", "1"], ["range_test.png"], "suggestion: "),
    ("log_everywhere", [], ["run.csv", "run.jsonl", "tensorboard", "summary"], "the tracker got 528 points")])
def test_example(name: str, arguments: list[str], files: list[str], words: str, tmp_path: Path) -> None:
    script = ("import sys, runpy; sys.path[:0] = sys.argv[1:3]; path = sys.argv[3]; sys.argv[:] = sys.argv[3:]; "
              "runpy.run_path(path, run_name='__main__')")
    command = [sys.executable, "-c", script, str(EXAMPLES), str(EXAMPLES.parent), str(EXAMPLES / f"{name}.py"),
               "--out", str(tmp_path / "out"), *arguments]
    result = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=300)
    assert result.returncode == 0, result.stdout
    assert words in result.stdout
    for file in files:
        assert (tmp_path / "out" / file).exists(), file


def test_a_real_server_shows_every_point(tmp_path: Path) -> None:
    from make_tensorboard_picture import tensorboard_server

    from ms_lr_callbacks.writers import Scalars, TensorBoardWriter

    writer = TensorBoardWriter(tmp_path)
    for after, last in ((0, 30), (20, 40)):  # killed after update 30, resumed from a checkpoint of update 20
        writer.open(after)
        writer.write([Scalars(step, {"lr/body": 0.5 / step, "lr/head": 1.0 / step}, 100.0 + step)
                      for step in range(after + 1, last + 1)])
    writer.close()
    with tensorboard_server(tmp_path) as address:
        query = urllib.parse.urlencode({"run": ".", "tag": "lr/head"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                f"{address}/data/plugin/scalars/scalars?{query}", timeout=60) as answer:
            points = json.load(answer)
    assert [step for _, step, _ in points] == list(range(1, 41))
    assert [value for _, _, value in points] == pytest.approx([1.0 / step for step in range(1, 41)])
