"""What the package says about the version of MindSpore."""
from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import mindspore as ms
import pytest

import ms_lr_callbacks
from ms_lr_callbacks.optimizers.internals import NEWEST, OLDEST, version_of, warn_if_untried


@pytest.mark.parametrize("text, numbers", [("2.10.0", (2, 10)), ("2.7.1rc1", (2, 7)), ("3.0", (3, 0)), ("?", (0, 0))])
def test_version_of(text: str, numbers: tuple[int, int]) -> None:
    assert version_of(text) == numbers


@pytest.mark.parametrize("text", ["2.6.0", "2.11.0", "3.0.0", "unknown"])
def test_an_untried_version_is_told(text: str) -> None:
    with pytest.warns(RuntimeWarning, match=f"tested with MindSpore 2.7 to 2.10, and this is MindSpore {text}"):
        warn_if_untried(text)


@pytest.mark.parametrize("text", ["2.7.0", "2.8.0", "2.9.0", "2.10.0", "2.10.1", ms.__version__])
def test_a_tested_version_is_silent(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_untried(text)
    assert OLDEST <= version_of(text) <= NEWEST


@pytest.mark.parametrize("version, warned", [("2.10.0", 0), ("2.99.0", 1)])
def test_told_once_at_the_first_use_and_not_at_import(version: str, warned: int) -> None:
    code = f"""
import sys, warnings
sys.path.insert(0, {str(Path(ms_lr_callbacks.__file__).parents[1])!r})
import mindspore
mindspore.__version__ = {version!r}
def untried(seen): return sum("this is MindSpore" in str(each.message) for each in seen)
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    import ms_lr_callbacks
    print(untried(seen))
    ms_lr_callbacks.get_lr, ms_lr_callbacks.LRScheduler, ms_lr_callbacks.LRMonitor
    print(untried(seen))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", str(warned)]
