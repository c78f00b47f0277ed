"""How many updates an optimizer has done, by its own count.

``global_step`` is not a step counter everywhere: some optimizers never advance it while the
learning rate is static, some advance it in ``get_lr()``. The optimizers outside ``mindspore.nn``
have counters of other names, or none.
"""
from __future__ import annotations

from typing import Any, Optional

import numpy as np
from mindspore import Parameter

from ms_lr_callbacks.checkpoint import TensorRecord
from ms_lr_callbacks.optimizers.host import dtype_name, write
from ms_lr_callbacks.optimizers.parameters import read_number
from ms_lr_callbacks.optimizers.source import has_source, own_source

# The first of these that an optimizer has is its counter.
_COUNTERS = ("global_step", "state_step", "step_t")
# MindSpore's own classes whose counter starts at -1 instead of 0.
_STARTS_AT_MINUS_ONE = {"mindspore.mint.optim.adamw", "mindspore.mint.optim.fused_adamw"}


def read_counter(optimizer: Any) -> Optional[int]:
    """Return the number of updates that the optimizer itself counts, or None if it does not count."""
    counter = _counter(optimizer)
    if counter is None:
        return None
    return int(read_number(counter)) + _offset(optimizer)


def write_counter(optimizer: Any, updates: int) -> None:
    """Have the optimizer count on from `updates`; nothing if it has no counter."""
    counter = _counter(optimizer)
    if counter is not None:
        write(counter, TensorRecord.of(np.full(counter.shape, updates - _offset(optimizer), dtype_name(counter))))


def is_counter(optimizer: Any, parameter: Any) -> bool:
    """Return whether `parameter` is the optimizer's count of its updates."""
    return parameter is _counter(optimizer)


def may_count(optimizer: Any) -> bool:
    """Return whether the code of the optimizer's class mentions its counter at all.

    Whether it then advances in a given training shows only in the training.
    """
    name = _counter_name(optimizer)
    if name is None:
        return False
    return not has_source(optimizer) or name in own_source(optimizer)


def _counter_name(optimizer: Any) -> Optional[str]:
    return next((name for name in _COUNTERS if isinstance(getattr(optimizer, name, None), Parameter)), None)


def _counter(optimizer: Any) -> Any:
    name = _counter_name(optimizer)
    return None if name is None else getattr(optimizer, name)


def _offset(optimizer: Any) -> int:
    return 1 if type(optimizer).__module__ in _STARTS_AT_MINUS_ONE else 0
