"""Optimizers whose kernels the CPU backend lacks: the way to their attributes, no training."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mindspore import Tensor, nn
from training import Regression, model

from ms_lr_callbacks import get_lr, hyperparameters
from ms_lr_callbacks.optimizers import access_to, find_optimizer


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


def test_thor_is_read_and_its_rate_written(mode: str) -> None:
    network = Regression()
    optimizer = nn.thor(network, Tensor(np.float32(0.5)), Tensor(np.float32(0.03)), 0.9, weight_decay=0.25)
    assert get_lr(optimizer) == [0.5]
    access = access_to(optimizer)
    access.drive("lr", [0], 1, model(network, optimizer).train_network).write(0, np.array([[0.125]]))
    assert float(optimizer.get_lr().asnumpy()) == 0.125
