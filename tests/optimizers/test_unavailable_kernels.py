"""Optimizers whose kernels the CPU backend lacks: the way to their attributes; LARS with its formula in their place."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mindspore import Tensor, nn, ops
from training import Regression, assert_same_weights, dataset, model

from ms_lr_callbacks import HyperparameterScheduler, LRScheduler, WeightDecayScheduler, get_lr, hyperparameters
from ms_lr_callbacks.optimizers import access_to, find_optimizer


class LARSUpdate(nn.Cell):
    """The formula of the operator that the CPU lacks, for ``use_clip=True``; epsilon as of `nn.LARS`."""

    def construct(self, weight: Any, gradient: Any, weights: Any, gradients: Any, decay: Any, lr: Any) -> Any:
        norm = ops.sqrt(weights)
        trust = 0.5 * norm / (ops.sqrt(gradients) + decay * norm + 1e-5)
        return ops.minimum(trust / lr, 1.0) * (gradient + decay * weight)


def _clipping_lars(network: Any, lr: float = 0.5, decay: float = 0.25, momentum: float = 0.9,
                   grouped: bool = False) -> Any:
    parameters: Any = network.trainable_params()
    if grouped:
        parameters = [{"params": part.trainable_params(), "lr": lr, "weight_decay": decay}
                      for part in (network.body, network.head)]
    inner = nn.Momentum(parameters, lr, momentum, weight_decay=decay, loss_scale=8.0)
    optimizer = nn.LARS(inner, coefficient=0.5, use_clip=True)
    optimizer.lars = LARSUpdate()
    return optimizer


def _lars(network: Any) -> Any:
    return nn.LARS(nn.Momentum(network.trainable_params(), 0.5, 0.9, weight_decay=0.25, loss_scale=8.0))


@pytest.mark.parametrize("name, value", [("lr", 0.125), ("weight_decay", 0.75), ("beta1", 0.5), ("eps", 0.25)])
def test_lamb_reads_what_was_written(name: str, value: float, mode: str) -> None:
    network = Regression()
    optimizer = nn.Lamb(network.trainable_params(), 0.5, weight_decay=0.25)
    access = access_to(optimizer)
    driver = access.drive(name, [0], 1, model(network, optimizer).train_network)
    driver.write(0, np.array([[value]]))
    assert hyperparameters(optimizer)[name].values == (value,)
    if name == "lr":
        assert float(optimizer.get_lr().asnumpy()) == value
    elif name == "weight_decay":
        assert float(optimizer.get_weight_decay().asnumpy()) == value
    else:
        assert float(getattr(optimizer, name).asnumpy().item()) == value
    driver.release(0)
    assert hyperparameters(optimizer)[name].values == (value,)


def test_lars_rate_is_the_wrapped_optimizers_and_its_decay_its_own(mode: str) -> None:
    network = Regression()
    optimizer = _lars(network)
    train_network = model(network, optimizer).train_network
    assert find_optimizer(train_network) is optimizer
    assert get_lr(optimizer) == [0.5]
    access = access_to(optimizer)
    access.drive("lr", [0], 1, train_network).write(0, np.array([[0.125]]))
    assert float(optimizer.opt.get_lr().asnumpy()) == 0.125
    access.drive("weight_decay", [0], 1, train_network).write(0, np.array([[0.75]]))
    assert float(optimizer.get_weight_decay().asnumpy()) == 0.75 * 8.0  # kept multiplied by the loss scale
    assert not optimizer.opt.exec_weight_decay
    assert hyperparameters(optimizer)["weight_decay"].values == (0.75,)


@pytest.mark.parametrize("grouped", [False, True], ids=["flat", "grouped"])
@pytest.mark.parametrize("name, callback", [
    ("lr", LRScheduler), ("decay", WeightDecayScheduler),
    ("momentum", lambda schedule: HyperparameterScheduler("momentum", schedule))])
def test_lars_trains_as_one_built_with_the_value(name: str, callback: Any, grouped: bool, mode: str) -> None:
    # LARS reads the rate of the optimizer that it wraps, and counts updates again if its decay is a cell.
    network, twin = Regression(), Regression()
    ours = _clipping_lars(network, grouped=grouped)
    model(network, ours).train(1, dataset(4), callbacks=[callback(lambda t, base: 0.125)])
    model(twin, _clipping_lars(twin, grouped=grouped, **{name: 0.125})).train(1, dataset(4))
    assert_same_weights(network, twin)
    assert int(ours.global_step.asnumpy()[0]) == 4


def test_a_table_that_lars_would_not_read_is_refused() -> None:
    network = Regression()
    with pytest.raises(ValueError, match="because LARS around it reads the rate too; .* Use lookahead=1"):
        model(network, _clipping_lars(network)).train(1, dataset(2), callbacks=[
            LRScheduler(lambda t, base: base, lookahead=2)])


def test_thor_is_read_and_its_rate_written(mode: str) -> None:
    network = Regression()
    optimizer = nn.thor(network, Tensor(np.float32(0.5)), Tensor(np.float32(0.03)), 0.9, weight_decay=0.25)
    assert get_lr(optimizer) == [0.5]
    access = access_to(optimizer)
    access.drive("lr", [0], 1, model(network, optimizer).train_network).write(0, np.array([[0.125]]))
    assert float(optimizer.get_lr().asnumpy()) == 0.125
    assert {name for name, each in hyperparameters(optimizer).items() if each.drivable} == {"lr", "momentum"}
    access.drive("momentum", [0], 1, model(network, optimizer).train_network).write(0, np.array([[0.5]]))
    assert float(optimizer.momentum.asnumpy()) == 0.5
    with pytest.raises(ValueError, match="'weight_decay' of Thor.* cannot be changed while training"):
        access.place("weight_decay")
