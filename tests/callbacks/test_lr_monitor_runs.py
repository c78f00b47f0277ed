"""LRMonitor over the life of a run: evaluation, death, resume, several ranks, writers that fail."""
from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mindspore import nn
from mindspore.train import Callback, Model
from ranks import run_ranks
from training import ConstantGradient, applied_rates, dataset, model

from ms_lr_callbacks import LRMonitor, LRScheduler
from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.callbacks import lr_monitor
from ms_lr_callbacks.writers import CSVWriter, JSONLinesWriter, LoggingWriter

sys.path.append(str(Path(__file__).parents[1] / "writers"))
from event_files import csv_file, json_lines, tensorboard  # noqa: E402

HERE = Path(__file__).parent
SCHEDULE = S.ExponentialLR(0.9)


class Evaluation(nn.Cell):  # type: ignore[misc]
    """Loss, output and label of a network, as `Model` wants them for its metrics."""

    def __init__(self, network: Any) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, x: Any, y: Any) -> Any:
        return self.network(x, y), x, y


def wanted(updates: int, first: int = 1) -> list[tuple[int, float]]:
    return [(t + 1, float(np.float32(SCHEDULE(t, 0.5)))) for t in range(first - 1, updates)]


def as_float32(series: list[tuple[int, float]]) -> list[tuple[int, float]]:
    return [(step, float(np.float32(value))) for step, value in series]


def assert_files_show(folder: Path, points: list[tuple[int, float]]) -> None:
    for read, path in ((tensorboard, folder), (csv_file, folder / "run.csv"), (json_lines, folder / "run.jsonl")):
        got = read(path)
        assert as_float32(got["lr"]) == points, path
        assert [step for step, _ in got["loss"]] == [step for step, _ in points], path


def run_script(*arguments: Any, code: int = 0) -> str:
    result = subprocess.run([sys.executable, str(HERE / "monitor_script.py"), *map(str, arguments)],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    assert result.returncode == code, result.stdout
    return result.stdout


class TestProcessesThatEnd:
    def test_kill_and_resume_in_the_middle(self, tmp_path: Path) -> None:
        run_script(tmp_path, 5, 0, "kill", code=-signal.SIGKILL)
        # Readable up to the last flush.
        assert_files_show(tmp_path, wanted(20))
        # Resumed from the checkpoint of epoch 1: updates 11 to 20 are done again.
        run_script(tmp_path, 3, 1, "run")
        assert_files_show(tmp_path, wanted(30))
        run_script(tmp_path, 5, 3, "run")
        assert_files_show(tmp_path, wanted(50))

    @pytest.mark.parametrize("what, code", [("term", -signal.SIGTERM), ("raise", 1), ("exit", 3)])
    def test_nothing_is_lost(self, what: str, code: int, tmp_path: Path) -> None:
        run_script(tmp_path, 5, 0, what, code=code)
        assert_files_show(tmp_path, wanted(25))

    def test_two_ranks_have_one_set_of_files(self, tmp_path: Path) -> None:
        run_ranks(HERE / "monitor_script.py", str(tmp_path / "tb"), "2", "0", "run", folder=tmp_path)
        assert len(list((tmp_path / "tb").glob("events.*"))) == 1
        assert not list((tmp_path / "tb").glob("*.1"))
        assert_files_show(tmp_path / "tb", wanted(20))


def train(folder: Path, epochs: int, *callbacks: Any, network: Any = None, **arguments: Any) -> LRMonitor:
    network = network or ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 0.5)
    monitor = LRMonitor(folder, writers=[CSVWriter(folder / "run.csv"), JSONLinesWriter(folder / "run.jsonl")])
    model(network, optimizer).train(epochs, dataset(10), [monitor, LRScheduler(SCHEDULE), *callbacks], **arguments)
    return monitor


class TestGoingOn:
    def test_fit_with_evaluation_after_every_epoch(self, mode: str, tmp_path: Path) -> None:
        network = ConstantGradient()
        monitor = LRMonitor(tmp_path)
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        trained = Model(network, None, optimizer, eval_network=Evaluation(network), metrics={"loss"},
                        eval_indexes=[0, 1, 2])
        trained.fit(3, dataset(10), dataset(2), callbacks=[monitor, LRScheduler(SCHEDULE)])
        assert tensorboard(tmp_path)["lr"] == wanted(30)
        assert len(list(tmp_path.iterdir())) == 1
        assert len(monitor.history["loss"]) == 30

    def test_second_train_with_the_same_monitor(self, mode: str, tmp_path: Path) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        callbacks = [LRMonitor(tmp_path, writers=[CSVWriter(tmp_path / "run.csv"), JSONLinesWriter(
            tmp_path / "run.jsonl")]), LRScheduler(SCHEDULE)]
        for _ in range(3):
            model(network, optimizer).train(1, dataset(10), callbacks)
        assert_files_show(tmp_path, wanted(30))
        history = callbacks[0].history["lr"]
        assert list(zip(history.steps.tolist(), history.values.tolist())) == wanted(30)

    def test_state_takes_back_what_was_logged_behind_it(self, tmp_path: Path) -> None:
        states: list[dict[str, Any]] = []

        class Save(Callback):  # type: ignore[misc]
            def on_train_epoch_end(self, run_context: Any) -> None:
                states.append(monitor.state_dict())

        network = ConstantGradient()
        monitor = LRMonitor(tmp_path)
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        model(network, optimizer).train(3, dataset(10), [monitor, LRScheduler(SCHEDULE), Save()])
        assert states == [{"step": 10}, {"step": 20}, {"step": 30}]
        seen = monitor.history["lr"]
        monitor.load_state_dict(states[1])
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        model(network, optimizer).train(4, dataset(10), [monitor, LRScheduler(SCHEDULE)], initial_epoch=2)
        assert tensorboard(tmp_path)["lr"] == wanted(40)
        assert monitor.history["lr"].steps.tolist() == list(range(1, 41))
        assert seen.steps.tolist() == list(range(1, 31))

    def test_another_optimizer_with_other_groups(self, tmp_path: Path) -> None:
        network = ConstantGradient("ab")
        monitor = LRMonitor(tmp_path)
        model(network, nn.SGD(network.trainable_params(), 0.5)).train(1, dataset(10), [monitor])
        groups = [{"params": [network.a]}, {"params": [network.b]}]
        model(network, nn.SGD(groups, 0.5)).train(2, dataset(10), [monitor], initial_epoch=1)
        shown = tensorboard(tmp_path)
        assert [step for step, _ in shown["lr"]] == list(range(1, 11))
        assert [step for step, _ in shown["lr/group_1"]] == list(range(11, 21))
        assert monitor.history["loss"].steps.tolist() == list(range(1, 21))

    def test_a_history_looked_at_while_it_grows(self, mode: str) -> None:
        lengths: list[int] = []

        class Look(Callback):  # type: ignore[misc]
            def on_train_step_end(self, run_context: Any) -> None:
                lengths.append(len(monitor.history["lr"]) if "lr" in monitor.history else 0)

        network = ConstantGradient()
        monitor = LRMonitor()
        optimizer = nn.SGD(network.trainable_params(), nn.CosineDecayLR(0.01, 0.5, 20))
        moves = applied_rates(network, [Look(), monitor], lambda each: model(network, optimizer).train(
            2, dataset(10), each))
        assert lengths == list(range(20))
        np.testing.assert_array_equal(monitor.history["lr"].values, moves[:, 0])
        with pytest.raises(ValueError, match="read-only"):
            monitor.history["lr"].values[0] = 1.0

    def test_files_are_flushed_also_if_somebody_looks_at_every_step(self, tmp_path: Path,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
        clock = itertools.count()  # a second goes by from one question to the next
        monkeypatch.setattr(lr_monitor, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        in_file: list[int] = []

        class Look(Callback):  # type: ignore[misc]
            def on_train_step_end(self, run_context: Any) -> None:
                list(monitor.history)
                in_file.append((tmp_path / "run.csv").read_text().count("\n"))

        network = ConstantGradient()
        monitor = LRMonitor(writers=[CSVWriter(tmp_path / "run.csv")])
        model(network, nn.SGD(network.trainable_params(), 0.5)).train(1, dataset(100), [Look(), monitor])
        assert in_file[0] == 0 and in_file[-1] > 0


class TestDeath:
    @pytest.mark.parametrize("where", ["on_train_begin", "on_train_epoch_begin", "on_train_step_begin",
                                       "on_train_step_end", "on_train_epoch_end", "on_train_end"])
    def test_an_exception_anywhere_loses_nothing(self, where: str, tmp_path: Path) -> None:
        class Die(Callback):  # type: ignore[misc]
            pass

        def die(self: Any, run_context: Any) -> None:
            raise KeyboardInterrupt

        setattr(Die, where, die)
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        monitor = LRMonitor(tmp_path)
        with pytest.raises(KeyboardInterrupt):
            model(network, optimizer).train(1, dataset(10), [monitor, LRScheduler(SCHEDULE), Die()])
        updates = {"on_train_step_end": 1, "on_train_epoch_end": 10, "on_train_end": 10}.get(where, 0)
        assert (tensorboard(tmp_path)["lr"] if updates else []) == wanted(updates)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

    def test_a_training_after_that_goes_on(self, tmp_path: Path) -> None:
        class DieOnce(Callback):  # type: ignore[misc]
            def on_train_step_end(self, run_context: Any) -> None:
                if run_context.original_args().cur_step_num == 7 and not died:
                    died.append(True)
                    raise KeyboardInterrupt

        died: list[bool] = []
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        callbacks = [LRMonitor(tmp_path), LRScheduler(SCHEDULE), DieOnce()]
        with pytest.raises(KeyboardInterrupt):
            model(network, optimizer).train(1, dataset(10), callbacks)
        model(network, optimizer).train(1, dataset(10), callbacks)
        assert tensorboard(tmp_path)["lr"] == wanted(17)


class TestWritersThatFail:
    def test_do_not_kill_the_training_nor_the_others(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        class Full:
            def add_scalar(self, tag: str, value: float, step: int) -> None:
                raise OSError("no space left")

        network = ConstantGradient()
        monitor = LRMonitor(tmp_path, writers=[Full(), CSVWriter(tmp_path / "later" / "run.csv")])
        (tmp_path / "later").write_text("a file where the folder should be")
        model(network, nn.SGD(network.trainable_params(), 0.5)).train(2, dataset(10), [monitor, LRScheduler(SCHEDULE)])
        assert tensorboard(tmp_path)["lr"] == wanted(20)
        assert sorted(record.getMessage().split()[0] for record in caplog.records) == ["AddScalarWriter", "CSVWriter"]


class TestGroupNames:
    def monitored(self, names: Any, groups: int = 2) -> LRMonitor:
        network = ConstantGradient("abc")
        given = [{"params": [getattr(network, name)]} for name in "abc"[:groups]]
        monitor = LRMonitor(group_names=names)
        model(network, nn.SGD(given, 0.5)).train(1, dataset(1), [monitor])
        return monitor

    @pytest.mark.parametrize("names, tags", [
        (None, {"lr/group_0", "lr/group_1"}), (["body", "head"], {"lr/body", "lr/head"}),
        (("körper", "kopf 1"), {"lr/körper", "lr/kopf 1"}), ({1: "head"}, {"lr/group_0", "lr/head"})])
    def test_name_the_tags(self, names: Any, tags: set[str]) -> None:
        assert {tag for tag in self.monitored(names).history if tag.startswith("lr")} == tags

    def test_of_a_single_group(self) -> None:
        assert "lr" in self.monitored(None, 1).history
        assert "lr/all" in self.monitored(["all"], 1).history

    @pytest.mark.parametrize("names, words", [
        (["body"], "group_names has 1 names .* 2 parameter groups"), (["a", "b", "c"], "group_names has 3 names"),
        ({2: "x"}, "names group 2, but the optimizer's groups have the numbers"), ({-1: "x"}, "names group -1"),
        ({"body": "x"}, "names group 'body'"), ({0: "group_1"}, "'group_1' to two groups")])
    def test_that_do_not_fit_are_refused_at_train_begin(self, names: Any, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            self.monitored(names)

    @pytest.mark.parametrize("names, error, words", [
        (["a", "a"], ValueError, "'a' to two groups"), ({0: "x", 1: "x"}, ValueError, "'x' to two groups"),
        ("ab", TypeError, "list with one name"), (7, TypeError, "list with one name"),
        ([1, 2], TypeError, "must hold strings"), (["a", ""], ValueError, "printable"),
        (["a", "b\n"], ValueError, "printable")])
    def test_bad_ones_are_refused_at_once(self, names: Any, error: type[Exception], words: str) -> None:
        with pytest.raises(error, match=words):
            LRMonitor(group_names=names)


@pytest.mark.parametrize("every", [0, -1, 1.0, True, None, "step"])
def test_bad_every(every: Any) -> None:
    with pytest.raises(ValueError, match="every must be a whole number >= 1 or 'epoch'"):
        LRMonitor(every=every)


def test_every_may_be_a_number_of_numpys() -> None:
    network = ConstantGradient()
    monitor = LRMonitor(every=np.int64(5))
    model(network, nn.SGD(network.trainable_params(), 0.5)).train(1, dataset(10), [monitor])
    assert monitor.history["lr"].steps.tolist() == [5, 10]


@pytest.mark.parametrize("writers, words", [
    ([7], "add_scalar.*int"), (None, "writers must be a list of writers, but got NoneType"), ("csv", "must be a list"),
    (LoggingWriter(), "writers must be a list of writers, but got LoggingWriter; put it into a list")])
def test_bad_writers(writers: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        LRMonitor(writers=writers)


def test_one_writer_given_twice() -> None:
    writer = LoggingWriter()
    with pytest.raises(ValueError, match="the same LoggingWriter twice"):
        LRMonitor(writers=[writer, writer])
    LRMonitor(writers=[writer, LoggingWriter()])


def test_a_log_dir_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("something")
    with pytest.raises(NotADirectoryError, match="log_dir=.*file' is not a folder; give another place"):
        LRMonitor(tmp_path / "file")


def test_no_tag_yet() -> None:
    with pytest.raises(KeyError, match="has not been logged; there is nothing yet"):
        LRMonitor().history["lr"]
