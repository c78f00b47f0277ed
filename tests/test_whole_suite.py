"""All callbacks that only look, together: nobody can tell from the weights that they were there."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mindspore import nn
from mindspore.train import Model
from scripted import Echo, Scripted
from training import Regression, assert_same_weights, dataset

from ms_lr_callbacks import LRMonitor, LRScheduler, OptimizerCheckpoint, ProgressBar, WeightDecayScheduler, get_lr
from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.writers import CSVWriter, JSONLinesWriter

RATES = [0.05 * 0.9 ** step for step in range(24)]


def _number(params: Any) -> Any:
    return nn.Momentum(params, 0.05, 0.9, weight_decay=0.01)


def _listed(params: Any) -> Any:
    return nn.Adam(params, RATES)


def _cell(params: Any) -> Any:
    return nn.AdamWeightDecay(params, nn.CosineDecayLR(0.001, 0.1, 20), weight_decay=0.1)


def _mixed(params: Any) -> Any:
    return nn.Momentum([{"params": params[:2], "lr": 0.01}, {"params": params[2:], "weight_decay": 0.1}],
                       nn.ExponentialDecayLR(0.1, 0.9, 4), 0.9)


@pytest.mark.parametrize("build", [_number, _listed, _cell, _mixed])
def test_weights_are_bit_identical_with_and_without(build: Any, mode: str, tmp_path: Path) -> None:
    watched, alone = Regression(), Regression()
    callbacks = [OptimizerCheckpoint(tmp_path / "ckpt", save_steps=5), LRMonitor(tmp_path / "tb", writers=[
        CSVWriter(tmp_path / "run.csv"), JSONLinesWriter(tmp_path / "run.jsonl")]), ProgressBar()]
    _fit(watched, build(watched.trainable_params()), callbacks)
    _fit(alone, build(alone.trainable_params()), [])
    assert_same_weights(watched, alone)
    assert len(callbacks[1].history["loss"].steps) == 24


def test_schedules_with_constant_value_change_nothing_either(mode: str, tmp_path: Path) -> None:
    driven, alone = Regression(), Regression()
    optimizer = _number(driven.trainable_params())
    _fit(driven, optimizer, [LRScheduler(S.LambdaLR(lambda t: 1.0)), WeightDecayScheduler(S.LambdaLR(lambda t: 1.0)),
                             LRMonitor(tmp_path / "tb"), OptimizerCheckpoint(tmp_path / "ckpt")])
    _fit(alone, _number(alone.trainable_params()), [])
    assert_same_weights(driven, alone)
    assert get_lr(optimizer) == pytest.approx([0.05])


def _fit(network: Any, optimizer: Any, callbacks: list[Any]) -> None:
    trained = Model(network, None, optimizer, eval_network=Echo(), eval_indexes=[0, 1, 2],
                    metrics={"score": Scripted([1.0, 2.0, 3.0])})
    trained.fit(3, dataset(8), dataset(2), callbacks=callbacks)
