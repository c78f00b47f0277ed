"""What an optimizer's hyperparameters are, and which of them can be changed while training."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from ms_lr_callbacks.optimizers.access import access_to


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter of an optimizer.

    Attributes:
        name: its name for `HyperparameterScheduler`; ``"lr"`` is the learning rate.
        values: what the next update will use, one float for each group.
        bases: what the optimizer's constructor was given, one for each group; None where that was
            not one number.
        refusal: why it cannot be changed while training; None if it can.

    Examples:
        >>> from mindspore import nn
        >>> from ms_lr_callbacks import hyperparameters
        >>> momentum = hyperparameters(nn.Momentum(nn.Dense(2, 3).trainable_params(), 0.25, 0.5))["momentum"]
        >>> momentum.values, momentum.bases, momentum.drivable
        ((0.5,), (0.5,), True)
    """

    name: str
    values: tuple[float, ...]
    bases: tuple[Optional[float], ...]
    refusal: Optional[str] = None

    @property
    def drivable(self) -> bool:
        """Whether it can be changed while training."""
        return self.refusal is None


def hyperparameters(optimizer: Any) -> dict[str, Hyperparameter]:
    """Return the hyperparameters of an optimizer: their present values, and which can be driven.

    A pure read: nothing of the training changes.

    Args:
        optimizer: an optimizer of ``mindspore.nn``, ``mindspore.experimental.optim`` or
            ``mindspore.mint.optim``, or a subclass.

    Returns:
        Name -> `Hyperparameter`, the learning rate as ``"lr"``.

    Raises:
        TypeError: `optimizer` is not an optimizer.

    Examples:
        >>> from mindspore import nn
        >>> from ms_lr_callbacks import hyperparameters
        >>> known = hyperparameters(nn.RMSProp(nn.Dense(2, 3).trainable_params(), 0.5, weight_decay=0.25))
        >>> [name for name, each in known.items() if each.drivable]
        ['lr', 'weight_decay']
        >>> known["weight_decay"].values
        (0.25,)
        >>> known["decay"].refusal
        'its compiled update takes a constant there and no tensor'
    """
    access = access_to(optimizer)
    step = np.array([access.read_counter() or 0])
    return {
        name: Hyperparameter(name, tuple(float(form.values(step)[0]) for form in place.forms()),
                             tuple(place.bases()), place.refusal)
        for name, place in access.hyperparameters.items()}
