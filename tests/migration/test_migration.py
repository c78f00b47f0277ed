"""Each row of the migration guide: MindSpore's code runs and leaves what torch's code left.

The numbers of torch are those of ``make_migration_golden.py``. Hyperparameters have to be the same float32,
weights and losses those of torch but for the rounding of two frameworks' kernels.
"""
from __future__ import annotations

import ast
import base64
import json
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from migration_pages import DATA, PAGES, PREAMBLE, digest, names, page, pieces, plain, script

GOLDEN = json.loads(DATA.read_text(encoding="utf-8"))["rows"]
NUMBERS_OF_KERNELS = ("weights", "loss", "moments")
# At most 18 updates; weights are of order 1, so this is a few units of the last place.
ROUNDING = {"rtol": 2e-6, "atol": 1e-6}
COMPUTED_IN_THE_GRAPH = {"to-cell"}


def assert_same(name: str, key: str, mine: Any, torchs: Any) -> None:
    """Compare one entry of two results."""
    ours, theirs = np.asarray(mine, np.float32), np.asarray(torchs, np.float32)
    assert ours.shape == theirs.shape, key
    if key in NUMBERS_OF_KERNELS:
        np.testing.assert_allclose(ours, theirs, **ROUNDING, err_msg=key)
    elif name in COMPUTED_IN_THE_GRAPH:
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, err_msg=key)
    else:
        np.testing.assert_array_equal(ours, theirs, err_msg=key)


@pytest.mark.parametrize("name", names())
def test_mindspore_gives_what_torch_gives(name: str, mode: str, tmp_path: Path,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for file, content in GOLDEN[name]["files"].items():
        (tmp_path / file).write_bytes(base64.b64decode(content))
    # MindSpore compiles cells from their source, so there has to be a file.
    (tmp_path / "piece.py").write_text(script("mindspore", name), encoding="utf-8")
    result = plain(runpy.run_path(str(tmp_path / "piece.py"))["result"])
    wanted = GOLDEN[name]["result"]
    assert result and list(result) == list(wanted)
    for key in result:
        pairs = zip(result[key], wanted[key]) if key == "weights" else [(result[key], wanted[key])]
        for mine, torchs in pairs:
            assert_same(name, key, mine, torchs)


def test_the_numbers_are_those_of_torchs_code_on_the_page() -> None:
    """Otherwise run make_migration_golden.py again."""
    assert {name: digest(script("torch", name)) for name in names()} == {
        name: row["digest"] for name, row in GOLDEN.items()}


@pytest.mark.parametrize("language", PAGES)
def test_every_block_of_code_belongs_to_a_row_of_both_frameworks(language: str) -> None:
    found = pieces(language)
    assert len(found) == page(language).count("```python")
    assert [(each.framework, each.name) for each in found] == [
        (framework, name) for name in (PREAMBLE, *names()) for framework in ("torch", "mindspore")]
    assert len(set(names())) == len(names()) >= 35


def test_both_languages_have_the_same_code() -> None:
    assert pieces("en") == pieces("zh")


def outline(text: str) -> list[tuple[int, list[str], int]]:
    """Return of each section its level, the pages it leads to, and how many rows its tables have."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)
    return [(len(level), sorted(re.findall(r"\]\(([^)#]+)[^)]*\)", body)), len(re.findall(r"^\|", body, re.M)))
            for level, body in re.findall(r"^(#+) .*\n((?:(?!#+ ).*\n)*)", prose, re.M)]


def test_both_languages_have_the_same_sections() -> None:
    english, chinese = ([(level, [each.replace(".zh-CN", "") for each in links], rows)
                         for level, links, rows in outline(page(language))] for language in PAGES)
    assert len(english) > len(names())
    assert english == chinese


def test_both_tables_name_the_same_code() -> None:
    """Prose is translated; what stands in backticks in a row is code and stays."""
    rows = [re.findall(r"^\|.*", page(language), re.M) for language in PAGES]
    for mine, theirs in zip(*rows):
        assert sorted(re.findall(r"`[^`]+`", mine)) == sorted(re.findall(r"`[^`]+`", theirs))


@pytest.mark.parametrize("language", PAGES)
def test_links_lead_to_files(language: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page(language)):
        assert target.startswith("https://") or (PAGES[language].parent / target).exists(), target


def test_pieces_are_short() -> None:
    """What a reader takes in at a glance: two handfuls of statements."""
    for each in pieces():
        if each.name != PREAMBLE:
            statements = [node for node in ast.walk(ast.parse(each.code)) if isinstance(node, ast.stmt)]
            assert len(statements) <= 24, each.name
