"""The migration guide in both languages, cut into its pieces of code. Neither framework is imported here.

A piece of code stands behind a marker, ``<!-- torch: NAME -->`` or ``<!-- mindspore: NAME -->``. The
pieces named ``preamble`` are what all others of their framework start from.
"""
from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "migration.json"
PAGES = {language: ROOT / "docs" / name for language, name in (("en", "migration.md"), ("zh", "migration.zh-CN.md"))}
PREAMBLE = "preamble"


@dataclass(frozen=True)
class Piece:
    """One marked block of code of a page."""

    framework: str
    name: str
    code: str


def page(language: str) -> str:
    """Return the text of a page."""
    return PAGES[language].read_text(encoding="utf-8")


def pieces(language: str = "en") -> list[Piece]:
    """Return all marked blocks of a page in their order."""
    found = re.findall(r"^<!-- (torch|mindspore): ([\w-]+) -->\n```python\n(.*?)^```$", page(language), re.S | re.M)
    return [Piece(*each) for each in found]


def script(framework: str, name: str) -> str:
    """Return what has to be run for a piece: its framework's preamble and the piece."""
    code = {each.name: each.code for each in pieces() if each.framework == framework}
    return f"{code[PREAMBLE]}\n\n{code[name]}"


def names() -> list[str]:
    """Return the names of the rows, without the preamble."""
    return [each.name for each in pieces() if each.framework == "mindspore" and each.name != PREAMBLE]


def digest(text: str) -> str:
    """Return what tells whether a piece of code has changed since its numbers were made."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def plain(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result as lists of numbers; weights stay one list for each parameter."""
    return {key: [np.asarray(each).tolist() for each in value] if key == "weights" else np.asarray(value).tolist()
            for key, value in result.items()}


def optimizer_rows() -> list[list[str]]:
    """Return the rows of the table of constructors, each a list of its cells."""
    table = re.search(r"<!-- table: constructors -->\n((?:\|.*\n)+)", page("en"))
    assert table
    return [[cell.strip().strip("`") for cell in line.strip("|\n").split("|")]
            for line in table[1].splitlines()[2:]]
