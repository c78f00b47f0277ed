"""One optimizer trained in GRAPH_MODE and in PYNATIVE_MODE by turns.

A graph that one mode has compiled is used again when the mode comes back, with whatever it holds of a
Parameter's memory.
"""
from __future__ import annotations

from typing import Any, Sequence

import mindspore as ms
import pytest
from mindspore import nn
from training import Regression, assert_same_weights, dataset, model

from ms_lr_callbacks import HyperparameterScheduler, LRScheduler, WeightDecayScheduler
from ms_lr_callbacks import schedules as S

MODES = {"g": ms.GRAPH_MODE, "p": ms.PYNATIVE_MODE}
CALLBACKS: dict[str, Any] = {
    "rate": lambda: LRScheduler(S.ExponentialLR(0.5)),
    "table": lambda: LRScheduler(S.ExponentialLR(0.5), lookahead=2),
    "decay": lambda: WeightDecayScheduler(lambda t, base: base + 0.1 * t),
    "momentum": lambda: HyperparameterScheduler("momentum", lambda t, base: base / (1 + t)),
}


def _trained(modes: Sequence[str], callback: Any) -> Any:
    network = Regression()
    optimizer = nn.Momentum(network.trainable_params(), 0.1, 0.9, weight_decay=0.1)
    trained = model(network, optimizer)
    for mode in modes:
        ms.set_context(mode=MODES[mode])
        trained.train(1, dataset(3), callbacks=[callback])
        trained.train(1, dataset(1))
    return network


@pytest.mark.parametrize("callback", CALLBACKS)
@pytest.mark.parametrize("modes", ["gpgp", "pgpg"])
def test_values_reach_the_graphs_of_both(modes: str, callback: str) -> None:
    assert_same_weights(_trained(modes, CALLBACKS[callback]()), _trained("gggg", CALLBACKS[callback]()))
