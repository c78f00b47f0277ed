"""Reading the learning rate of an optimizer: pure reads, whatever the optimizer's class."""
from __future__ import annotations

from typing import Any

from ms_lr_callbacks.optimizers.access import access_to


def get_lr(optimizer: Any) -> list[float]:
    """Return the learning rates that the next update will use.

    Nothing of the training changes: the rate is read from where the optimizer keeps it, never
    through ``optimizer.get_lr()``.

    Args:
        optimizer: an optimizer of ``mindspore.nn``, ``mindspore.experimental.optim`` or
            ``mindspore.mint.optim``, or a subclass.

    Returns:
        One float for each parameter group, in the order in which the user gave the groups; the
        exact value of the float32 that is applied.

    Raises:
        TypeError: `optimizer` is not an optimizer.

    Examples:
        >>> from mindspore import nn
        >>> from ms_lr_callbacks import get_lr
        >>> net = nn.Dense(2, 3)
        >>> optimizer = nn.SGD([{"params": [net.bias], "lr": 0.25}, {"params": [net.weight]}], 0.5)
        >>> get_lr(optimizer)
        [0.25, 0.5]
    """
    return [float(value) for value in access_to(optimizer).next_rates()]


def get_last_lr(optimizer: Any) -> list[float]:
    """Return the learning rates that the last update used.

    Args:
        optimizer: as for `get_lr`.

    Returns:
        One float for each parameter group, as `get_lr`; before the first update what that one will
        use. A static rate that somebody else changed since the last update is returned as it is now.

    Raises:
        TypeError: `optimizer` is not an optimizer.

    Examples:
        >>> from mindspore import nn
        >>> from ms_lr_callbacks import get_last_lr
        >>> get_last_lr(nn.SGD(nn.Dense(2, 3).trainable_params(), 0.5))
        [0.5]
    """
    return [float(value) for value in access_to(optimizer).last_rates()]


def print_lr(optimizer: Any) -> None:
    """Print the learning rate that the next update will use, a line for each group.

    Args:
        optimizer: as for `get_lr`.

    Raises:
        TypeError: `optimizer` is not an optimizer.

    Examples:
        >>> from mindspore import nn
        >>> from ms_lr_callbacks import print_lr
        >>> print_lr(nn.SGD(nn.Dense(2, 3).trainable_params(), 0.5))
        group_0: lr = 0.5
    """
    for index, value in enumerate(access_to(optimizer).next_rates()):
        # str of a float32 is its shortest form: 0.1, not 0.10000000149011612.
        print(f"group_{index}: lr = {value!s}")
