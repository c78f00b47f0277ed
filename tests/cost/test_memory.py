"""Nothing grows while 100,000 steps go by."""
from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import mindspore as ms
import pytest
from by_hand import parameters
from mindspore import Tensor, nn, ops
from mindspore.train import RunContext
from training import ConstantGradient

from ms_lr_callbacks import HyperparameterScheduler, LRMonitor, LRScheduler, ReduceLROnPlateau, WeightDecayScheduler
from ms_lr_callbacks import schedules as S

STEPS = 100_000
TRACED = 5_000
CHANGING = S.CosineAnnealingLR(T_max=2 * STEPS)
SUITES: dict[str, Any] = {
    "schedulers": lambda: [LRScheduler(CHANGING), WeightDecayScheduler(CHANGING),
                           HyperparameterScheduler("momentum", CHANGING), LRMonitor(every=100)],
    "lookahead": lambda: [LRScheduler(CHANGING, lookahead=64), LRMonitor(every=100)],
    "plateau": lambda: [ReduceLROnPlateau(), LRMonitor(every="epoch")],
}


@pytest.mark.parametrize("suite", SUITES)
def test_memory_is_flat(suite: str) -> None:
    network = ConstantGradient("ab")
    optimizer = nn.Momentum([{"params": [network.a]}, {"params": [network.b], "lr": 0.2}], 0.1, 0.9, weight_decay=0.1)
    callbacks = SUITES[suite]()
    cb_params = parameters(nn.TrainOneStepCell(network, optimizer), optimizer, callbacks, batch_num=10 ** 7,
                           net_outputs=Tensor(1.0))
    context = RunContext(cb_params)
    for hook in ("on_train_begin", "on_train_epoch_begin"):
        for callback in callbacks:
            getattr(callback, hook)(context)
    # There is no update; lookahead looks once, after the first, whether the optimizer counts.
    ops.assign_add(optimizer.global_step, Tensor([1], ms.int32))
    begins = [callback.on_train_step_begin for callback in callbacks]
    ends = [callback.on_train_step_end for callback in callbacks]

    def steps(count: int) -> None:
        for _ in range(count):
            cb_params.cur_step_num += 1
            for hook in begins:
                hook(context)
            for hook in ends:
                hook(context)

    def traced() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    steps(2_000)
    tensors = _tensors()
    tracemalloc.start()
    try:
        before = traced()
        steps(TRACED)
        early = traced()
    finally:
        tracemalloc.stop()
    steps(STEPS - 2_000 - 2 * TRACED)
    tracemalloc.start()
    try:
        again = traced()
        steps(TRACED)
        late = traced()
    finally:
        tracemalloc.stop()
    # LRMonitor logs each 100th step: 50 points of 6 curves, and room for as many again.
    assert early - before < 100_000 and late - again < 100_000
    # Losses wait for at most 1024 logged updates or 5 seconds.
    assert _tensors() - tensors < 1100


def _tensors() -> int:
    gc.collect()
    return sum(type(each) is Tensor for each in gc.get_objects())
