"""What the READMEs show is true and the same in both languages: the example runs, commands name what there is."""
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

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
    """It is pasted into a file, as a reader would, and is the only block of Python there is."""
    script = tmp_path / "example.py"
    script.write_text(block_after("example"), encoding="utf-8")
    path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])
    done = subprocess.run([sys.executable, script.name], cwd=tmp_path, text=True,
                          env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    shown = re.search(r"# (\[1 2 3\] .*)", README)
    assert shown and done.stdout.splitlines()[0] == shown[1]
    assert list((tmp_path / "runs/linear").iterdir())
    assert README.count("```python") == 1


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


def test_every_example_is_listed() -> None:
    listed = set(re.findall(r"\]\(examples/(\w+\.py)\)", README))
    assert listed == {path.name for path in (ROOT / "examples").glob("*.py")}


class Section(NamedTuple):
    """What of a section does not depend on the language."""

    level: int
    links: list[str]
    pictures: list[str]
    code: list[str]
    markers: list[str]
    tables: list[list[int]]
    items: int


def sections(text: str) -> list[Section]:
    """Return what each section holds: for a table the number of cells in each row, for code all but its comments."""
    blocks = re.findall(r"^```\w+\n.*?^```", text, re.M | re.S)
    for number, block in enumerate(blocks):  # what is in a block is neither a heading nor a link
        text = text.replace(block, f"@@{number}@@")
    found = []
    for level, body in re.findall(r"^(#+) .*\n((?:(?!#+ ).*\n)*)", text, re.M):
        links = [each.replace(".zh-CN.md", ".md") for each in re.findall(r"\]\(([^)]+)\)", body)]
        code = [re.sub(r"\s+# .*", "", blocks[int(number)]) for number in re.findall(r"@@(\d+)@@", body)]
        tables = [[row.count(" | ") for row in table.splitlines()] for table in re.findall(r"(?:^\|.*\n)+", body, re.M)]
        found.append(Section(len(level), sorted(links), re.findall(r"!\[[^\]]+\]\(([^)]+)\)", body), code,
                             re.findall(r"<!--.*?-->", body), tables, len(re.findall(r"^- ", body, re.M))))
    return found


def test_both_languages_have_the_same_sections() -> None:
    english, chinese = sections(README), sections(CHINESE)
    assert len(english) >= 7 and sum(len(table) for each in english for table in each.tables) > 40
    assert len(english) == len(chinese)
    for number, (mine, theirs) in enumerate(zip(english, chinese)):
        assert mine == theirs, f"section {number + 1}"


def test_each_language_leads_to_the_other() -> None:
    assert "[简体中文](README.zh-CN.md)" in README and "[English](README.md)" in CHINESE
    assert "(docs/migration.md)" in README and "(docs/migration.zh-CN.md)" in CHINESE


def test_both_languages_show_the_same_code_in_their_tables() -> None:
    """Every piece of code in a cell stands in both languages; the words around it are translated."""
    rows = list(zip(re.findall(r"^\|.*", README, re.M), re.findall(r"^\|.*", CHINESE, re.M)))
    for mine, theirs in rows:
        for here, there in zip(mine.split(" | "), theirs.split(" | ")):
            assert sorted(re.findall(r"`[^`]+`", here)) == sorted(re.findall(r"`[^`]+`", there))


@pytest.mark.parametrize("table", ["Keras |", "MindSpore | NumPy |"])
def test_both_languages_say_yes_and_no_in_the_same_cells(table: str) -> None:
    """Numbers are the same, and a cell in one language is always said by the same words in the other."""
    english, chinese = ([row.strip("| ").split(" | ")[1:] for row in next(
        each for each in re.findall(r"(?:^\|.*\n)+", text, re.M) if table in each).splitlines()[2:]]
        for text in (README, CHINESE))
    for mine, theirs in zip(english, chinese):
        for here, there in zip(mine, theirs):
            assert re.findall(r"[\d.]+", here) == re.findall(r"[\d.]+", there)
            assert (here in ("yes", "no")) == (there in ("有", "无", "是", "否"))
            assert (here == "no") == (there in ("无", "否"))


def test_the_comparison_is_that_of_the_documents() -> None:
    """Which has links in its first column, to where each cell can be looked up."""
    page = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    mine, theirs = (next(table for table in re.findall(r"(?:^\|.*\n)+", text, re.M) if "| Keras |" in table)
                    for text in (README, page))
    assert mine == re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", theirs)


def test_the_version_has_its_section_in_the_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = re.escape(ms_lr_callbacks.__version__)
    assert re.search(rf"^## \[{version}\] - \d{{4}}-\d\d-\d\d\n\n### Added\n- ", text, re.M)
