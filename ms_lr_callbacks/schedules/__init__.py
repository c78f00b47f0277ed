"""Learning-rate and hyperparameter schedules: immutable values, ``schedule(t, base) -> float``.

``t`` counts updates from 0; ``base`` is what the optimizer was constructed with. Names, arguments
and numbers are those of ``torch.optim.lr_scheduler``, called in a loop. NumPy is all they need;
``to_cell`` alone imports MindSpore, and ``plot`` alone matplotlib, when they are called.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

from ms_lr_callbacks.schedules.base import Schedule, ScheduleLike
from ms_lr_callbacks.schedules.beyond import InverseSqrtLR, NoamLR, WarmupStableDecayLR
from ms_lr_callbacks.schedules.chain import ChainedScheduler, ProductLR
from ms_lr_callbacks.schedules.config import from_config, to_config
from ms_lr_callbacks.schedules.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from ms_lr_callbacks.schedules.cyclic import CyclicLR
from ms_lr_callbacks.schedules.factors import (ConstantLR, ExponentialLR, LinearLR, MultiStepLR,
                                               PolynomialLR, StepLR)
from ms_lr_callbacks.schedules.lambdas import LambdaLR, MultiplicativeLR
from ms_lr_callbacks.schedules.onecycle import OneCycleLR, OneCycleMomentum
from ms_lr_callbacks.schedules.plot import plot
from ms_lr_callbacks.schedules.sequence import SequentialLR
from ms_lr_callbacks.schedules.swa import SWALR
from ms_lr_callbacks.schedules.table import to_list, values
from ms_lr_callbacks.schedules.warmup import Warmup, warmup

if TYPE_CHECKING:
    from mindspore.nn.learning_rate_schedule import LearningRateSchedule

__all__ = [
    "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR",
    "ExponentialLR", "InverseSqrtLR", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "NoamLR",
    "OneCycleLR", "OneCycleMomentum", "PolynomialLR", "ProductLR", "SWALR", "Schedule", "SequentialLR",
    "StepLR", "Warmup", "WarmupStableDecayLR", "from_config", "plot", "to_cell", "to_config", "to_list",
    "values", "warmup",
]


def to_cell(schedule: ScheduleLike, base: float, *, total_steps: Optional[int] = None
            ) -> LearningRateSchedule:
    """Return ``schedule`` as a MindSpore cell, for ``learning_rate=`` of any ``mindspore.nn`` optimizer.

    The cell computes the value inside the graph, in float32, from the optimizer's own step counter;
    it holds no table of values. A schedule without a closed form (a function of the user, or a
    ``ChainedScheduler`` whose parts do not just multiply) needs ``total_steps``: the cell then holds
    that many values and keeps the last one.

    Args:
        schedule: a schedule or a function ``f(t, base) -> float``.
        base: the base value.
        total_steps: number of updates, an int >= 1; only looked at if there is no closed form.

    Returns:
        A ``LearningRateSchedule`` cell for GRAPH_MODE and PYNATIVE_MODE. It takes int32 steps of any
        shape and gives float32 values of the same shape, equal to ``schedule(t, base)`` to float32 rounding.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: there is no closed form and ``total_steps`` is not given.

    Example:
        >>> from mindspore import Tensor
        >>> from ms_lr_callbacks.schedules import StepLR, to_cell
        >>> to_cell(StepLR(step_size=2, gamma=0.5), base=0.5)(Tensor([0, 1, 2, 4])).asnumpy()
        array([0.5  , 0.5  , 0.25 , 0.125], dtype=float32)
    """
    from ms_lr_callbacks.schedules.cell import schedule_cell

    return schedule_cell(schedule, base, total_steps)


def __dir__() -> Any:
    return sorted(__all__)
