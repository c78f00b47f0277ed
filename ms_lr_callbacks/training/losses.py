"""The loss of a step, kept on the device until somebody wants to know it."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from mindspore import Tensor
from mindspore import dtype as mstype


def loss_of(outputs: Any) -> Any:
    """Return the loss among what a train network returned: the first part of a tuple, not fetched."""
    while isinstance(outputs, (tuple, list)):
        if not outputs:
            return None
        outputs = outputs[0]
    return outputs


def fetch(loss: Any) -> float:
    """Return a loss as a number, the mean if it has several elements; NaN if there is none.

    Waits for the device.
    """
    if loss is None:
        return math.nan
    if isinstance(loss, Tensor):
        loss = loss.astype(mstype.float32).asnumpy() if loss.dtype == mstype.bfloat16 else loss.asnumpy()
    try:
        numbers = np.asarray(loss, np.float64)
    except (TypeError, ValueError):  # a train network may return anything
        return math.nan
    if numbers.size == 1:
        return float(numbers.reshape(()))
    return float(numbers.mean()) if numbers.size else math.nan
