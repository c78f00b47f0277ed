"""The optimizer matrix in the documents is the one that the tests train."""
from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "make_optimizer_matrix.py"


def test_page_is_up_to_date() -> None:
    made = runpy.run_path(str(SCRIPT))
    assert made["PAGE"].read_text() == made["page"](), "run python docs/make_optimizer_matrix.py"
