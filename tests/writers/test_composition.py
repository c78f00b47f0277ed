"""Several writers, a writer in a thread, and any object with add_scalar."""
from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Sequence

import mindspore  # noqa: F401  # MindSpore 2.7 cannot be imported behind tensorboardX
import pytest
from event_files import csv_file

from ms_lr_callbacks.writers import (AddScalarWriter, BackgroundWriter, LoggingWriter, MultiWriter, Scalars,
                                     ScalarWriter, SummaryRecordWriter, as_writer)


class Recorder(ScalarWriter):
    """Notes the calls; the call number `fails_at` fails."""

    def __init__(self, fails_at: int = 0, pause: float = 0.0) -> None:
        self.calls: list[Any] = []
        self.threads: set[str] = set()
        self._fails_at = fails_at
        self._pause = pause

    def open(self, after_step: int) -> None:
        self._note(("open", after_step))

    def write(self, points: Sequence[Scalars]) -> None:
        self._note(("write", [point.step for point in points]))

    def flush(self) -> None:
        self._note("flush")

    def close(self) -> None:
        self._note("close")

    def _note(self, call: Any) -> None:
        time.sleep(self._pause)
        self.threads.add(threading.current_thread().name)
        self.calls.append(call)
        if len(self.calls) == self._fails_at:
            raise OSError(f"no space left at call {len(self.calls)}")


def point(step: int) -> Scalars:
    return Scalars(step, {"lr": 0.5}, 0.0)


class TestMulti:
    def test_hands_on_everything_in_order(self) -> None:
        inner = [Recorder(), Recorder()]
        writer = MultiWriter(inner)
        writer.open(3)
        writer.write([point(4), point(5)])
        writer.flush()
        writer.close()
        assert inner[0].calls == inner[1].calls == [("open", 3), ("write", [4, 5]), "flush", "close"]

    @pytest.mark.parametrize("fails_at", [1, 2, 3])
    def test_one_that_fails_is_reported_once_and_the_others_go_on(self, fails_at: int,
                                                                  caplog: pytest.LogCaptureFixture) -> None:
        inner = [Recorder(), Recorder(fails_at), Recorder()]
        writer = MultiWriter(inner)
        writer.open(0)
        for step in range(1, 6):
            writer.write([point(step)])
        writer.close()
        assert inner[0].calls == inner[2].calls and len(inner[0].calls) == 7
        assert len(inner[1].calls) == fails_at
        assert len(caplog.records) == 1 and caplog.records[0].levelno == logging.ERROR
        assert "Recorder failed" in caplog.text and "no space left" in caplog.text

    def test_one_that_failed_gets_another_chance_when_opened_again(self) -> None:
        inner = Recorder(fails_at=2)
        writer = MultiWriter([inner])
        writer.open(0)
        writer.write([point(1)])
        writer.open(1)
        writer.write([point(2)])
        assert inner.calls[-2:] == [("open", 1), ("write", [2])]

    def test_a_wish_to_stop_is_the_main_threads_own(self) -> None:
        class Stops:
            def add_scalar(self, tag: str, value: float, step: int) -> None:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            MultiWriter([as_writer(Stops())]).write([point(1)])


class TestBackground:
    def test_keeps_the_order_and_works_in_one_thread(self) -> None:
        inner = Recorder(pause=0.002)
        writer = BackgroundWriter(inner)
        writer.open(0)
        for step in range(1, 50):
            writer.write([point(step)])
        writer.close()
        assert inner.calls == [("open", 0), *(("write", [step]) for step in range(1, 50)), "close"]
        assert inner.threads == {"ms_lr_callbacks writer"}

    def test_write_does_not_wait_and_flush_does(self) -> None:
        inner = Recorder(pause=0.05)
        writer = BackgroundWriter(inner)
        began = time.perf_counter()
        for step in range(4):
            writer.write([point(step)])
        writer.request_flush()
        assert time.perf_counter() - began < 0.05
        writer.flush()
        assert len(inner.calls) == 6
        writer.close()

    def test_an_error_is_raised_by_the_next_call_and_nothing_behind_it_is_lost(self) -> None:
        inner = Recorder(fails_at=2)
        writer = BackgroundWriter(inner)
        writer.open(0)
        writer.write([point(1)])
        while len(inner.calls) < 2:
            time.sleep(0.01)
        time.sleep(0.01)
        with pytest.raises(OSError, match="no space left at call 2"):
            writer.write([point(2)])
        writer.close()
        assert ("write", [2]) in inner.calls and inner.calls[-1] == "close"

    def test_can_be_opened_again(self) -> None:
        inner = Recorder()
        writer = BackgroundWriter(inner)
        for step in (1, 2):
            writer.open(step)
            writer.close()
        assert inner.calls == [("open", 1), "close", ("open", 2), "close"]
        assert not [thread for thread in threading.enumerate() if thread.name == "ms_lr_callbacks writer"]

    def test_an_interpreter_that_exits_loses_nothing(self, tmp_path: Path) -> None:
        script = ("import sys; from ms_lr_callbacks.writers import *\n"
                  "writer = BackgroundWriter(CSVWriter(sys.argv[1])); writer.open(0)\n"
                  "for step in range(1, 1001): writer.write([Scalars(step, {'lr': 0.5}, 0.0)])\n")
        subprocess.run([sys.executable, "-c", script, str(tmp_path / "run.csv")], check=True,
                       cwd=Path(__file__).parents[2])
        assert csv_file(tmp_path / "run.csv")["lr"] == [(step, 0.5) for step in range(1, 1001)]

    @pytest.mark.parametrize("stop", [SystemExit, KeyboardInterrupt, GeneratorExit])
    def test_nothing_that_a_writer_raises_ends_the_thread(self, stop: type[BaseException]) -> None:
        class Stops:
            def add_scalar(self, tag: str, value: float, step: int) -> None:
                raise stop

        others = Recorder()
        writer = BackgroundWriter(MultiWriter([as_writer(Stops()), others]))
        writer.open(0)
        writer.write([point(1)])
        writer.flush()
        writer.close()
        assert others.calls == [("open", 0), ("write", [1]), "flush", "close"]
        alone = BackgroundWriter(as_writer(Stops()))
        alone.write([point(1)])
        with pytest.raises(stop):
            alone.flush()
        alone.close()


class TestAddScalar:
    def test_any_object(self) -> None:
        class Tracker:
            def __init__(self) -> None:
                self.seen: list[Any] = []

            def add_scalar(self, tag: str, value: float, step: int) -> None:
                self.seen.append((tag, value, step))

        tracker = Tracker()
        writer = as_writer(tracker)
        writer.open(0)
        writer.write([Scalars(1, {"lr": 0.5, "loss": 2.0}, 0.0), Scalars(2, {"lr": 0.25}, 0.0)])
        writer.flush()
        writer.close()
        assert tracker.seen == [("lr", 0.5, 1), ("loss", 2.0, 1), ("lr", 0.25, 2)]

    def test_tensorboardx_itself(self, tmp_path: Path) -> None:
        from event_files import tensorboard
        from tensorboardX import SummaryWriter

        with SummaryWriter(str(tmp_path)) as target:
            as_writer(target).write([Scalars(1, {"lr": 0.5}, 0.0)])
        assert tensorboard(tmp_path) == {"lr": [(1, 0.5)]}

    @pytest.mark.parametrize("target", [None, 7, "folder", object()])
    def test_anything_else_is_refused(self, target: Any) -> None:
        with pytest.raises(TypeError, match=f"add_scalar.*{type(target).__name__}"):
            as_writer(target)
        with pytest.raises(TypeError, match="add_scalar"):
            AddScalarWriter(target)


class TestLogging:
    def test_level_and_every(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG, "here"):
            LoggingWriter("here", logging.DEBUG, every=2).write([point(step) for step in range(1, 6)])
        assert [record.getMessage() for record in caplog.records] == ["[2] lr = 0.5", "[4] lr = 0.5"]
        assert {record.levelno for record in caplog.records} == {logging.DEBUG}

    @pytest.mark.parametrize("every", [0, -1, 1.5, True, None])
    def test_bad_every(self, every: Any) -> None:
        with pytest.raises(ValueError, match="every must be a whole number >= 1"):
            LoggingWriter(every=every)


def test_summary_record(tmp_path: Path) -> None:
    from mindspore.train.summary_pb2 import Event

    writer = BackgroundWriter(SummaryRecordWriter(tmp_path))
    writer.open(0)
    writer.write([Scalars(step, {"lr": 0.5 / step, "loss": float(step)}, 0.0) for step in range(1, 6)])
    writer.close()
    path, = [path for path in tmp_path.iterdir() if "lineage" not in path.name]
    content, position, got = path.read_bytes(), 0, []
    while position < len(content):  # the framing of TFRecord: length, its checksum, data, its checksum
        length = int.from_bytes(content[position:position + 8], "little")
        event = Event.FromString(content[position + 12:position + 12 + length])
        position += length + 16
        got += [(value.tag, event.step, round(value.scalar_value, 6)) for value in event.summary.value]
    assert sorted(got) == sorted([(f"lr{suffix}", step, round(0.5 / step, 6)) for step in range(1, 6) for suffix in
                                  [got[0][0][2:]]] + [(f"loss{got[0][0][2:]}", step, float(step)) for step in
                                                      range(1, 6)])
