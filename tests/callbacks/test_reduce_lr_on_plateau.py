"""`ReduceLROnPlateau`: torch's numbers, MindSpore's tables, and what a training really uses."""
from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Optional, Sequence

import mindspore as ms
import numpy as np
import pytest
from mindspore import mint, nn
from mindspore.experimental import optim
from mindspore.train import Model
from ranks import run_ranks
from scripted import Echo, Scripted
from train_cells import TrainCell
from training import ConstantGradient, applied_rates, dataset, model

from ms_lr_callbacks import LRScheduler, ReduceLROnPlateau, get_lr
from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.scheduling.plateau import Plateau

GOLDEN = json.loads((Path(__file__).parent.parent / "data" / "plateau.json").read_text())["cases"]


@pytest.mark.parametrize("case", GOLDEN, ids=range(len(GOLDEN)))
def test_arithmetic_is_torchs(case: dict[str, Any]) -> None:
    arguments = dict(case["arguments"])
    rates = arguments.pop("rates")
    plateau = Plateau(**arguments)
    for metric, expected in zip(case["metrics"], case["rates"]):
        if plateau.step(math.nan if metric is None else metric):
            rates = plateau.reduced(rates)
        assert rates == pytest.approx(expected, rel=1e-15)


# MindSpore's callback reduces after `patience` bad epochs and counts the reducing epoch as the first
# of its cool-down; torch's after more than `patience`. So its (patience, cooldown) is torch's minus 1.
MINDSPORE = [
    ([1.0, 1.1, 1.2], 2, 0, [1.0, 1.0, 0.1]),
    ([1.0, 1.1, 0.9, 1.0, 1.1], 2, 0, [1.0, 1.0, 1.0, 1.0, 0.1]),
    ([1.0, 1.1, 1.0, 1.0, 1.1], 2, 0, [1.0, 1.0, 0.1, 0.1, 0.01]),
    ([1.0, 1.1, 1.0, 1.0, 1.1, 1.2], 2, 1, [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]),
    ([1.0, 1.1, 1.0, 1.0, 1.1, 1.2], 2, 2, [1.0, 1.0, 0.1, 0.1, 0.1, 0.01]),
]


@pytest.mark.parametrize("metrics, patience, cooldown, expected", MINDSPORE)
def test_tables_of_mindspores_own_tests(metrics: list[float], patience: int, cooldown: int, expected: list[float],
                                        mode: str) -> None:
    plateau = ReduceLROnPlateau("eval_score", patience=patience - 1, cooldown=max(cooldown - 1, 0), threshold=1e-4,
                                threshold_mode="abs")
    assert _rates_after_each_epoch(plateau, metrics, lr=1.0) == pytest.approx(expected, rel=1e-6)


def test_every_group_is_reduced_to_its_own_minimum(mode: str) -> None:
    network = ConstantGradient(["a", "b"])
    optimizer = nn.SGD([{"params": [network.a], "lr": 0.5}, {"params": [network.b]}], 0.25)
    plateau = ReduceLROnPlateau("score", factor=0.5, patience=0, min_lr=[0.2, 0.1])
    applied = _fit(network, optimizer, [1.0, 1.0, 1.0, 1.0], [plateau])
    expected = [[0.5, 0.25], [0.5, 0.25], [0.25, 0.125], [0.2, 0.1]]
    np.testing.assert_array_equal(applied[::2], np.array(expected, np.float32))
    np.testing.assert_array_equal(applied[1::2], np.array(expected, np.float32))
    assert get_lr(optimizer) == [np.float32(0.2), np.float32(0.1)]


def test_zero_is_a_metric(mode: str) -> None:
    plateau = ReduceLROnPlateau("score", patience=0)  # MindSpore's own takes 0.0 for a missing metric
    assert _rates_after_each_epoch(plateau, [0.0, 0.0, 1.0], lr=1.0) == pytest.approx([1.0, 0.1, 0.01])


def test_nan_counts_as_no_improvement_and_is_reported() -> None:
    plateau = ReduceLROnPlateau("score", patience=0)
    with pytest.warns(RuntimeWarning, match="score is NaN"):
        assert _rates_after_each_epoch(plateau, [1.0, math.nan], lr=1.0) == pytest.approx([1.0, 0.1])


def test_loss_is_judged_in_a_plain_training(mode: str) -> None:
    network = ConstantGradient()  # its loss is the sum of the weights: it falls with each update
    optimizer = nn.SGD(network.trainable_params(), 1.0)
    model(network, optimizer).train(3, dataset(2), callbacks=[ReduceLROnPlateau("loss", patience=0)])
    assert get_lr(optimizer) == [1.0]
    rising = ReduceLROnPlateau("loss", mode="max", patience=0)
    model(network, optimizer).train(3, dataset(2), callbacks=[rising])
    assert get_lr(optimizer) == pytest.approx([0.01])


def test_warm_up_comes_first_and_judges_nothing(mode: str) -> None:
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 1.0)
    plateau = S.warmup(ReduceLROnPlateau("score", patience=0), steps=4, start_factor=0.5)
    applied = _fit(network, optimizer, [3.0, 4.0, 5.0, 6.0], [plateau])[:, 0]
    expected = [0.5, 0.625, 0.75, 0.875, 1.0, 1.0, 0.1, 0.1]
    np.testing.assert_array_equal(applied, np.array(expected, np.float32))


@pytest.mark.parametrize("same", [True, False], ids=["same callback", "new callback"])
@pytest.mark.parametrize("grouped", [False, True], ids=["flat", "grouped"])
def test_second_training_goes_on_in_the_warm_up(mode: str, same: bool, grouped: bool) -> None:
    """The rates that the first training left are those of the warm-up, not what it leads to."""
    network = ConstantGradient("ab")
    optimizer = nn.SGD([{"params": [network.a], "lr": 0.3}, {"params": [network.b]}] if grouped
                       else network.trainable_params(), 0.1)
    target = model(network, optimizer)
    plateaus = [S.warmup(ReduceLROnPlateau("loss", mode="max", patience=0, factor=0.5), steps=7) for _ in range(3)]
    applied = np.concatenate([
        applied_rates(network, [plateaus[0 if same else run]],
                      lambda callbacks: target.train(1, dataset(4), callbacks=callbacks)) for run in range(3)])
    rise = np.minimum(np.arange(12) / 7, 1.0)
    np.testing.assert_array_equal(applied[:, 0], np.float32(rise * (0.3 if grouped else 0.1)))
    np.testing.assert_array_equal(applied[:, 1], np.float32(rise * 0.1))


def test_rate_that_the_user_set_in_the_warm_up_is_where_it_leads_to() -> None:
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 0.1)
    target = model(network, optimizer)
    plateau = S.warmup(ReduceLROnPlateau("loss", patience=0), steps=8)
    target.train(1, dataset(4), callbacks=[plateau])
    ms.ops.assign(optimizer.learning_rate, ms.Tensor(0.5, ms.float32))
    applied = applied_rates(network, [plateau], lambda callbacks: target.train(1, dataset(4), callbacks=callbacks))
    np.testing.assert_array_equal(applied[:, 0], np.float32(0.5 * np.arange(4, 8) / 8))


def test_second_training_goes_on_where_the_first_stopped() -> None:
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 1.0)
    plateau = ReduceLROnPlateau("score", patience=1)
    trained = model(network, optimizer, metrics={"score": Scripted([1.0, 1.0, 1.0, 1.0])},
                    eval_network=Echo(), eval_indexes=[0, 1, 1])
    for _ in range(2):  # three bad epochs in a row, the second of which reduces
        trained.fit(2, dataset(2), dataset(1), callbacks=[plateau])
    assert get_lr(optimizer) == pytest.approx([0.1])


def test_another_optimizer_starts_anew() -> None:
    """As in cross-validation with one list of callbacks."""
    plateau = ReduceLROnPlateau("score", patience=1)
    for lr in (1.0, 0.5):
        rates = _rates_after_each_epoch(plateau, [1.0, 1.0, 1.0], lr)
        assert rates == pytest.approx([lr, lr, lr / 10])


def test_state_goes_through_a_checkpoint() -> None:
    first, second = ReduceLROnPlateau("score", patience=2), ReduceLROnPlateau("score", patience=2)
    _rates_after_each_epoch(first, [1.0, 1.0, 1.0], lr=1.0)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert second.state_dict() == first.state_dict()
    assert first.state_dict()["bad_epochs"] == 2


def test_ranks_decide_alike_by_the_mean(tmp_path: Path) -> None:
    logs = run_ranks(Path(__file__).with_name("plateau_ranks.py"), folder=tmp_path)
    assert "rank 0 rates [1.0, 0.1]" in logs and "rank 1 rates [1.0, 0.1]" in logs


def test_unknown_metric_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(ValueError, match="monitor='acuracy' is not among .*'loss', 'score', 'eval_loss'"):
        _rates_after_each_epoch(ReduceLROnPlateau("acuracy"), [1.0], lr=1.0)


def test_metric_that_never_appears_is_an_error() -> None:
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 1.0)
    with pytest.raises(ValueError, match="monitor='eval_loss' never appeared .*train with Model.fit"):
        model(network, optimizer).train(1, dataset(2), callbacks=[ReduceLROnPlateau("eval_loss")])


@pytest.mark.parametrize("grouped, words", [
    (False, "ReduceLROnPlateau reduces static learning rates, but this SGD was built with a list; pass a float"),
    (True, "ReduceLROnPlateau reduces static learning rates, but group 1 was built with a list; pass a float"),
], ids=["flat", "grouped"])
def test_dynamic_rate_is_refused(grouped: bool, words: str) -> None:
    network = ConstantGradient("ab")
    optimizer = nn.SGD([{"params": [network.a]}, {"params": [network.b], "lr": [0.1] * 4}] if grouped
                       else network.trainable_params(), 0.1 if grouped else [0.1] * 4)
    with pytest.raises(ValueError, match=words):
        model(network, optimizer).train(1, dataset(2), callbacks=[ReduceLROnPlateau()])


@pytest.mark.parametrize("build", [
    lambda weights: nn.SGD(weights, 1.0), lambda weights: optim.SGD(weights, lr=1.0),
], ids=["nn", "experimental"])
def test_optimizer_in_a_train_cell_of_the_users(mode: str, build: Any) -> None:
    """MindSpore's own finds no optimizer there."""
    network = ConstantGradient()
    optimizer = build(network.trainable_params())
    trained = Model(TrainCell(network, optimizer))
    plateau = ReduceLROnPlateau("loss", mode="max", patience=0, factor=0.5)  # this loss falls with each update
    applied = applied_rates(network, [plateau], lambda callbacks: trained.train(3, dataset(2), callbacks=callbacks))
    np.testing.assert_array_equal(applied[:, 0], np.float32([1.0, 1.0, 1.0, 1.0, 0.5, 0.5]))
    assert get_lr(optimizer) == [0.25]


def test_rate_of_mint_is_reduced() -> None:
    """Its rate is a number, no Parameter, and yet static. In GRAPH_MODE, as in the other it trains nothing on a CPU."""
    network = ConstantGradient()
    trained = Model(TrainCell(network, mint.optim.SGD(network.trainable_params(), lr=1.0)))
    plateau = ReduceLROnPlateau("loss", mode="max", patience=0, factor=0.5)
    applied = applied_rates(network, [plateau], lambda callbacks: trained.train(3, dataset(2), callbacks=callbacks))
    np.testing.assert_array_equal(applied[:, 0], np.float32([1.0, 1.0, 1.0, 1.0, 0.5, 0.5]))


def test_two_drivers_of_one_rate_are_refused() -> None:
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 1.0)
    with pytest.raises(ValueError, match="ReduceLROnPlateau and LRScheduler both drive"):
        model(network, optimizer).train(1, dataset(2), callbacks=[ReduceLROnPlateau(), LRScheduler(S.StepLR(1))])


@pytest.mark.parametrize("arguments, message", [
    ({"monitor": ""}, "monitor must be the name"),
    ({"mode": "auto"}, "mode must be 'min' or 'max', but got 'auto'"),
    ({"factor": 1.0}, r"factor must be a number in \(0, 1\), but got 1.0"),
    ({"factor": math.nan}, "factor"),
    ({"patience": -1}, "patience must be a whole number >= 0, but got -1"),
    ({"patience": 1.5}, "patience"),
    ({"cooldown": True}, "cooldown"),
    ({"threshold": -0.1}, "threshold"),
    ({"threshold_mode": "relative"}, "threshold_mode must be 'rel' or 'abs'"),
    ({"min_lr": -1.0}, "min_lr"),
    ({"min_lr": []}, "min_lr"),
    ({"eps": math.inf}, "eps"),
    ({"warmup": -1}, "warmup must be a whole number"),
    ({"warmup_start_factor": 2.0}, "warmup_start_factor must be a number in"),
    ({"warmup_start_factor": "0.5"}, "warmup_start_factor must be a number in"),
    ({"warmup_start_factor": math.nan}, "warmup_start_factor must be a number in"),
])
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReduceLROnPlateau(**arguments)


def test_wrong_number_of_minima_is_refused() -> None:
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), 1.0)
    with pytest.raises(ValueError, match="min_lr has 2 values, but the optimizer has 1 parameter groups"):
        model(network, optimizer).train(1, dataset(2), callbacks=[ReduceLROnPlateau(min_lr=[0.1, 0.2])])


def _fit(network: ConstantGradient, optimizer: Any, metrics: Sequence[float], callbacks: list[Any],
         name: str = "score") -> np.ndarray:
    """Fit one epoch of two updates for each metric; return the rates that the updates used."""
    trained = model(network, optimizer, metrics={name: Scripted(metrics)}, eval_network=Echo(),
                    eval_indexes=[0, 1, 2])
    return applied_rates(network, callbacks,
                         lambda all_of_them: trained.fit(len(metrics), dataset(2), dataset(1), callbacks=all_of_them))


def _rates_after_each_epoch(plateau: ReduceLROnPlateau, metrics: Sequence[float], lr: float,
                            name: Optional[str] = None) -> list[float]:
    network = ConstantGradient()
    optimizer = nn.SGD(network.trainable_params(), lr)
    name = name or ("score" if plateau.monitor not in ("eval_score",) else plateau.monitor)
    applied = _fit(network, optimizer, metrics, [plateau], name)[:, 0].tolist()
    return [*applied[2::2], get_lr(optimizer)[0]]
