"""Metrics by the names that MindSpore's callbacks give them."""
from __future__ import annotations

from typing import Any, Optional

import numpy as np
from mindspore import Tensor

from ms_lr_callbacks.training.losses import fetch, loss_of


def read_metric(cb_params: Any, name: str) -> Optional[float]:
    """Return a metric at the end of an epoch.

    Args:
        cb_params: MindSpore's record of the training.
        name: ``"loss"``, ``"eval_loss"``, or a metric of `Model`.

    Returns:
        Its value; None if there was no evaluation in this epoch and `name` is not ``"loss"``.

    Raises:
        ValueError: the evaluation has no such metric, or it is not one number.
    """
    if name == "loss":
        return fetch(loss_of(cb_params.net_outputs))
    results = cb_params.get("eval_results") or {}
    if not results:
        return None
    if name not in results:
        known = ", ".join(repr(each) for each in ("loss", *results))
        raise ValueError(f"monitor={name!r} is not among the metrics of this training: {known}.")
    value = results[name]
    number = np.asarray(value.asnumpy() if isinstance(value, Tensor) else value)
    if number.size != 1 or number.dtype == object:
        raise ValueError(f"monitor={name!r} is not one number but {value!r}; monitor a scalar metric.")
    return float(number.reshape(()))
