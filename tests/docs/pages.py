"""The blocks of Python in the documents. Neither framework is imported here."""
from __future__ import annotations

import hashlib
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
RUN_IN_TORCH = Path(__file__).resolve().parents[1] / "data" / "torch_blocks.json"


def blocks(page: str) -> list[str]:
    """Return the blocks of Python on a page, in their order."""
    return re.findall(r"^```python\n(.*?)^```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), re.S | re.M)


def is_torch(block: str) -> bool:
    """Return whether a block is for torch: those call it by its name, and the others never do."""
    return re.search(r"\btorch\.", block) is not None


def said(block: str) -> list[str]:
    """Return what a block says that it prints: comments behind ``print(...)`` and in lines of their own."""
    if "print(" not in block:
        return []
    behind = r"^ *print\(.*\)  # (.*)$"
    own = r"^# (.*)$"
    return [first or second for first, second in re.findall(rf"{behind}|{own}", block, re.M)]


def digest(block: str) -> str:
    """Return what tells one block from another."""
    return hashlib.sha256(block.encode()).hexdigest()
