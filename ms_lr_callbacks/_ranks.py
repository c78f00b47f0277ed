"""Which of several processes of one training this is."""
from __future__ import annotations

import os


def rank() -> int:
    """Return this process's rank; 0 in a training that is not distributed.

    Once ``mindspore.communication.init()`` has run it is the rank that MindSpore knows; before that,
    the environment variable ``RANK_ID``, which ``msrun`` sets.
    """
    from mindspore.communication import get_rank

    try:
        return int(get_rank())
    except (RuntimeError, ValueError):  # communication was not initialised
        text = os.environ.get("RANK_ID", "")
        return int(text) if text.isdigit() else 0


def mean_over_ranks(value: float) -> float:
    """Return the mean of a number over all ranks; the number itself if the training is not distributed.

    Every rank has to call it, and every rank gets the same result.
    """
    import numpy as np
    from mindspore import Tensor, ops
    from mindspore.communication import GlobalComm, get_group_size

    if not GlobalComm.INITED or get_group_size() == 1:
        return value
    total = ops.AllReduce(ops.ReduceOp.SUM)(Tensor(np.array([value], np.float32)))
    return float(total.asnumpy()[0]) / int(get_group_size())


def world_size() -> int:
    """Return how many processes train together; 1 in a training that is not distributed."""
    from mindspore.communication import get_group_size

    try:
        return int(get_group_size())
    except (RuntimeError, ValueError):  # communication was not initialised
        return 1
