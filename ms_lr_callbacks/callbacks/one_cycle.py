"""The one-cycle policy as one call."""
from __future__ import annotations

from typing import Any, Union

from ms_lr_callbacks.callbacks.hyperparameter_scheduler import HyperparameterScheduler
from ms_lr_callbacks.callbacks.lr_scheduler import LRScheduler
from ms_lr_callbacks.training.run import TrainingRun
from ms_lr_callbacks.schedules import CyclicLR, OneCycleLR


def one_cycle(max_lr: float, total_steps: int, **arguments: Any) -> list[Any]:
    """Cycle the learning rate and, against it, momentum (or beta1), as torch's ``OneCycleLR`` does.

    Args:
        max_lr: the highest learning rate, > 0; what the optimizer was given plays no part.
        total_steps: length of the cycle in updates, a whole number > 0.
        **arguments: the other arguments of `schedules.OneCycleLR`: ``pct_start``,
            ``anneal_strategy``, ``cycle_momentum``, ``base_momentum``, ``max_momentum``,
            ``div_factor``, ``final_div_factor``, ``three_phase``.

    Returns:
        The callbacks for ``Model.train``, one that drives the learning rate and, unless
        ``cycle_momentum=False``, one that drives the optimizer's momentum or, as torch does for the
        Adam family, its beta1.

    Raises:
        TypeError, ValueError: as `schedules.OneCycleLR`.

    Source: L. N. Smith and N. Topin, "Super-Convergence", 2018; ``torch.optim.lr_scheduler.OneCycleLR``.

    Examples:
        >>> from ms_lr_callbacks import one_cycle
        >>> callbacks = one_cycle(max_lr=0.1, total_steps=1000)
        >>> # model.train(10, dataset, callbacks=[*callbacks, LRMonitor("runs/tb")])
    """
    return cycled(OneCycleLR(max_lr, total_steps, **arguments))


def cycled(schedule: Union[OneCycleLR, CyclicLR]) -> list[Any]:
    """Return the callbacks that follow a cycle of the learning rate and its inverse of the momentum.

    Args:
        schedule: a `schedules.OneCycleLR` or `schedules.CyclicLR`.

    Returns:
        As `one_cycle`.

    Examples:
        >>> from ms_lr_callbacks.callbacks.one_cycle import cycled
        >>> from ms_lr_callbacks.schedules import CyclicLR
        >>> len(cycled(CyclicLR(0.001, 0.1, step_size_up=100)))
        2
    """
    callbacks: list[Any] = [LRScheduler(schedule)]
    if schedule.cycle_momentum:
        callbacks.append(MomentumScheduler(schedule.momentum_schedule()))
    return callbacks


class MomentumScheduler(HyperparameterScheduler):
    """Drives the momentum of an optimizer or, where it has none, its beta1.

    Args:
        schedule: as for `HyperparameterScheduler`.

    Examples:
        >>> from ms_lr_callbacks.callbacks.one_cycle import MomentumScheduler
        >>> callback = MomentumScheduler(lambda t, base: 0.95)
    """

    def __init__(self, schedule: Any) -> None:
        super().__init__("momentum", schedule)

    def on_train_begin(self, run_context: Any) -> None:
        """Take the momentum in hand, under the name that it has in this optimizer."""
        known = TrainingRun.of(run_context).access.hyperparameters
        self._given_name = "beta1" if "momentum" not in known and "beta1" in known else "momentum"
        super().on_train_begin(run_context)
