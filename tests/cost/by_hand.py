"""Callbacks driven by hand, with MindSpore's own callback parameters and the loop of `Model.train`.

The CPU never sinks a dataset, so what a training under sinking looks like is played here: the train
cell runs `sink_size` updates in each call, and ``cur_step_num`` jumps by that number.
"""
from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np
from mindspore import Tensor, nn
from mindspore.train import RunContext
from mindspore.train.callback._callback import InternalCallbackParam


def parameters(network: Any, optimizer: Any, callbacks: Sequence[Any], **arguments: Any) -> Any:
    """Return the ``cb_params`` of a training of `network`, a train cell."""
    cb_params = InternalCallbackParam()
    cb_params.update({
        "train_network": network, "optimizer": optimizer, "list_callback": list(callbacks), "net_outputs": None,
        "cur_step_num": 0, "cur_epoch_num": 1, "epoch_num": 1, "batch_num": 1, "dataset_sink_mode": False,
        "sink_size": -1, **arguments})
    return cb_params


def train_by_hand(cb_params: Any, callbacks: Sequence[Any], step: Callable[[], Any], calls: int, jump: int = 1) -> None:
    """Call every hook as `Model.train` does, for one epoch of `calls` calls of the train cell."""
    context = RunContext(cb_params)

    def each(hook: str) -> None:
        for callback in callbacks:
            getattr(callback, hook)(context)

    each("on_train_begin")
    each("on_train_epoch_begin")
    for _ in range(calls):
        cb_params.cur_step_num += jump
        each("on_train_step_begin")
        cb_params.net_outputs = step()
        each("on_train_step_end")
    each("on_train_epoch_end")
    each("on_train_end")


class Batch:
    """One batch for the networks of the tests, always the same."""

    x = Tensor(np.ones((2, 3), np.float32))
    y = Tensor(np.zeros((2, 1), np.float32))


def sgd_groups(network: Any, grouped: bool) -> Any:
    """Return the parameters of a `Regression` as one group, or as two with rates of their own."""
    if not grouped:
        return network.trainable_params()
    return [{"params": network.body.trainable_params(), "lr": 0.2}, {"params": network.head.trainable_params()}]


def momentum(network: Any, grouped: bool) -> Any:
    """Return Momentum for a `Regression`."""
    return nn.Momentum(sgd_groups(network, grouped), 0.1, 0.9, weight_decay=1e-3)
