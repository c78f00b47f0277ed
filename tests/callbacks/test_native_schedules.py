"""The same schedule as a callback, as a list and as a cell: three ways to the same training."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mindspore import nn
from training import ConstantGradient, Regression, applied_rates, assert_same_weights, dataset, model

from ms_lr_callbacks import LRScheduler
from ms_lr_callbacks import schedules as S

BASE, STEPS = 0.1, 24
SCHEDULES = [
    S.StepLR(step_size=5, gamma=0.5),
    S.CosineAnnealingLR(T_max=10, eta_min=0.01),
    S.CosineAnnealingWarmRestarts(T_0=4, T_mult=2),
    S.OneCycleLR(max_lr=0.2, total_steps=STEPS + 1),
    S.CyclicLR(base_lr=0.01, max_lr=0.1, step_size_up=3, mode="triangular2"),
    S.PolynomialLR(total_iters=20, power=2.0),
    S.InverseSqrtLR(warmup_steps=5),
    S.warmup(S.ExponentialLR(0.9), steps=6),
    S.SequentialLR([S.LinearLR(0.1, 1.0, total_iters=5), S.CosineAnnealingLR(T_max=15)], milestones=[5]),
]


def _by_callback(schedule: Any) -> np.ndarray:
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), BASE)
    return applied_rates(network, [LRScheduler(schedule)],
                         lambda callbacks: model(network, optimizer).train(1, dataset(STEPS), callbacks=callbacks))


def _natively(learning_rate: Any) -> np.ndarray:
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), learning_rate)
    return applied_rates(network, [],
                         lambda callbacks: model(network, optimizer).train(1, dataset(STEPS), callbacks=callbacks))


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: type(schedule).__name__)
def test_cell_applies_what_the_callback_does(schedule: Any, mode: str) -> None:
    np.testing.assert_allclose(_natively(S.to_cell(schedule, BASE)), _by_callback(schedule), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("schedule", SCHEDULES[:3], ids=lambda schedule: type(schedule).__name__)
def test_list_gives_bit_identical_weights(schedule: Any, mode: str) -> None:
    network, twin = Regression(), Regression()
    scheduled = nn.Momentum(network.trainable_params(), BASE, 0.9)
    listed = nn.Momentum(twin.trainable_params(), S.to_list(schedule, BASE, STEPS), 0.9)
    model(network, scheduled).train(1, dataset(STEPS), callbacks=[LRScheduler(schedule)])
    model(twin, listed).train(1, dataset(STEPS))
    assert_same_weights(network, twin)
