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
CHINESE = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")


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


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", README + CHINESE))))
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


def outline(text: str) -> list[tuple[int, list[str], list[str], int, int]]:
    """Return for each section its level, its links, its blocks of code without comments, its pictures, its rows."""
    found = []
    for level, body in re.findall(r"^(#+) .*\n((?:(?!^#+ ).*\n)*)", fenced(text), re.M):
        links = [each.replace("README.zh-CN.md", "README.md") for each in re.findall(r"\]\(([^)]+)\)", body)]
        code = [re.sub(r"\s+# .*", "", block) for block in re.findall(r"```\w+\n(.*?)```", body, re.S)]
        found.append((len(level), links, code, body.count("!["), len(re.findall(r"^\|", body, re.M))))
    return found


def fenced(text: str) -> str:
    """Return the text with the comment lines in its code kept from looking like headings."""
    return re.sub(r"```.*?```", lambda block: re.sub(r"^#", " #", block[0], flags=re.M), text, flags=re.S)


def test_both_languages_say_the_same() -> None:
    english, chinese = outline(README), outline(CHINESE)
    assert len(english) >= 5 and sum(rows for *_, rows in english) > 20
    assert chinese == english


@pytest.mark.parametrize("column", [0, 1])
def test_both_tables_show_the_same_code(column: int) -> None:
    """Every piece of code in the rows stands in both languages; the words around it are translated."""
    for mine, theirs in zip(re.findall(r"^\|.*", README, re.M), re.findall(r"^\|.*", CHINESE, re.M)):
        cells = [line.split(" | ")[column] if " | " in line else line for line in (mine, theirs)]
        assert sorted(re.findall(r"`[^`]+`", cells[0])) == sorted(re.findall(r"`[^`]+`", cells[1]))


def test_the_version_has_its_section_in_the_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = re.escape(ms_lr_callbacks.__version__)
    assert re.search(rf"^## \[{version}\] - \d{{4}}-\d\d-\d\d\n\n### Added\n- ", text, re.M)
