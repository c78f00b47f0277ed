"""Fixtures that every test may ask for."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator, Optional

import pytest


def pytest_ignore_collect(collection_path: Path) -> Optional[bool]:
    """Look for tests and doctests in test files only: the scripts beside them train when imported."""
    name = collection_path.name
    return True if name.endswith(".py") and not name.startswith(("test_", "conftest")) else None


@pytest.fixture(autouse=True)
def settled() -> None:
    """Run each test that needs MindSpore in GRAPH_MODE, and under NumPy 2 without its first failure."""
    if "mindspore" not in sys.modules:
        return
    import mindspore as ms

    from ms_lr_callbacks.optimizers.numpy2 import settle_numpy

    ms.set_context(mode=ms.PYNATIVE_MODE)
    settle_numpy()
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.fixture(params=["graph", "pynative"])
def mode(request: pytest.FixtureRequest, settled: None) -> Iterator[str]:
    """Run the test in GRAPH_MODE and again in PYNATIVE_MODE; its value is the mode's name."""
    import mindspore as ms

    ms.set_context(mode={"graph": ms.GRAPH_MODE, "pynative": ms.PYNATIVE_MODE}[request.param])
    yield request.param
    ms.set_context(mode=ms.GRAPH_MODE)
