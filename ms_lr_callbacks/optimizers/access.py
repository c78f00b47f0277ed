"""One optimizer, seen through its groups and its hyperparameters."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from ms_lr_callbacks._arrays import Float32Array
from ms_lr_callbacks.optimizers.catalogue import ALIASES, places_of
from ms_lr_callbacks.optimizers.constructor import constructor_arguments
from ms_lr_callbacks.optimizers.counter import may_count, read_counter, write_counter
from ms_lr_callbacks.optimizers.driving import Driven, Driver, Drivers
from ms_lr_callbacks.optimizers.find import OPTIMIZER_TYPES, inner_optimizer
from ms_lr_callbacks.optimizers.groups import list_groups
from ms_lr_callbacks.optimizers.places import Place, Streams
from ms_lr_callbacks.optimizers.rates import Rate

_ACCESS = "_ms_lr_callbacks_access"


@dataclass
class Progress:
    """How far the trainings that we saw have brought an optimizer.

    Attributes:
        updates: updates done.
        epochs: epochs finished.
        counter: what the optimizer's own counter said then; None during a training, and if not known.
        restored: whether a checkpoint has just brought the optimizer here: then nothing else tells as
            exactly where the next training starts, which may be in the middle of an epoch.
    """

    updates: int = 0
    epochs: int = 0
    counter: Optional[int] = None
    restored: bool = False


class OptimizerAccess:
    """Reads and drives the hyperparameters of one optimizer.

    Attributes:
        optimizer: the optimizer that `Model` or the train cell calls.
        groups: its parameter groups in the user's order.
        progress: what is known of its past.
        drivers: who drives, or drove last, each of its hyperparameters, by name; ``"lr"`` for the
            learning rates. Empty where nobody did.
    """

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        # LARS and its like scale the gradients; the optimizer inside applies the learning rate.
        inner = inner_optimizer(optimizer)
        self._updater = optimizer if inner is None else inner
        self.groups = list_groups(self._updater)
        self.progress = Progress()
        self.drivers: dict[str, Driven] = {}
        self._places = places_of(optimizer, self._updater, self.groups)

    @property
    def name(self) -> str:
        """The optimizer's class, for messages."""
        return type(self.optimizer).__name__

    @property
    def updater(self) -> Any:
        """The optimizer that applies the learning rate: `optimizer`, or the one inside LARS and its like."""
        return self._updater

    @property
    def hyperparameters(self) -> dict[str, Place]:
        """The place of each hyperparameter, by name; ``"lr"`` is the learning rate."""
        return self._places

    def read_counter(self) -> Optional[int]:
        """Return the optimizer's own count of its updates; waits for the device."""
        return read_counter(self._updater)

    def set_updates(self, updates: int) -> None:
        """Have the optimizer go on as one that has done `updates` updates."""
        if self.may_count():
            write_counter(self._updater, updates)
        self.progress = Progress(updates, counter=self.read_counter())
        self.drivers.clear()  # what they remember is not its past any more

    def may_count(self) -> bool:
        """Return whether the optimizer might count its updates itself."""
        return may_count(self._updater)

    def knows_bases(self) -> bool:
        """Return whether base values are the constructor's, and not what was found later."""
        return constructor_arguments(self._updater) is not None

    def place(self, name: str) -> Place:
        """Return the place of a hyperparameter that can be driven.

        Raises:
            ValueError: the optimizer has none of that name, or it cannot be changed while training.
        """
        place = self._places.get(self._key(name))
        can = ", ".join(repr(each.name) for each in self._places.values() if each.refusal is None) or "nothing"
        if place is None:
            raise ValueError(f"{self.name} has no hyperparameter {name!r}; it can change {can}.")
        if place.refusal is not None:
            raise ValueError(f"{name!r} of {self.name} cannot be changed while training: {place.refusal}. It can "
                             f"change {can}.")
        return place

    def refuse_dynamic_rates(self, who: str, remedy: str) -> None:
        """Raise ValueError if a group's learning rate is computed by MindSpore itself.

        Args:
            who: the beginning of the message: who does what with learning rates.
            remedy: its end: what to do.
        """
        for index, built_with in self.place("lr").dynamic().items():
            which = f"group {index}" if len(self.groups) > 1 else f"this {self.name}"
            raise ValueError(f"{who} static learning rates, but {which} was built with {built_with}; {remedy}.")

    def forms(self, name: str) -> list[Rate]:
        """Return each group's hyperparameter `name` in the form in which the optimizer holds it now.

        Groups that share a learning rate have the same form object. Empty if the optimizer has no
        such hyperparameter.
        """
        place = self._places.get(self._key(name))
        return [] if place is None else place.forms()

    def driver(self, name: str) -> Optional[Driven]:
        """Return who drives a hyperparameter, or drove it last; None if nobody did."""
        return self.drivers.get(self._key(name))

    def used_by(self, name: str, update: int) -> Optional[Float32Array]:
        """Return what update number `update`, just done or next, used of a driven hyperparameter.

        One float32 for each group, NaN for groups that are not driven; None if nobody drives it.
        Known on the host: the device is not asked.
        """
        driver = self.driver(name)
        used = None if driver is None else driver.used_by(update)
        return None if used is None else np.asarray(used, np.float32)

    def drive(self, name: str, streams: Streams, rows: int, network: Any) -> Driver:
        """Take a hyperparameter in hand for one training, see `Place.drive`.

        Others may drive it in other groups.

        Raises:
            ValueError: it cannot be driven, or not in this way.
        """
        place = self.place(name)
        driver = place.drive(streams, rows, network)
        others = self.drivers.get(place.name)
        self.drivers[place.name] = driver if others is None else Drivers([others, driver])
        return driver

    def next_rates(self) -> Float32Array:
        """Read what the next update will use, one float32 for each group."""
        return self._rates_at(self.read_counter() or 0)

    def last_rates(self) -> Float32Array:
        """Return what the last update used; before the first update what it will use."""
        counter = self.read_counter()
        rates = self._rates_at(max((counter or 0) - 1, 0))
        if self.progress.updates and self.progress.counter in (None, counter):
            used = self.used_by("lr", self.progress.updates - 1)
            if used is not None:
                rates = np.where(np.isnan(used), rates, used)
        return rates

    def _key(self, name: str) -> str:
        """Return the name under which a hyperparameter is listed: a class may call it by another."""
        return name if name in self._places else ALIASES.get(name, name)

    def _rates_at(self, step: int) -> Float32Array:
        forms = self.forms("lr")
        known: dict[int, np.float32] = {}
        for form in forms:
            if id(form) not in known:
                known[id(form)] = form.values(np.array([step]))[0]
        return np.array([known[id(form)] for form in forms], np.float32)


def access_to(optimizer: Any) -> OptimizerAccess:
    """Return the access to `optimizer`, always the same object for the same optimizer.

    Raises:
        TypeError: `optimizer` is not an optimizer.
    """
    if not isinstance(optimizer, OPTIMIZER_TYPES):
        raise TypeError(f"optimizer must be a mindspore.nn.Optimizer or a mindspore.experimental.optim.Optimizer, "
                        f"but got {type(optimizer).__name__}.")
    access: Optional[OptimizerAccess] = optimizer.__dict__.get(_ACCESS)
    if access is None or access.optimizer is not optimizer:
        access = OptimizerAccess(optimizer)
        object.__setattr__(optimizer, _ACCESS, access)
    return access
