"""The rate that a range test suggests: on bowls with known best rates, under noise, at the edges."""
from __future__ import annotations

import math
from typing import Any, Sequence

import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops
from training import dataset, model

from ms_lr_callbacks import find_lr
from ms_lr_callbacks.callbacks.range_test import RangeTest


def descent(curvatures: Sequence[float], rates: np.ndarray, floor: float = 0.0, noise: float = 0.0,
            momentum: float = 0.0, seed: int = 0) -> RangeTest:
    """Gradient descent in NumPy on a bowl with these curvatures, each loss multiplied by lognormal noise."""
    draw = np.random.default_rng(seed)
    curved = np.array(curvatures, np.float64)
    weights, velocity, losses = np.full(len(curved), 2.0), np.zeros(len(curved)), []
    for rate in rates:
        losses.append((0.5 * (curved * weights ** 2).sum() + floor) * math.exp(noise * draw.normal()))
        if losses[-1] > 20 * losses[0]:
            break
        velocity = momentum * velocity + curved * weights
        weights = weights - rate * velocity
    return RangeTest(rates[:len(losses)], np.array(losses), "exp", True)


@pytest.mark.parametrize("curvature", [0.1, 1.0, 2.0, 40.0])
@pytest.mark.parametrize("start, end, steps", [(1e-7, 10, 100), (1e-5, 1e3, 100), (1e-5, 1e3, 300), (1e-4, 100, 100)])
def test_equal_curvatures(curvature: float, start: float, end: float, steps: int) -> None:
    suggestion = descent([curvature] * 3, np.geomspace(start, end, steps)).suggestion
    assert suggestion is not None and 1 / 1.5 < suggestion * curvature < 1.5


@pytest.mark.parametrize("curvatures", [[1, 2], [1, 4], [1, 10], [1, 30], [1, 100], np.geomspace(0.1, 4, 20)])
@pytest.mark.parametrize("steps", [30, 100, 300])
@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_different_curvatures(curvatures: Sequence[float], steps: int, floor: float) -> None:
    suggestion = descent(curvatures, np.geomspace(1e-5, 1e3, steps), floor).suggestion
    best, diverges = 2 / (min(curvatures) + max(curvatures)), 2 / max(curvatures)
    assert suggestion is not None and best / 30 < suggestion < 1.01 * diverges


def test_different_curvatures_in_a_training(mode: str) -> None:
    class Bowl(nn.Cell):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.w = Parameter(Tensor(np.full(2, 2.0, np.float32)), name="w")
            self.curvatures = Tensor(np.array([1.0, 4.0], np.float32))

        def construct(self, x: Any, y: Any) -> Any:
            return 0.5 * (self.curvatures * ops.square(self.w)).sum() + 0.0 * x.sum()

    network = Bowl()
    suggestion = find_lr(model(network, nn.SGD(network.trainable_params(), 0.1)), dataset(10)).suggestion
    assert suggestion is not None and 0.2 < suggestion < 0.5  # the best is 2 / (1 + 4); from 0.5 on it diverges


@pytest.mark.parametrize("momentum, least, most", [(0.0, 1e-2, 1.0), (0.9, 5e-4, 0.1)])
def test_noise_does_not_lead_astray(momentum: float, least: float, most: float) -> None:
    found = [descent(np.geomspace(0.1, 4, 20), np.geomspace(1e-6, 10, 100), 1.0, 0.25, momentum, seed).suggestion or 0.0
             for seed in range(100)]
    assert sum(least < each < most for each in found) >= 95


def test_a_loss_of_exactly_zero() -> None:
    rates = np.geomspace(1e-3, 1e3, 13)
    result = descent([1.0], rates)
    assert result.losses[7] == 0.0 and rates[6] == 1.0
    assert result.suggestion is not None and rates[5] <= result.suggestion <= rates[6]
    assert RangeTest(rates, np.zeros(13), "exp", False).suggestion is None


def test_no_suggestion() -> None:
    rates = np.geomspace(1e-3, 1, 20)
    assert RangeTest(rates, np.linspace(1, 2, 20), "exp", False).suggestion is None
    assert RangeTest(rates, np.ones(20), "exp", False).suggestion is None
    assert RangeTest(rates[:2], np.array([2.0, 1.0]), "exp", False).suggestion is None
    assert RangeTest(rates[:1], np.array([np.nan]), "exp", True).suggestion is None
    assert RangeTest(rates[:0], np.array([]), "exp", True).suggestion is None
