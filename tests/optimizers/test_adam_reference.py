"""Adam while its betas, its eps and its weight decay change at every update, against the update rule in NumPy."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn
from training import dataset, model

from ms_lr_callbacks import HyperparameterScheduler, WeightDecayScheduler

STEPS = 6
START = np.array([1.0, -2.0, 0.5])
BETA1 = [0.9, 0.5, 0.8, 0.0, 0.95, 0.7]
BETA2 = [0.999, 0.9, 0.99, 0.95, 0.999, 0.5]
EPS = [1e-8, 1e-3, 1e-2, 1e-1, 1e-4, 1e-8]
DECAY = [0.0, 0.1, 0.2, 0.0, 0.3, 0.1]


class Inputs(nn.Cell):
    """Its gradient is the first row of the batch, whatever the weights are."""

    def __init__(self) -> None:
        super().__init__()
        self.w = Parameter(Tensor(START.astype(np.float32)), name="w")

    def construct(self, x: Any, y: Any) -> Any:
        return (self.w * x[0]).sum() + 0.0 * y.sum()


def _reference(amsgrad: bool = False, nesterov: bool = False) -> np.ndarray:
    weight, first, second, largest = START, np.zeros(3), np.zeros(3), np.zeros(3)
    power1 = power2 = 1.0  # the products of the betas that were used
    for t, (x, _) in enumerate(dataset(STEPS).create_tuple_iterator(output_numpy=True)):
        gradient = x[0] + DECAY[t] * weight
        power1, power2 = power1 * BETA1[t], power2 * BETA2[t]
        first = BETA1[t] * first + (1 - BETA1[t]) * gradient
        second = BETA2[t] * second + (1 - BETA2[t]) * gradient ** 2
        largest = np.maximum(largest, second)
        moment = BETA1[t] * first + (1 - BETA1[t]) * gradient if nesterov else first
        rate = 0.05 * np.sqrt(1 - power2) / (1 - power1)
        weight = weight - rate * moment / (np.sqrt(largest if amsgrad else second) + EPS[t])
    return np.asarray(weight)


@pytest.mark.parametrize("form, reference", [
    ({}, {}), ({"use_lazy": True}, {}), ({"use_offload": True}, {}), ({"use_amsgrad": True}, {"amsgrad": True}),
    ({"use_nesterov": True}, {"nesterov": True})], ids=["plain", "lazy", "offload", "amsgrad", "nesterov"])
def test_every_update_uses_its_own_numbers(form: Any, reference: Any, mode: str) -> None:
    network = Inputs()
    model(network, nn.Adam(network.trainable_params(), 0.05, **form)).train(1, dataset(STEPS), callbacks=[
        HyperparameterScheduler("beta1", lambda t, base: BETA1[t]),
        HyperparameterScheduler("beta2", lambda t, base: BETA2[t]),
        HyperparameterScheduler("eps", lambda t, base: EPS[t]),
        WeightDecayScheduler(lambda t, base: DECAY[t])])
    np.testing.assert_allclose(network.w.asnumpy(), _reference(**reference), rtol=1e-6)
