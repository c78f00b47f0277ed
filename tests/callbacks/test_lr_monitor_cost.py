"""LRMonitor reads nothing from the device on an ordinary step, and its memory stays small."""
from __future__ import annotations

import time
import tracemalloc
from collections import Counter
from typing import Any, Iterator

import numpy as np
import pytest
from mindspore import Tensor, nn
from mindspore.common.parameter import Parameter
from mindspore.train import Callback
from training import ConstantGradient, dataset, model

from ms_lr_callbacks import LRMonitor, LRScheduler
from ms_lr_callbacks import schedules as S

STEPS = 60


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count every way from the device to the host."""
    counted: Counter[str] = Counter()

    def count(cls: Any, name: str) -> None:
        original = getattr(cls, name)

        def counting(self: Any, *arguments: Any, **named: Any) -> Any:
            counted[name] += 1
            return original(self, *arguments, **named)

        monkeypatch.setattr(cls, name, counting)

    for name in ("asnumpy", "item", "tolist", "__float__", "__int__", "__bool__", "__index__", "__array__"):
        if hasattr(Tensor, name):
            count(Tensor, name)
    if "asnumpy" in vars(Parameter):
        count(Parameter, "asnumpy")
    yield counted


class ReadsByStep(Callback):  # type: ignore[misc]
    """How many reads there were from one step's end to the next."""

    def __init__(self, counted: Counter[str]) -> None:
        super().__init__()
        self._counted = counted
        self.seen: list[int] = []

    def on_train_step_end(self, run_context: Any) -> None:
        self.seen.append(sum(self._counted.values()))


# What makes the monitor trust that nobody writes: a class of the package.
ReadsByStep.__module__ = "ms_lr_callbacks.tests"


@pytest.mark.parametrize("rate", ["driven", "list", "cell", "number"])
def test_no_reads_in_the_steady_state(mode: str, rate: str, reads: Counter[str]) -> None:
    network = ConstantGradient()
    given: Any = {"driven": 0.5, "list": [0.5] * STEPS, "cell": nn.CosineDecayLR(0.01, 0.5, STEPS), "number": 0.5}[rate]
    optimizer = nn.Momentum(network.trainable_params(), given, 0.9)
    look = ReadsByStep(reads)
    callbacks = [LRMonitor(), *([LRScheduler(S.ExponentialLR(0.9))] if rate == "driven" else []), look]
    model(network, optimizer).train(1, dataset(STEPS), callbacks)
    assert np.diff(look.seen)[2:].sum() == 0


def test_a_number_that_anybody_may_write_is_read_before_each_logged_update(reads: Counter[str]) -> None:
    class Unknown(Callback):  # type: ignore[misc]
        pass

    network = ConstantGradient()
    optimizer = nn.ASGD(network.trainable_params(), 0.5)
    look = ReadsByStep(reads)
    model(network, optimizer).train(1, dataset(STEPS), [LRMonitor(every=10), Unknown(), look])
    assert np.diff(look.seen)[2:].tolist() == [1 if (step + 1) % 10 == 0 else 0 for step in range(3, STEPS)]


def test_one_compilation(mode: str) -> None:
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 0.5)
    trained = model(network, optimizer)
    trained.train(1, dataset(5), [LRMonitor(), LRScheduler(S.ExponentialLR(0.9))])
    before = time.perf_counter()
    trained.train(1, dataset(5), [LRMonitor(), LRScheduler(S.ExponentialLR(0.9))])
    assert time.perf_counter() - before < 2.0


class _Context:
    def __init__(self, cb_params: Any) -> None:
        self._cb_params = cb_params

    def original_args(self) -> Any:
        return self._cb_params


def test_100_000_steps_take_little_memory_and_time() -> None:
    """The hooks alone, with the callback parameters of a training and no training."""
    from mindspore.train.callback._callback import InternalCallbackParam

    network = ConstantGradient("ab")
    optimizer = nn.SGD([{"params": [network.a]}, {"params": [network.b]}], 0.5)
    cb_params = InternalCallbackParam(
        train_network=nn.TrainOneStepCell(network, optimizer), optimizer=optimizer, cur_step_num=0, epoch_num=1,
        batch_num=100_000, cur_epoch_num=1, list_callback=[], net_outputs=Tensor(np.float32(1.0)))
    context = _Context(cb_params)
    monitor, scheduler = LRMonitor(), LRScheduler(S.ConstantLR(1.0, 1))
    for callback in (scheduler, monitor):
        callback.on_train_begin(context)
        callback.on_train_epoch_begin(context)

    def steps(count: int) -> float:
        spent = 0.0
        for _ in range(count):
            cb_params.cur_step_num += 1
            began = time.perf_counter()
            monitor.on_train_step_begin(context)
            monitor.on_train_step_end(context)
            spent += time.perf_counter() - began
            scheduler.on_train_step_end(context)
        return spent / count

    steps(2000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    steps(20_000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    each = steps(78_000)
    assert len(monitor.history["lr/group_0"]) == 100_000
    # 6 curves of 4 bytes, their steps, loss with its steps; half as much again in reserve.
    assert grown / 20_000 < 1.6 * (6 * 4 + 8 + 8 + 8) + 20
    print(f"{each * 1e6:.1f} us per step, {grown / 20_000:.1f} bytes per step")
    assert each < 60e-6, f"{each * 1e6:.1f} us per step"


def test_loss_tensors_are_let_go(mode: str) -> None:
    network = ConstantGradient()
    monitor = LRMonitor()
    optimizer = nn.SGD(network.trainable_params(), 0.5)
    model(network, optimizer).train(1, dataset(20), [monitor])
    assert len(monitor.history["loss"]) == 20
    assert monitor._recording is not None and len(monitor._recording._steps) == 0
