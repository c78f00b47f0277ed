"""`Inventory`: every Parameter of a training under a name of its own."""
from __future__ import annotations

import numpy as np
from mindspore import Parameter, Tensor, nn

from ms_lr_callbacks.optimizers.inventory import Inventory


def test_no_two_parameters_get_one_name() -> None:
    """A moving average that was given the name of what it averages, and a name that looks numbered."""
    cell = nn.Cell()
    for attribute, name in (("a", "w"), ("b", "w"), ("c", "w#2"), ("d", "w")):
        cell.__dict__[attribute] = Parameter(Tensor(np.float32(ord(attribute))), name=name)
    optimizer = nn.SGD([Parameter(Tensor(np.zeros(1, np.float32)), name="x")], 0.1)
    named = Inventory.of(cell, optimizer).sections()["train_cell"]
    attributes = {name: chr(int(each.asnumpy())) for name, each in named.items()}
    assert attributes == {"w": "a", "w#3": "b", "w#2": "c", "w#4": "d"}
