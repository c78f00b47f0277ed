"""Handing over K updates' values at once changes no bit of what handing them over one by one does."""
from __future__ import annotations

from typing import Any

import pytest
from mindspore import nn
from training import Regression, assert_same_weights, dataset, model

from ms_lr_callbacks import LRScheduler
from ms_lr_callbacks import schedules as S

STEPS = (5, 4)  # two trainings; no K but 1 divides both
WARM_COSINE = S.SequentialLR([S.LinearLR(0.1, 1.0, total_iters=3), S.CosineAnnealingLR(T_max=9)], milestones=[3])


def _falling(t: int, base: float) -> float:
    return base * (1 + t) / (3 + t)


def _parts(network: Any) -> list[dict[str, Any]]:
    return [{"params": network.head.trainable_params()}, {"params": network.body.trainable_params()}]


def _own_rates(network: Any) -> list[dict[str, Any]]:
    return [{**part, "lr": rate} for part, rate in zip(_parts(network), (0.2, 0.02))]


def _mixed(network: Any) -> list[dict[str, Any]]:
    rates = (0.2, nn.CosineDecayLR(0.01, 0.1, 9))
    return [*({**part, "lr": rate} for part, rate in zip(_parts(network), rates)),
            {"order_params": network.trainable_params()}]


CASES: dict[str, Any] = {
    "flat": (lambda network: network.trainable_params(), WARM_COSINE),
    "flat, a function": (lambda network: network.trainable_params(), _falling),
    "rates of their own": (_own_rates, WARM_COSINE),
    "one group left alone": (_own_rates, [_falling, None]),
    "one rate, two schedules": (_parts, [_falling, WARM_COSINE]),
    "static and dynamic": (_mixed, [WARM_COSINE, None]),
}
OPTIMIZERS: dict[str, Any] = {
    "Adagrad": nn.Adagrad, "Adam": nn.Adam, "AdamWeightDecay": nn.AdamWeightDecay, "ASGD": nn.ASGD, "FTRL": nn.FTRL,
    "LazyAdam": nn.LazyAdam, "SGD": nn.SGD,
    "AdaFactor": lambda params, **rate: nn.AdaFactor(params, relative_step=False, **rate),
}


def _trained(build: Any, schedule: Any, lookahead: int) -> Any:
    network = Regression()
    trained = model(network, build(network))
    callback = LRScheduler(schedule, lookahead=lookahead)
    for steps in STEPS:
        trained.train(1, dataset(steps), callbacks=[callback])
    return network


@pytest.mark.parametrize("case", CASES)
def test_any_number_of_rows(mode: str, case: str) -> None:
    groups, schedule = CASES[case]
    one_by_one, *at_once = (_trained(lambda network: nn.Momentum(groups(network), 0.1, 0.9), schedule, rows)
                            for rows in (1, 2, 3, 7, 64))
    for network in at_once:
        assert_same_weights(network, one_by_one)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_any_optimizer(mode: str, kind: str) -> None:
    def build(network: Any) -> Any:
        return OPTIMIZERS[kind](network.trainable_params(), learning_rate=0.1)

    assert_same_weights(_trained(build, WARM_COSINE, 1), _trained(build, WARM_COSINE, 3))
