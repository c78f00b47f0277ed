"""The places where an optimizer of ``mindspore.nn`` keeps its hyperparameters.

A `Place` knows how one hyperparameter is read, what its base values are, whether it can be driven,
and if so by which driver. What MindSpore compiles into an operator's attribute cannot be.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Mapping, Optional, Sequence

import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, nn

from ms_lr_callbacks._arrays import Float32Array
from ms_lr_callbacks.optimizers.compilation import Replacement, hidden_parameter
from ms_lr_callbacks.optimizers.driving import Columns, Driver, HeldDriver, TableDriver, columns_of
from ms_lr_callbacks.optimizers.groups import Group
from ms_lr_callbacks.optimizers.parameters import Writer, read, read_number
from ms_lr_callbacks.optimizers.rates import ConstantRate, Rate, ScaledRate, rate_form
from ms_lr_callbacks.optimizers.source import own_source
from ms_lr_callbacks.optimizers.table import DecayTable

Streams = Sequence[Optional[int]]


class Place(ABC):
    """Where an optimizer keeps one hyperparameter.

    Attributes:
        name: the hyperparameter's name, ``"lr"`` for the learning rate.
        refusal: why it cannot be changed while training; None if it can.
        is_common: whether all groups have one value of it.
    """

    is_common = False

    def __init__(self, name: str, refusal: Optional[str] = None) -> None:
        self.name = name
        self.refusal = refusal

    @abstractmethod
    def forms(self) -> list[Rate]:
        """Return each group's value in the form in which the optimizer holds it now."""

    @abstractmethod
    def bases(self) -> list[Optional[float]]:
        """Return what the user gave each group; None where that is not one number."""

    def dynamic(self) -> dict[int, str]:
        """Return, for each group whose value MindSpore computes itself, what it was built with."""
        return {}

    @abstractmethod
    def drive(self, streams: Streams, rows: int, network: Any) -> Driver:
        """Take the hyperparameter in hand for one training.

        Args:
            streams: for each group the number of the schedule that it gets, None to leave it alone.
            rows: for how many updates one write is to bring values, from 1.
            network: the train network, which is compiled again where that is needed.

        Raises:
            ValueError: it cannot be driven in this way.
        """


class ValuePlace(Place):
    """One value for all groups, kept in an attribute: a Parameter, a constant Tensor or a float."""

    is_common = True

    def __init__(self, optimizer: Any, attribute: str, name: str, groups: int, base: Optional[float] = None,
                 factor: float = 1.0, refusal: Optional[str] = None, also: Optional[Mapping[str, Any]] = None) -> None:
        """Describe an attribute.

        Args:
            optimizer: whose attribute it is.
            attribute: the attribute's name.
            name: the hyperparameter's name.
            groups: how many groups the optimizer has.
            base: what the constructor was given, if that is known.
            factor: what the optimizer multiplies the user's value by before it keeps it.
            refusal: see `Place`.
            also: other attributes that have to be replaced for the optimizer to use it.
        """
        super().__init__(name, refusal)
        self._also = dict(also or {})
        self._optimizer = optimizer
        self._attribute = attribute
        self._groups = groups
        self._factor = factor
        # The shortest decimal of the float32: a Tensor of 0.9 was made from 0.9, not from 0.89999998.
        self._base = float(str(np.float32(self._now() / factor))) if base is None else base
        self._hidden: Any = None
        self._replacement: Optional[Replacement] = None

    def forms(self) -> list[Rate]:
        held = getattr(self._optimizer, self._attribute)
        form: Rate = rate_form(held) if isinstance(held, Parameter) and held.ndim == 0 else ConstantRate(self._now())
        return [ScaledRate(form, self._factor) if self._factor != 1.0 else form] * self._groups

    def bases(self) -> list[Optional[float]]:
        return [self._base] * self._groups

    def drive(self, streams: Streams, rows: int, network: Any) -> Driver:
        if len(set(streams)) > 1:
            raise ValueError(
                f"{type(self._optimizer).__name__} has one {self.name} for all its groups, but the schedules differ "
                f"between groups: pass one schedule instead of a list.")
        refuse_rows(rows, self._optimizer, f"it reads {self.name} from an attribute")
        write = Writer(network, self._optimizer)
        columns = columns_of(streams)
        held = getattr(self._optimizer, self._attribute)
        if isinstance(held, Parameter):
            return HeldDriver(columns, [held] * self._groups, write, self._factor)
        if self._hidden is None:
            shape = held.shape if isinstance(held, Tensor) else ()
            self._hidden = hidden_parameter(np.full(shape, self._now(), np.float32), self._attribute)
            self._replacement = Replacement(self._optimizer, {self._attribute: self._hidden, **self._also})
        assert self._replacement is not None
        self._replacement.attach(network)
        return HeldDriver(columns, [self._hidden] * self._groups, write, self._factor, self._replacement, self._keep)

    def _keep(self, values: Float32Array) -> None:
        """Make the last value the constant that a graph compiled later would use."""
        assert self._replacement is not None
        own = self._replacement.own
        number = float(values[0])
        was = own[self._attribute]
        own.update(self._also)
        own[self._attribute] = Tensor(np.full(was.shape, number, np.float32)) if isinstance(was, Tensor) else number

    def _now(self) -> float:
        held = getattr(self._optimizer, self._attribute)
        return float(np.asarray(read(held)).reshape(-1)[0]) if isinstance(held, Tensor) else float(held)


class DecayPlace(Place):
    """The weight decay of ``nn.Optimizer``: a constant, a cell, or one of these for each parameter."""

    def __init__(self, optimizer: Any, groups: Sequence[Group], updater: Any, refusal: Optional[str] = None) -> None:
        """`optimizer` applies the decay; `updater` counts its updates (LARS wraps one)."""
        super().__init__("weight_decay", refusal)
        self._optimizer = optimizer
        self._updater = updater
        self._groups = groups
        self._scale = float(optimizer.loss_scale)
        self.is_common = not optimizer.is_group
        self._table: Optional[DecayTable] = None
        self._hidden: list[Any] = []
        self._held_columns: tuple[Optional[int], ...] = ()
        self._replacement: Optional[Replacement] = None

    def forms(self) -> list[Rate]:
        return [ScaledRate(rate_form(each), self._scale) for each in self._held()]

    def bases(self) -> list[Optional[float]]:
        return [group.base_weight_decay for group in self._groups]

    def drive(self, streams: Streams, rows: int, network: Any) -> Driver:
        columns = columns_of(streams)
        for group, column in zip(self._groups, columns):
            if column is not None and group.base_weight_decay is None:
                raise ValueError(f"The weight decay of group {group.index} was given as a cell, which "
                                 f"{type(self._optimizer).__name__} computes itself; pass a float, or leave that group "
                                 f"alone (None).")
        if not self._optimizer.is_group and len(set(streams)) > 1:
            raise ValueError("The optimizer has one weight decay for all parameters, but the schedules differ.")
        if self._reads_directly():
            refuse_rows(rows, self._optimizer, "it reads self.weight_decay itself")
            return self._drive_held(columns, network)
        if self._table is None or self._table.columns != tuple(columns) or self._table.rows != rows:
            self._table = DecayTable(self._optimizer, self._groups, columns, rows)
        self._table.attach(network)
        return TableDriver(self._table, lambda: int(read_number(self._updater.global_step)), self._scale)

    def _reads_directly(self) -> bool:
        """Return whether the optimizer's own code looks at the attribute and not at get_weight_decay()."""
        cls = type(self._optimizer)
        if self._updater is not self._optimizer:
            # LARS advances global_step once more for each update if its weight decay is a cell.
            return True
        if cls.get_weight_decay is not nn.Optimizer.get_weight_decay:
            return True
        return "self.weight_decay" in own_source(self._optimizer).replace("self.weight_decay = ", "")

    def _held(self) -> list[Any]:
        held = self._optimizer.weight_decay
        return [held[group.positions[0]] if self._optimizer.is_group else held for group in self._groups]

    def _drive_held(self, columns: Columns, network: Any) -> Driver:
        if self._replacement is None or self._held_columns != tuple(columns):
            self._held_columns = tuple(columns)
            self._hidden = [
                None if column is None else hidden_parameter(np.zeros((), np.float32), f"weight_decay_{group.index}")
                for group, column in zip(self._groups, columns)]
            self._replacement = Replacement(self._optimizer, self._held_in_place())
        self._replacement.attach(network)
        return HeldDriver(columns, self._hidden, Writer(network, self._optimizer), self._scale, self._replacement,
                          self._keep)

    def _held_in_place(self) -> dict[str, Any]:
        """Return the attributes that have the optimizer read the hidden Parameters."""
        if not self._optimizer.is_group:
            return {"exec_weight_decay": True, "weight_decay": self._hidden[0]}
        each, flags = list(self._optimizer.weight_decay), list(self._optimizer.decay_flags)
        for group, hidden in zip(self._groups, self._hidden):
            for position in group.positions:
                if hidden is not None:
                    each[position], flags[position] = hidden, True
                elif not isinstance(each[position], Parameter):  # which another callback drives
                    each[position] = hidden_parameter(read(each[position]), f"weight_decay_at_{position}")
        return {"exec_weight_decay": True, "weight_decay": ParameterTuple(each), "decay_flags": tuple(flags)}

    def _keep(self, values: Float32Array) -> None:
        assert self._replacement is not None
        if not self._optimizer.is_group:
            self._replacement.own.update(exec_weight_decay=True, weight_decay=Tensor(np.float32(values[0])))
            return
        for own in (each.own for each in self._replacement.overlapping()):
            decays, flags = list(own["weight_decay"]), list(own["decay_flags"])
            for group, value in zip(self._groups, values):
                for position in group.positions if not np.isnan(value) else ():
                    decays[position], flags[position] = Tensor(np.float32(value)), True
            own.update(exec_weight_decay=True, weight_decay=tuple(decays), decay_flags=tuple(flags))


def refuse_rows(rows: int, optimizer: Any, because: str) -> None:
    """Raise ValueError if values for several updates are to be handed over at once."""
    if rows > 1:
        raise ValueError(f"{type(optimizer).__name__} cannot be handed {rows} values at once, because {because}: under "
                         f"dataset sinking use interval='epoch' with one sink an epoch, or sink_size=1.")
