"""The hyperparameters of ``mindspore.experimental.optim`` and ``mindspore.mint.optim``.

Their ``param_groups`` are plain dictionaries, and all but the learning rate are plain numbers there,
folded into the compiled graph. Some work as Parameters too; the lists say which, and the tests train
each of them. Where a Parameter compiles but gives wrong updates (eps of Adam, for example), or does
not compile, the hyperparameter is refused.
"""
from __future__ import annotations

from typing import Any, Optional

import numpy as np

from ms_lr_callbacks._arrays import Float32Array
from ms_lr_callbacks.optimizers.compilation import GroupReplacement, hidden_parameter
from ms_lr_callbacks.optimizers.driving import Driver, HeldDriver, columns_of
from ms_lr_callbacks.optimizers.internals import mint_sgd_takes_parameters
from ms_lr_callbacks.optimizers.parameters import Writer
from ms_lr_callbacks.optimizers.places import Place, Streams, refuse_rows
from ms_lr_callbacks.optimizers.rates import ConstantRate, Rate, rate_form

_REASON = "its compiled update takes a constant there"

# Module and class -> the entries of the groups that work as Parameters.
_DRIVEN: dict[tuple[str, str], tuple[str, ...]] = {
    ("experimental", "Adadelta"): ("weight_decay",),
    ("experimental", "Adagrad"): ("weight_decay", "lr_decay"),
    ("experimental", "Adam"): ("weight_decay",),
    ("experimental", "Adamax"): ("weight_decay",),
    ("experimental", "AdamW"): ("weight_decay",),
    ("experimental", "ASGD"): ("weight_decay",),
    ("experimental", "NAdam"): ("weight_decay",),
    ("experimental", "RAdam"): ("weight_decay",),
    ("experimental", "RMSprop"): ("weight_decay",),
    ("experimental", "SGD"): ("momentum",),
    ("mint", "Adam"): ("weight_decay",),
    ("mint", "SGD"): ("weight_decay", "momentum", "dampening", "lr_float") if mint_sgd_takes_parameters() else (),
}


class GroupPlace(Place):
    """A number in each of the ``param_groups``."""

    def __init__(self, optimizer: Any, key: str, name: str, index: Optional[int] = None) -> None:
        """`index`: which of the numbers, where the group holds a pair (``betas``)."""
        super().__init__(name, None if key in _driven(optimizer) else _REASON)
        self._optimizer = optimizer
        self._key = key
        self._index = index
        self._bases = self._numbers()
        self._hidden: list[Any] = []
        self._replacement: Optional[GroupReplacement] = None

    def forms(self) -> list[Rate]:
        if self._index is None:
            return [rate_form(group[self._key]) for group in self._optimizer.param_groups]
        return [ConstantRate(value) for value in self._numbers()]

    def bases(self) -> list[Optional[float]]:
        return list(self._bases)

    def drive(self, streams: Streams, rows: int, network: Any) -> Driver:
        refuse_rows(rows, self._optimizer, f"it keeps {self.name} in its param_groups")
        if self._replacement is None:
            self._hidden = [hidden_parameter(np.array(value, np.float32), f"{self._key}_{index}")
                            for index, value in enumerate(self._numbers())]
            self._replacement = GroupReplacement(self._optimizer, {self._key: self._hidden})
        write = Writer(network, self._optimizer)
        numbers = self._numbers()  # in groups that are left alone the user may have changed them since
        self._replacement.attach(network)
        for hidden, number in zip(self._hidden, numbers):
            write(hidden, np.float32(number))
        return HeldDriver(columns_of(streams), self._hidden, write, replacement=self._replacement,
                          on_release=self._keep)

    def _keep(self, values: Float32Array) -> None:
        """Make the last values the constants that a graph compiled later would use."""
        assert self._replacement is not None
        own = self._replacement.own
        own[self._key] = [was if np.isnan(value) else float(value) for was, value in zip(own[self._key], values)]

    def _numbers(self) -> list[float]:
        values = [group[self._key] for group in self._optimizer.param_groups]
        return [float(value if self._index is None else value[self._index]) for value in values]


def group_places(optimizer: Any) -> list[Place]:
    """Return the places of all numbers in the groups; the learning rate only where that is a plain number."""
    places: list[Place] = []
    for key, value in optimizer.param_groups[0].items():
        if key == "betas":
            places += [GroupPlace(optimizer, key, f"beta{index + 1}", index) for index in range(len(value))]
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            places.append(GroupPlace(optimizer, key, "lr" if key == "lr_float" else key))
    return places


def _driven(optimizer: Any) -> tuple[str, ...]:
    for cls in type(optimizer).__mro__:
        package = cls.__module__.split(".")
        if package[0] == "mindspore" and len(package) > 1 and (package[1], cls.__name__) in _DRIVEN:
            return _DRIVEN[package[1], cls.__name__]
    return ()
