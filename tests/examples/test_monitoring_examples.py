"""The examples about monitoring run and write what they say."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


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
