"""The whole state of a training, kept aside and put back."""
from __future__ import annotations

import dataclasses
from typing import Any

from ms_lr_callbacks.training.loss_scale import capture_loss_scale, restore_loss_scale
from ms_lr_callbacks.optimizers import OptimizerAccess
from ms_lr_callbacks.optimizers.host import HostMemory, write
from ms_lr_callbacks.optimizers.inventory import Inventory


class TrainingSnapshot:
    """A copy, in host memory, of everything that training steps change.

    Weights, running means, the optimizer with its counters and learning rates, what the train cell
    holds, the loss scale, and what this package knows of the optimizer's past. Not the random
    numbers of dropout, which MindSpore cannot set back.
    """

    def __init__(self, train_network: Any, access: OptimizerAccess, loss_scale_manager: Any) -> None:
        self._access = access
        self._manager = loss_scale_manager
        self._sections = Inventory.of(train_network, access.optimizer).sections()
        for section in self._sections.values():
            for parameter in section.values():
                if parameter.has_init:
                    parameter.init_data()
        self._records = HostMemory().copy(self._sections)
        self._loss_scale = capture_loss_scale(loss_scale_manager)
        self._progress = dataclasses.replace(access.progress)
        self._drivers = dict(access.drivers)

    def restore(self) -> None:
        """Put everything back, so that a training that was compiled before goes on from there."""
        for name, section in self._sections.items():
            for key, parameter in section.items():
                write(parameter, self._records[name][key])
        restore_loss_scale(self._manager, self._loss_scale)
        vars(self._access.progress).update(vars(self._progress))
        self._access.drivers.clear()
        self._access.drivers.update(self._drivers)
