"""What the README shows is true: its example runs, its files exist, its commands name what there is."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ms_lr_callbacks

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block_after(marker: str) -> str:
    """Return the fenced block that follows a marker."""
    found = re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, marker
    return found[1]


def test_the_example_runs(tmp_path: Path) -> None:
    path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])
    done = subprocess.run([sys.executable, "-c", block_after("example")], cwd=tmp_path, text=True,
                          env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    shown = re.search(r"# (\[1 2 3\] .*)", README)
    assert shown and done.stdout.splitlines()[0] == shown[1]
    assert list((tmp_path / "runs/linear").iterdir())


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_lead_to_files(target: str) -> None:
    assert target.startswith("https://") or (ROOT / target).exists()


@pytest.mark.parametrize("marker", ["run command", "test command"])
def test_commands_are_one_line_each(marker: str) -> None:
    command = block_after(marker)
    assert command.count("\n") == 1
    for file in re.findall(r"\S+/\w+\.py", command):
        assert (ROOT / file).is_file()


def test_code_names_exist() -> None:
    schedules = {name for name in re.findall(r"\bS\.(\w+)", README)}
    assert schedules and all(hasattr(ms_lr_callbacks.schedules, name) for name in schedules)
    called = set(re.findall(r"\b(LR[A-Z]\w+|\w+Scheduler|ReduceLROnPlateau|get_lr|get_last_lr)\(", README))
    assert called and all(hasattr(ms_lr_callbacks, name) for name in called)
