"""Places that cannot be written to are refused when the writer is built."""
from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any, Iterator

import pytest

from ms_lr_callbacks.writers import CSVWriter, JSONLinesWriter, SummaryRecordWriter, TensorBoardWriter

folders = pytest.mark.parametrize("build", [TensorBoardWriter, SummaryRecordWriter])
files = pytest.mark.parametrize("build", [CSVWriter, JSONLinesWriter])


@folders
def test_a_file_in_place_of_a_folder(build: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("something")
    for path in (file, file / "below" / "it", str(file)):
        with pytest.raises(NotADirectoryError, match="log_dir=.* cannot be written, as .*file' is not a folder; give"):
            build(path)
    assert file.read_text() == "something"


@files
def test_a_folder_in_place_of_a_file(build: Any, tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="path=.* is a folder, not a file; name a file in it"):
        build(tmp_path)
    (tmp_path / "file").write_text("something")
    with pytest.raises(NotADirectoryError, match="path=.*run.csv' cannot be written, as .*file' is not a folder"):
        build(tmp_path / "file" / "run.csv")


@pytest.mark.parametrize("build", [TensorBoardWriter, SummaryRecordWriter, CSVWriter, JSONLinesWriter])
@pytest.mark.parametrize("given, error, words", [
    (5, TypeError, "must be a path, a string or os.PathLike, but got 5"), (None, TypeError, "must be a path"),
    (b"runs", TypeError, "must be a path"), ("", ValueError, "must not be empty")])
def test_no_path_at_all(build: Any, given: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        build(given)


@contextlib.contextmanager
def not_as_root() -> Iterator[None]:
    """Root may write everywhere; be nobody for a while."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_no_permission() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run.csv").write_text("")
        (folder / "run.csv").chmod(0o444)
        folder.chmod(0o555)
        with not_as_root():
            with pytest.raises(PermissionError, match="log_dir=.*new.* cannot be written, as there is no permission"):
                TensorBoardWriter(folder / "new" / "folder")
            with pytest.raises(PermissionError, match="path=.*no permission to write to .*; give another place"):
                CSVWriter(folder / "other.csv")
            with pytest.raises(PermissionError, match="no permission to write to '.*run.csv'"):
                CSVWriter(folder / "run.csv")
        folder.chmod(0o777)
        with not_as_root():
            TensorBoardWriter(folder / "new" / "folder")


def test_building_makes_nothing(tmp_path: Path) -> None:
    for build in (TensorBoardWriter, SummaryRecordWriter, CSVWriter, JSONLinesWriter):
        build(tmp_path / "new" / "place")
    assert not list(tmp_path.iterdir())
