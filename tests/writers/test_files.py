"""Writers of files: what is read back, continued, cut off and set aside."""
from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from event_files import csv_file, json_lines, tensorboard

from ms_lr_callbacks.writers import CSVWriter, JSONLinesWriter, Scalars, TensorBoardWriter

WRITERS: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any]]] = {
    "tensorboard": (TensorBoardWriter, tensorboard),
    "csv": (lambda folder: CSVWriter(folder / "run.csv"), lambda folder: csv_file(folder / "run.csv")),
    "jsonl": (lambda folder: JSONLinesWriter(folder / "run.jsonl"), lambda folder: json_lines(folder / "run.jsonl")),
}
kinds = pytest.mark.parametrize("kind", WRITERS)
text_files = pytest.mark.parametrize("name, build, read", [
    ("run.csv", CSVWriter, csv_file), ("run.jsonl", JSONLinesWriter, json_lines)], ids=["csv", "jsonl"])


def points(first: int, last: int, run: float = 0.0) -> list[Scalars]:
    return [Scalars(step, {"lr": float(np.float32(0.1) / np.float32(step)), "loss": step + run}, 100.0 + step)
            for step in range(first, last + 1)]


def shown(first: int, last: int, run: float = 0.0) -> dict[str, list[tuple[int, float]]]:
    both = points(first, last, run)
    return {tag: [(point.step, point.values[tag]) for point in both] for tag in ("lr", "loss")}


def as_float32(read: dict[str, list[tuple[int, float]]]) -> dict[str, list[tuple[int, float]]]:
    return {tag: [(step, float(np.float32(value))) for step, value in series] for tag, series in read.items()}


@kinds
def test_what_was_written_is_read(kind: str, tmp_path: Path) -> None:
    build, read = WRITERS[kind]
    writer = build(tmp_path / "new" / "folder")
    writer.open(after_step=0)
    writer.write(points(1, 3))
    writer.write(points(4, 10))
    writer.flush()
    assert as_float32(read(tmp_path / "new" / "folder")) == shown(1, 10)
    writer.close()
    writer.close()
    assert as_float32(read(tmp_path / "new" / "folder")) == shown(1, 10)


@kinds
def test_opened_again_goes_on(kind: str, tmp_path: Path) -> None:
    build, read = WRITERS[kind]
    writer = build(tmp_path)
    for first, last in ((1, 3), (4, 5), (6, 9)):
        writer.open(after_step=first - 1)
        writer.write(points(first, last))
        writer.close()
    assert as_float32(read(tmp_path)) == shown(1, 9)


@kinds
def test_points_behind_the_resume_are_taken_back(kind: str, tmp_path: Path) -> None:
    build, read = WRITERS[kind]
    for after_step, last, run in ((0, 9, 0.0), (5, 12, 0.25), (7, 8, 0.5)):
        writer = build(tmp_path)
        writer.open(after_step)
        writer.write(points(after_step + 1, last, run))
        writer.close()
    got = as_float32(read(tmp_path))
    assert got["loss"] == shown(1, 5)["loss"] + shown(6, 7, 0.25)["loss"] + shown(8, 8, 0.5)["loss"]
    assert [step for step, _ in got["lr"]] == list(range(1, 9))


@kinds
def test_numbers_that_are_not_finite(kind: str, tmp_path: Path) -> None:
    build, read = WRITERS[kind]
    writer = build(tmp_path)
    writer.open(after_step=0)
    writer.write([Scalars(1, {"a": math.nan, "b": math.inf, "c": -math.inf}, 0.0)])
    writer.close()
    got = read(tmp_path)
    assert math.isnan(got["a"][0][1]) and got["b"] == [(1, math.inf)] and got["c"] == [(1, -math.inf)]


@kinds
def test_writing_to_a_closed_one_is_an_error(kind: str, tmp_path: Path) -> None:
    writer = WRITERS[kind][0](tmp_path)
    with pytest.raises(ValueError, match="open it first"):
        writer.write(points(1, 1))


@text_files
def test_numbers_are_exact(name: str, build: Any, read: Any, tmp_path: Path) -> None:
    values = [float(np.float32(0.1)), 0.1, 1e-45, 3e38, 1 / 3, 12345678.9, 0.0, -0.0]
    writer = build(tmp_path / name)
    writer.open(after_step=0)
    writer.write([Scalars(step, {"x": value}, 0.0) for step, value in enumerate(values, 1)])
    writer.close()
    got = [value for _, value in read(tmp_path / name)["x"]]
    assert [float(np.float32(value)) for value in got] == [float(np.float32(value)) for value in values]
    assert got[1] == 0.1 and got[4] == 1 / 3 and got[5] == 12345678.9
    assert "0.1," in (text := (tmp_path / name).read_text() + ",") or "0.1}" in text or "0.1\n" in text


@text_files
@pytest.mark.parametrize("cut", [1, 2, 10])
def test_a_line_cut_short_by_a_kill_is_dropped(name: str, build: Any, read: Any, cut: int, tmp_path: Path) -> None:
    path = tmp_path / name
    writer = build(path)
    writer.open(after_step=0)
    writer.write(points(1, 6))
    writer.close()
    path.write_bytes(path.read_bytes()[:-cut])
    writer = build(path)
    writer.open(after_step=5)
    writer.write(points(6, 8))
    writer.close()
    assert as_float32(read(path)) == shown(1, 8)


@text_files
def test_a_new_run_sets_an_old_file_aside(name: str, build: Any, read: Any, tmp_path: Path) -> None:
    path = tmp_path / name
    for run in range(3):
        writer = build(path)
        writer.open(after_step=0)
        writer.write(points(1, 2, run))
        writer.close()
    assert read(path)["loss"] == [(1, 3.0), (2, 4.0)]
    assert read(path.with_name(f"{name}.1"))["loss"] == [(1, 1.0), (2, 2.0)]
    assert read(path.with_name(f"{name}.2"))["loss"] == [(1, 2.0), (2, 3.0)]


@kinds
def test_a_tag_that_comes_up_later(kind: str, tmp_path: Path) -> None:
    build, read = WRITERS[kind]
    writer = build(tmp_path)
    writer.open(after_step=0)
    writer.write([Scalars(1, {"lr": 0.5}, 0.0), Scalars(2, {"lr": 0.5, "loss": 1.0}, 0.0)])
    writer.write([Scalars(3, {"a, b": 2.0}, 0.0), Scalars(4, {"lr": 0.25}, 0.0)])
    writer.close()
    assert read(tmp_path) == {"lr": [(1, 0.5), (2, 0.5), (4, 0.25)], "loss": [(2, 1.0)], "a, b": [(3, 2.0)]}
    writer.open(after_step=3)
    writer.write([Scalars(4, {"a, b": 3.0}, 0.0)])
    writer.close()
    assert read(tmp_path) == {"lr": [(1, 0.5), (2, 0.5)], "loss": [(2, 1.0)], "a, b": [(3, 2.0), (4, 3.0)]}


def test_openings_in_one_second_have_files_of_their_own(tmp_path: Path) -> None:
    writers = [TensorBoardWriter(tmp_path) for _ in range(5)]
    for step, writer in enumerate(writers):
        writer.open(after_step=step)
        writer.write(points(step + 1, step + 1))
    for writer in writers:
        writer.close()
    assert len(list(tmp_path.iterdir())) == 5
    assert tensorboard(tmp_path) == shown(1, 5)


def test_a_damaged_event_file_is_read_up_to_the_damage(tmp_path: Path) -> None:
    writer = TensorBoardWriter(tmp_path)
    writer.open(after_step=0)
    writer.write(points(1, 5))
    writer.close()
    path, = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-7])
    assert tensorboard(tmp_path) == shown(1, 4)
    writer.open(after_step=3)
    writer.write(points(4, 6))
    writer.close()
    assert tensorboard(tmp_path) == shown(1, 6)


@text_files
@pytest.mark.parametrize("content", ["epoch,loss\n1,0.5\n2,0.25\n", "1,0.5\n2,0.25\n", "[1, 2]\n", "step,loss\n7,1\n"])
def test_a_file_that_somebody_else_wrote_is_set_aside(name: str, build: Any, read: Any, content: str,
                                                      tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content)
    writer = build(path)
    writer.open(after_step=5)
    writer.write(points(6, 8))
    writer.close()
    assert as_float32(read(path)) == shown(6, 8)
    assert path.with_name(f"{name}.1").read_text() == content


@text_files
def test_of_a_damaged_file_a_copy_is_kept(name: str, build: Any, read: Any, tmp_path: Path) -> None:
    path = tmp_path / name
    writer = build(path)
    writer.open(after_step=0)
    writer.write(points(1, 9))
    writer.close()
    lines = path.read_bytes().splitlines(keepends=True)
    lines[5] = b"\0" * 20 + b"\n"
    path.write_bytes(b"".join(lines))
    kept = 4 if name.endswith(".csv") else 5
    writer = build(path)
    writer.open(after_step=8)
    writer.write(points(9, 10))
    writer.close()
    got = as_float32(read(path))
    assert got["loss"] == shown(1, kept)["loss"] + shown(9, 10)["loss"]
    assert path.with_name(f"{name}.1").read_bytes() == b"".join(lines)
