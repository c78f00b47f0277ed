"""Every claim of the optimizer matrix, by its effect.

A training whose hyperparameter our callback changes after three updates is compared with a twin
that never saw a callback: three updates by an optimizer built with the first value, then three by
one built with the second, its state carried over.
"""
from __future__ import annotations

from typing import Any, Iterator

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor
from mindspore.train import Model
from train_cells import TrainCell
from training import Regression, dataset, model, weights
from zoo import KINDS, Kind

from ms_lr_callbacks import HyperparameterScheduler, LRScheduler

BEFORE, AFTER = 3, 3
BY_NAME = {kind.name: kind for kind in KINDS}
# The SGD of mint in 2.7 takes numbers where that of later versions takes Parameters: all of it is refused.
REFUSING = {"mint SGD"} if ms.__version__.startswith("2.7.") else set()
WORKING = [(kind.name, name) for kind in KINDS if kind.name not in REFUSING for name in kind.varied]
GROUPED = [(kind, name) for kind, name in WORKING
           if name in ("lr", "weight_decay") and not kind.startswith(("AdaFactor", "FTRL"))]
REFUSED = [(kind.name, name) for kind in KINDS
           for name in (*kind.refused, *(kind.varied if kind.name in REFUSING else ()))]


@pytest.mark.parametrize("kind, name", WORKING)
def test_change_is_what_a_twin_built_with_the_value_does(kind: str, name: str, mode: str) -> None:
    known, (keyword, first, second) = BY_NAME[kind], BY_NAME[kind].varied[name]
    if mode not in known.modes:
        assert not _moves(known)
        return
    ours, twin, unchanged = Regression(), Regression(), Regression()
    _train(known, ours, _flat(ours, known, {keyword: first}), 0, BEFORE + AFTER, [_switch(name, first, second)])
    earlier = _flat(twin, known, {keyword: first})
    _train(known, twin, earlier, 0, BEFORE)
    later = _flat(twin, known, {keyword: second})
    _carry_over(earlier, later)
    _train(known, twin, later, BEFORE, AFTER)
    same = _flat(unchanged, known, {keyword: first})
    state = _train(known, unchanged, same, 0, BEFORE + AFTER)
    _assert_close(ours, twin)
    if name != "t0":  # seen in the averaged weights only, see below
        assert state is not None and _distance(ours, unchanged) > 1e-6


@pytest.mark.parametrize("kind, name", GROUPED)
def test_change_in_one_group_leaves_the_other_alone(kind: str, name: str, mode: str) -> None:
    known, (keyword, first, second) = BY_NAME[kind], BY_NAME[kind].varied[name]
    if mode not in known.modes:
        return
    ours, twin = Regression(), Regression()
    key = "lr" if name == "lr" else "weight_decay"
    other = {"lr": first} if name == "lr" else {}

    def build(network: Any, value: float) -> Any:
        groups = [{"params": network.body.trainable_params(), key: value},
                  {"params": network.head.trainable_params(), **other}]
        return known.build(groups, **{**known.fixed, keyword: first})

    _train(known, ours, build(ours, first), 0, BEFORE + AFTER, [_switch(name, first, second, grouped=True)])
    earlier = build(twin, first)
    _train(known, twin, earlier, 0, BEFORE)
    later = build(twin, second)
    _carry_over(earlier, later)
    _train(known, twin, later, BEFORE, AFTER)
    _assert_close(ours, twin)


@pytest.mark.parametrize("kind, name", REFUSED)
def test_refusal_says_why_and_what_can_be_changed(kind: str, name: str) -> None:
    known, network = BY_NAME[kind], Regression()
    optimizer = _flat(network, known, {})
    before = weights(network)
    with pytest.raises(ValueError, match=f"{name!r} of .* cannot be changed while training: .* It can change "):
        _train(known, network, optimizer, 0, 2, [_switch(name, 0.1, 0.2)])
    assert all(np.array_equal(value, weights(network)[key]) for key, value in before.items())


def _switch(name: str, first: float, second: float, grouped: bool = False) -> Any:
    def schedule(t: int, base: float) -> float:
        assert base == pytest.approx(first)
        return first if t < BEFORE else second

    schedules: Any = [schedule, None] if grouped else schedule
    return LRScheduler(schedules) if name == "lr" else HyperparameterScheduler(name, schedules)


def _flat(network: Any, kind: Kind, arguments: dict[str, Any]) -> Any:
    lr = next((keyword for name, (keyword, _, _) in kind.varied.items() if name == "lr"), "lr")
    given = {**({lr: 0.05} if kind.name != "Rprop" else {}), **kind.fixed, **arguments}
    return kind.build(network.trainable_params(), **given)


def _train(kind: Kind, network: Any, optimizer: Any, skip: int, steps: int, callbacks: Any = ()) -> Any:
    trained = Model(TrainCell(network, optimizer)) if kind.own_cell else model(network, optimizer)
    trained.train(1, dataset(BEFORE + AFTER).skip(skip).take(steps), callbacks=list(callbacks))
    return optimizer


def _moves(kind: Kind) -> bool:
    """Return whether MindSpore alone, without a callback, trains with this optimizer."""
    network = Regression()
    before = weights(network)
    try:
        _train(kind, network, _flat(network, kind, {}), 0, 2)
    except RuntimeError as error:  # in 2.7 for mint's Adam
        assert "unregistered" in str(error)  # by the CPU backend, a kernel
        return False
    return any(not np.array_equal(value, weights(network)[key]) for key, value in before.items())


def _carry_over(earlier: Any, later: Any) -> None:
    """Copy an optimizer's state, but not the hyperparameters that it keeps in Parameters."""
    for (name, source), (_, target) in zip(_state(earlier), _state(later)):
        if name not in ("momentum", "learning_rate") and not name.startswith("learning_rate_group"):
            target.set_data(Tensor(source.asnumpy()))


def _state(optimizer: Any) -> Iterator[tuple[str, Any]]:
    yield from ((parameter.name, parameter) for parameter in optimizer.get_parameters())
    for value in vars(optimizer).values():  # some optimizers keep scalars in plain lists
        if isinstance(value, list):
            yield from ((each.name, each) for each in value if isinstance(each, Parameter))


def _distance(left: Any, right: Any) -> float:
    a, b = weights(left), weights(right)
    return max(float(np.abs(a[name] - b[name]).max()) for name in a)


def _assert_close(left: Any, right: Any) -> None:
    # Kernels that run in several threads round differently from run to run (RMSProp, ProximalAdagrad).
    a, b = weights(left), weights(right)
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=2e-6, atol=1e-7, err_msg=name)
