"""MindSpore compiles once, and not again while a training goes on."""
from __future__ import annotations

from typing import Any

import pytest
from by_hand import momentum
from mindspore.train import Callback
from training import Regression, dataset, model

from ms_lr_callbacks import HyperparameterScheduler, LRMonitor, LRScheduler, WeightDecayScheduler
from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.optimizers.internals import jit_graph_keys

CHANGING = S.ExponentialLR(0.9)


class Graphs(Callback):  # type: ignore[misc]
    """How many graphs this process had compiled at the end of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def on_train_step_end(self, run_context: Any) -> None:
        cells = [cell for _, cell in run_context.original_args().train_network.cells_and_names()]
        jit = jit_graph_keys()
        assert jit is not None
        self.seen.append(len(jit) + sum(len(cell.compile_cache) for cell in cells))


@pytest.mark.parametrize("grouped", [False, True], ids=["flat", "grouped"])
@pytest.mark.parametrize("lookahead", [1, 4])
def test_no_compile_after_the_first_step(mode: str, grouped: bool, lookahead: int) -> None:
    network = Regression()
    target = model(network, momentum(network, grouped))
    callbacks = [LRScheduler(CHANGING, lookahead=lookahead), WeightDecayScheduler(CHANGING),
                 HyperparameterScheduler("momentum", CHANGING), LRMonitor()]
    graphs = Graphs()
    target.train(2, dataset(6), [*callbacks, graphs])
    assert graphs.seen[0] > 0
    assert set(graphs.seen) == {graphs.seen[0]}
    target.train(1, dataset(6), [*callbacks, graphs])
    assert set(graphs.seen) == {graphs.seen[0]}, "a second training with the same callbacks finds its graph"


def test_as_many_compiles_as_without_callbacks(mode: str) -> None:
    counts = []
    for callbacks in ([], [LRScheduler(CHANGING), LRMonitor()]):
        network = Regression()
        before = len(jit_graph_keys() or ())
        graphs = Graphs()
        model(network, momentum(network, True)).train(1, dataset(3), [*callbacks, graphs])
        counts.append(graphs.seen[-1] - before)
    assert counts[0] == counts[1] > 0
