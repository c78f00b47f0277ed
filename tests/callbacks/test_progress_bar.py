"""ProgressBar in a terminal, in a pipe, in a notebook, resumed, and with several ranks."""
from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops
from mindspore.train import Callback
from ranks import run_ranks
from training import ConstantGradient, Regression, assert_same_weights, dataset, model

from ms_lr_callbacks import LRScheduler, ProgressBar
from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.callbacks.progress_bar import _metrics_text
from ms_lr_callbacks.monitoring import bar_display

HERE = Path(__file__).parent


def script(*arguments: Any) -> list[str]:
    return [sys.executable, str(HERE / "bar_script.py"), *map(str, arguments)]


def run_in_terminal(command: list[str], columns: int) -> str:
    """Run a command under a pseudo-terminal of some width and return what it drew."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, close_fds=True,
                          env={**os.environ, "GLOG_v": "4"}) as process:
        os.close(follower)
        drawn = b""
        while True:
            try:
                chunk = os.read(leader, 65536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            drawn += chunk
    os.close(leader)
    assert process.returncode == 0, drawn.decode()
    return drawn.decode()


def lines_of(epochs: int = 2, steps: int = 20, network: Any = None, callbacks: Any = (), **arguments: Any) -> list[str]:
    """Train with plain lines into a buffer, one for each step, and return them."""
    stream = io.StringIO()
    network = network or ConstantGradient(start=1.0)
    optimizer = nn.SGD(network.trainable_params(), 0.5)
    model(network, optimizer).train(epochs, dataset(steps), [*callbacks, ProgressBar(stream, line_seconds=1e-9)],
                                    **arguments)
    return stream.getvalue().splitlines()


def test_in_a_terminal_it_is_one_bar_for_each_epoch() -> None:
    drawn = run_in_terminal(script(3, 0, 0.05), columns=160)
    bars = [bar for bar in re.split(r"[\r\n]+", drawn) if "epoch" in bar]
    for epoch in (1, 2, 3):
        of_epoch = [bar for bar in bars if f"epoch {epoch}/3" in bar]
        assert len(of_epoch) >= 3  # drawn over and over
        assert "20/20" in of_epoch[-1] and "100%" in of_epoch[-1]
        rate = 0.5 * 0.9 ** (20 * epoch - 1)
        assert f"lr {rate:.3g}" in of_epoch[-1] and "loss" in of_epoch[-1] and "eval_loss" in of_epoch[-1]
        assert re.search(r"[\d.]+ ?step/s", of_epoch[-1])
    assert any(re.search(r"\d:\d\d:\d\d left", bar) for bar in bars)


def test_in_a_narrow_terminal_nothing_is_cut_off() -> None:
    drawn = run_in_terminal(script(2, 0, 0.05), columns=60)
    lines = [line for line in re.split(r"[\r\n]+", drawn) if "epoch" in line]
    assert max(map(len, lines)) <= 60
    number = r"-?[\d.]+"
    for epoch in (1, 2):
        of_epoch = [line.rstrip() for line in lines if f"epoch {epoch}/2" in line]
        assert re.search(rf"20/20 \[[\d:]+, +{number}step/s\]", of_epoch[-2])
        assert re.fullmatch(rf"epoch {epoch}/2: loss {number}, lr {number}, eval_loss {number}", of_epoch[-1])


def test_in_80_columns_there_is_room_for_loss_rate_and_time_left() -> None:
    drawn = run_in_terminal(script(2, 0, 0.05), columns=80)
    assert re.search(r"step/s, loss -?[\d.]+, lr [\d.]+, \d:\d\d:\d\d left\]", drawn)
    lines = [line for line in re.split(r"[\r\n]+", drawn) if "epoch 2/2" in line]
    assert "eval_loss" in lines[-1] and re.search(r"step/s, loss -?[\d.]+, lr [\d.]+\]", lines[-2])


def test_in_a_terminal_that_does_not_tell_its_width() -> None:
    assert re.search(r"epoch 1/1: +\S+ *100%|epoch 1/1: 100%", run_in_terminal(script(1, 0, 0), columns=0))


def test_the_users_mean_loss_takes_the_place_of_the_last_batchs() -> None:
    assert _metrics_text({"loss": 1.0, "accuracy": 0.5, "eval_loss": 9.0}) == "eval_loss 1, eval_accuracy 0.5"
    assert _metrics_text({"accuracy": 0.5, "eval_loss": 9.0}) == "eval_accuracy 0.5, eval_loss 9"


def test_in_a_pipe_it_is_plain_lines() -> None:
    result = subprocess.run(script(2, 0, 0.05), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300,
                            env={**os.environ, "GLOG_v": "4"})
    lines = [line for line in result.stderr.decode().split("\n") if "epoch" in line]
    assert result.returncode == 0 and not re.search(rb"[\x00-\x08\x0b-\x1f]", "\n".join(lines).encode())
    assert 4 < len(lines) < 20  # one every 0.2 s of 2 s, and not one for each step
    last = [line for line in lines if "20/20" in line]
    assert len(last) == 2 and all(line.count("eval_loss") == 1 for line in last)
    number = r"-?[\d.]+"
    assert re.fullmatch(f"epoch 2/2: 20/20 steps, {number} steps/s, loss {number}, lr {number}, eval_loss {number}",
                        last[1])


def test_the_last_step_of_an_epoch_has_one_line() -> None:
    assert [line.split(" steps")[0] for line in lines_of(steps=3)] == [
        f"epoch {epoch}/2: {step}/3" for epoch in (1, 2) for step in (1, 2, 3)]


def test_a_resumed_run_starts_where_it_is() -> None:
    lines = lines_of(epochs=5, initial_epoch=3, callbacks=[LRScheduler(S.ExponentialLR(0.9))])
    assert lines[0].startswith("epoch 4/5: 1/20 steps") and lines[-1].startswith("epoch 5/5: 20/20 steps")
    assert f"lr {0.5 * 0.9 ** 60:.3g}" in lines[0]


def test_a_run_resumed_in_the_middle_of_an_epoch() -> None:
    stream = io.StringIO()
    network = ConstantGradient()
    data = dataset(20)
    data.set_init_step(28)
    model(network, nn.SGD(network.trainable_params(), 0.5)).train(
        3, data, [ProgressBar(stream, line_seconds=1e-9)], initial_epoch=1)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("epoch 2/3: 9/20 steps")
    assert [line for line in lines if line.startswith("epoch 2/3: 20/20")]
    assert lines[-1].startswith("epoch 3/3: 20/20")


def test_a_second_train_counts_on() -> None:
    stream = io.StringIO()
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 0.5)
    bar = ProgressBar(stream, line_seconds=1e-9)
    for _ in range(2):
        model(network, optimizer).train(2, dataset(5), [bar])
    titles = list(dict.fromkeys(line.split(":")[0] for line in stream.getvalue().splitlines()))
    assert titles == ["epoch 1/2", "epoch 2/2", "epoch 3/4", "epoch 4/4"]


def test_rates_of_several_groups() -> None:
    def last_line(rates: list[float]) -> str:
        stream = io.StringIO()
        network = ConstantGradient("abcde"[:len(rates)])
        groups = [{"params": [weight], "lr": rate} for weight, rate in zip(network.weights, rates)]
        model(network, nn.SGD(groups, 0.5)).train(1, dataset(3), [ProgressBar(stream)])
        return stream.getvalue().splitlines()[-1]

    assert last_line([0.5, 0.25]).endswith("lr 0.25/0.5")
    assert last_line([0.5, 0.25, 0.1, 0.125]).endswith("lr 0.1..0.5")


def test_the_rate_after_a_training_with_a_scheduler_is_the_present_one() -> None:
    stream = io.StringIO()
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 0.5)
    model(network, optimizer).train(1, dataset(3), [LRScheduler(S.ExponentialLR(0.5))])
    ops.assign(optimizer.learning_rate, Tensor(0.0625, ms.float32))
    model(network, optimizer).train(1, dataset(3), [ProgressBar(stream)])
    assert stream.getvalue().endswith("lr 0.0625\n")


def test_weights_are_those_without_it(mode: str) -> None:
    trained = []
    for callbacks in ([], [ProgressBar(io.StringIO(), line_seconds=1e-9)]):
        network = Regression()
        optimizer = nn.Momentum(network.trainable_params(), nn.CosineDecayLR(0.01, 0.1, 20), 0.9)
        model(network, optimizer).train(2, dataset(10), callbacks)
        trained.append(network)
    assert_same_weights(*trained)


def test_an_exception_leaves_the_terminal_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    class Die(Callback):  # type: ignore[misc]
        def on_train_step_end(self, run_context: Any) -> None:
            raise KeyboardInterrupt

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    network = ConstantGradient()
    with pytest.raises(KeyboardInterrupt):
        model(network, nn.SGD(network.trainable_params(), 0.5)).train(1, dataset(3), [ProgressBar(stream), Die()])
    assert stream.getvalue().endswith("\n")


def test_in_a_notebook_it_is_tqdms(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    class NotebookBar:
        n = 0

        def __init__(self, **arguments: Any) -> None:
            seen.append(arguments)

        def set_postfix_str(self, text: str, refresh: bool) -> None:
            seen.append(text)

        def __str__(self) -> str:
            return str(seen[-1])

        def update(self, steps: int) -> None:
            self.n += steps

        def close(self) -> None:
            seen.append(self.n)

    monkeypatch.setattr(bar_display, "_is_notebook", lambda: True)
    monkeypatch.setattr(bar_display, "_tqdm", lambda: NotebookBar)
    network = ConstantGradient()
    model(network, nn.SGD(network.trainable_params(), 0.5)).train(1, dataset(3), [ProgressBar()])
    assert seen[0]["total"] == 3 and seen[0]["file"] is None and seen[-1] == 3


def test_without_tqdm_the_message_tells_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bar_display, "_is_notebook", lambda: True)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    network = ConstantGradient()
    with pytest.raises(ImportError, match=r"pip install 'ms_lr_callbacks\[progress\]'"):
        model(network, nn.SGD(network.trainable_params(), 0.5)).train(1, dataset(3), [ProgressBar()])


def test_other_ranks_are_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK_ID", "1")
    assert lines_of() == []


def test_two_ranks_have_one_bar(tmp_path: Path) -> None:
    interpreter, path, *arguments = script(2, 0, 0)
    run_ranks(Path(path), *arguments, folder=tmp_path)
    logs = [log.read_text() for log in (tmp_path / "logs").glob("worker_*.log")]
    assert sorted("epoch 2/2: 20/20 steps" in log for log in logs) == [False, True]
    assert sorted("epoch" in log for log in logs) == [False, True]


class Broken(io.StringIO):
    """A stream that fails from some write on."""

    def __init__(self, writes: int, terminal: bool) -> None:
        super().__init__()
        self._left = writes
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        self._left -= 1
        if self._left < 0:
            raise OSError(28, "No space left on device")
        return super().write(text)


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("writes", [0, 1, 3, 7])
def test_a_stream_that_fails_does_not_end_the_training(writes: int, terminal: bool,
                                                       caplog: pytest.LogCaptureFixture) -> None:
    network = ConstantGradient()
    model(network, nn.SGD(network.trainable_params(), 0.5)).train(
        2, dataset(5), [ProgressBar(Broken(writes, terminal), line_seconds=1e-9)])
    assert network.w.asnumpy()[0] == -5.0
    reports = [record for record in caplog.records if record.name == "ms_lr_callbacks"]
    assert len(reports) == 1 and "ProgressBar cannot write" in caplog.text and "No space left" in caplog.text


def test_a_stream_that_is_closed_does_not_either(caplog: pytest.LogCaptureFixture) -> None:
    stream = io.StringIO()
    stream.close()
    network = ConstantGradient()
    model(network, nn.SGD(network.trainable_params(), 0.5)).train(1, dataset(3), [ProgressBar(stream)])
    assert network.w.asnumpy()[0] == -1.5 and "ProgressBar cannot write" in caplog.text


def test_bad_stream() -> None:
    with pytest.raises(TypeError, match="stream must be an open text file or None, but got 'run.log'"):
        ProgressBar("run.log")  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "1", True, None])
def test_bad_line_seconds(seconds: Any) -> None:
    with pytest.raises(ValueError, match="line_seconds must be a positive number"):
        ProgressBar(line_seconds=seconds)


def test_time_left_is_plausible() -> None:
    lines = lines_of(epochs=3, steps=10)
    left = [float(np.dot([int(part) for part in match.groups()], [3600, 60, 1])) for line in lines
            if (match := re.search(r"(\d+):(\d\d):(\d\d) left", line))]
    assert left and max(left) < 60
