"""What a user of the installed package relies on before any training."""
from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ms_lr_callbacks

PACKAGE = Path(ms_lr_callbacks.__file__).parent


def run(code: str) -> str:
    """Run code in a fresh interpreter that finds this very package, and return what it prints."""
    prelude = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n"
    done = subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


HEAVY = ["mindspore", "matplotlib", "tqdm", "tensorboardX", "sklearn"]


@pytest.mark.parametrize("code, absent", [
    ("import ms_lr_callbacks", [*HEAVY, "numpy"]),
    ("import ms_lr_callbacks; dir(ms_lr_callbacks)", HEAVY),
    ("from ms_lr_callbacks import schedules", HEAVY),
    ("from ms_lr_callbacks import LRScheduler", ["matplotlib", "tensorboardX", "sklearn"]),
], ids=lambda each: each if isinstance(each, str) else "")
def test_import_is_light(code: str, absent: list[str]) -> None:
    assert run(f"{code}\nprint([name for name in {absent!r} if name in sys.modules])") == "[]\n"


def test_every_public_name_loads_and_is_documented() -> None:
    for name in ms_lr_callbacks.__all__:
        value = getattr(ms_lr_callbacks, name)
        assert name == "__version__" or value.__doc__, name
    assert set(ms_lr_callbacks.__all__) <= set(dir(ms_lr_callbacks))


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="'ms_lr_callbacks' has no attribute 'LRSheduler'"):
        ms_lr_callbacks.LRSheduler


def distribution() -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution("ms_lr_callbacks")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("run from a checkout that is not installed")


def test_version_is_that_of_the_metadata() -> None:
    assert distribution().version == ms_lr_callbacks.__version__


def test_the_metadata_says_what_a_user_looks_for() -> None:
    metadata = distribution().metadata
    assert "MindSpore" in metadata["Summary"] and metadata["Requires-Python"] == ">=3.9"
    assert "Apache-2.0" in (metadata["License"], metadata["License-Expression"])
    assert {"examples", "docs", "test", "plot", "progress"} <= set(metadata.get_all("Provides-Extra"))
    assert "Typing :: Typed" in metadata.get_all("Classifier")


def test_the_command_line_tells_the_version(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "ms_lr_callbacks", "--version"], capture_output=True, text=True,
                          cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
                          stdin=subprocess.DEVNULL, timeout=120, check=False)
    assert done.returncode == 0 and ms_lr_callbacks.__version__ in done.stdout.split()


def test_the_installed_package_is_complete() -> None:
    """Tests may run against the checkout; what pip has installed must have every file of it."""
    # Only an installation has a record; what setuptools leaves in a checkout has none.
    installed = {line.partition(",")[0] for each in importlib.metadata.distributions(name="ms_lr_callbacks")
                 for line in (each.read_text("RECORD") or "").splitlines()}
    if not any(name.startswith("ms_lr_callbacks/") for name in installed):
        pytest.skip("a checkout or an editable installation has no files of its own")
    here = {str(file.relative_to(PACKAGE.parent)) for file in PACKAGE.rglob("*")
            if file.suffix in (".py", ".typed")}
    assert here <= installed


def test_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
