"""What stands in an optimizer's attributes while it is driven, and that nothing of it stays."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mindspore import nn
from mindspore.experimental import optim
from mindspore.train import Model
from own_optimizers import DirectDecay
from train_cells import TrainCell
from training import Regression, assert_same_weights, dataset, model

from ms_lr_callbacks import HyperparameterScheduler, LRMonitor, LRScheduler, WeightDecayScheduler, get_last_lr
from ms_lr_callbacks import schedules as S

ATTRIBUTES = ("learning_rate", "weight_decay", "dynamic_lr", "is_group_lr", "dynamic_weight_decay")
RATES, DECAYS = (0.5, 0.25), (0.75, 0.125)


def _groups(network: Any, rates: Any = (None, None), decays: Any = (None, None)) -> list[dict[str, Any]]:
    parts = (network.body.trainable_params(), network.head.trainable_params())
    groups: list[dict[str, Any]] = [{"params": part, "lr": rate, "weight_decay": decay}
                                    for part, rate, decay in zip(parts, rates, decays)]
    return [{key: value for key, value in group.items() if value is not None} for group in groups]


def _kinds(optimizer: Any) -> list[Any]:
    values = [getattr(optimizer, name) for name in ATTRIBUTES]
    return [value if isinstance(value, bool) else [type(each) for each in value] if isinstance(value, tuple)
            else type(value) for value in values]


def _constant(value: float) -> Any:
    return lambda t, base: value


@pytest.mark.parametrize("build", [lambda groups: nn.Momentum(groups, 0.1, 0.9),
                                   lambda groups: DirectDecay(groups, 0.1)], ids=["Momentum", "reads the attribute"])
@pytest.mark.parametrize("lookahead", [None, 2])
@pytest.mark.parametrize("own_rates", [(None, None), (0.1, 0.2)], ids=["shared rate", "own rates"])
def test_callbacks_for_different_groups(build: Any, lookahead: Any, own_rates: Any, mode: str) -> None:
    network, twin = Regression(), Regression()
    ours = build(_groups(network, own_rates))
    kinds, names = _kinds(ours), list(ours.parameters_dict())
    monitor = LRMonitor()
    model(network, ours).train(1, dataset(3), callbacks=[
        LRScheduler([_constant(RATES[0]), None], lookahead=lookahead),
        WeightDecayScheduler([_constant(DECAYS[0]), None]),
        LRScheduler([None, _constant(RATES[1])], lookahead=lookahead),
        WeightDecayScheduler([None, _constant(DECAYS[1])]), monitor])
    model(twin, build(_groups(twin, RATES, DECAYS))).train(1, dataset(3))
    assert_same_weights(network, twin)
    for group in (0, 1):
        np.testing.assert_array_equal(monitor.history[f"lr/group_{group}"].values, [RATES[group]] * 3)
        np.testing.assert_array_equal(monitor.history[f"weight_decay/group_{group}"].values, [DECAYS[group]] * 3)
    assert get_last_lr(ours) == list(RATES)
    assert _kinds(ours) == kinds and list(ours.parameters_dict()) == names


@pytest.mark.parametrize("build", [lambda groups: nn.SGD(groups, 0.1), lambda groups: DirectDecay(groups, 0.1)],
                         ids=["SGD", "reads the attribute"])
def test_other_groups_in_the_next_training(build: Any, mode: str) -> None:
    network, twin = Regression(), Regression()
    ours = build(_groups(network))
    trained = model(network, ours)
    for schedules in ([_constant(0.75), None], [None, _constant(0.25)], [_constant(0.5), _constant(0.125)]):
        trained.train(1, dataset(2), callbacks=[WeightDecayScheduler(schedules)])
    trained.train(1, dataset(2))
    for decays in ((0.75, 0.0), (0.75, 0.25), (0.5, 0.125), (0.5, 0.125)):
        model(twin, build(_groups(twin, decays=decays))).train(1, dataset(2))
    assert_same_weights(network, twin)


@pytest.mark.parametrize("grouped", [False, True], ids=["flat", "grouped"])
def test_parameters_keep_their_order(grouped: bool, mode: str) -> None:
    """It is that of the entries of a checkpoint, and of whoever goes through two optimizers side by side."""
    network = Regression()
    optimizer = nn.Momentum(_groups(network, (0.2, None)) if grouped else network.trainable_params(), 0.1, 0.9,
                            weight_decay=0.1)
    names = [parameter.name for parameter in optimizer.get_parameters()], list(optimizer.parameters_dict())
    model(network, optimizer).train(1, dataset(3), callbacks=[
        LRScheduler(S.StepLR(1), lookahead=2), WeightDecayScheduler(S.StepLR(1)),
        HyperparameterScheduler("momentum", S.StepLR(1))])
    assert ([parameter.name for parameter in optimizer.get_parameters()], list(optimizer.parameters_dict())) == names


def test_a_number_that_the_user_sets_between_two_trainings_is_used(mode: str) -> None:
    network, twin = Regression(), Regression()
    callback = WeightDecayScheduler([_constant(0.5), None])
    ours = optim.Adam(_groups(network, decays=(0.0, 0.25)), lr=0.1)
    trained = Model(TrainCell(network, ours))
    trained.train(1, dataset(2), callbacks=[callback])
    ours.param_groups[1]["weight_decay"] = 0.75
    trained.train(1, dataset(2), callbacks=[callback])
    assert [group["weight_decay"] for group in ours.param_groups] == [0.5, 0.75]

    held = optim.Adam(_groups(twin, decays=(0.5, 0.25)), lr=0.1)
    Model(TrainCell(twin, held)).train(1, dataset(2))
    held.param_groups[1]["weight_decay"] = 0.75
    Model(TrainCell(twin, held)).train(1, dataset(2))
    assert_same_weights(network, twin)
