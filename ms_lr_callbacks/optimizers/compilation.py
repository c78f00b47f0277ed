"""Replacing what a compiled optimizer reads, and making MindSpore compile it again.

Both ways of compiling (a whole train network in GRAPH_MODE, an optimizer's ``@jit`` construct in
PYNATIVE_MODE) look a compiled graph up by a key that holds the cell's time of creation. A new time
of creation therefore makes the next call compile what the cell holds now. MindSpore 2.7 to 2.10.
"""
from __future__ import annotations

import itertools
import time
from typing import Any, Mapping, Optional

from mindspore import Parameter, ParameterTuple, Tensor, nn

from ms_lr_callbacks.optimizers.internals import jit_graph_keys

_NUMBERS = itertools.count()
_ATTACHED = "_ms_lr_callbacks_attached"


class Replacement:
    """Attributes of an optimizer that stand in for its own while it is driven.

    Two callbacks that drive different groups both replace the same attributes, the second those of the
    first. Whoever is given back first, the optimizer has its own again when both are.
    """

    def __init__(self, owner: Any, attributes: Mapping[str, Any]) -> None:
        """`attributes`: the new value of each attribute. Nothing changes before `attach`."""
        self._owner = owner
        self._new = dict(attributes)
        self.own = {name: self._get(name) for name in attributes}
        self._network: Any = None
        self._graphs: Optional[frozenset[str]] = None
        self._is_used = False

    def attach(self, network: Any) -> None:
        """Put the new attributes in place, so that the next call of `network` uses them.

        Compiles again unless every graph of `network` was compiled with the new attributes.
        """
        attached = _attached_to(self._owner)
        if self in attached.replacements:
            attached.replacements.remove(self)
        else:
            self.own = {name: self._get(name) for name in self._new}  # the user may have changed them since
        attached.replacements.append(self)
        self._is_used = True
        for name, value in self._new.items():
            self._set(name, value)
        graphs = _graphs_of(network, self._owner)
        if self._graphs is None or graphs is None or not graphs <= self._graphs:
            _compile_anew(network, self._owner)
        self._network = network

    def detach(self) -> None:
        """Put the optimizer's own attributes back; graphs that were compiled keep the new ones.

        Attributes that were replaced once more in the meantime are put back together with those.
        """
        # Before the new cells leave: `attach` looks for the graphs of exactly the same cells.
        self._graphs = _graphs_of(self._network, self._owner)
        self._is_used = False
        attached = _attached_to(self._owner)
        if self not in attached.replacements:  # put back before, by a state that was loaded while it was attached
            attached.replacements.append(self)
        for each in reversed(list(attached.replacements)):
            if not each._is_used and each.overlapping()[-1] is each:
                for name, value in each.own.items():
                    each._set(name, value)
                attached.replacements.remove(each)
        if not attached.replacements:
            attached.restore_order()
            self._owner.__dict__.pop(_ATTACHED, None)

    def overlapping(self) -> list[Replacement]:
        """Return the attached replacements of the same attributes, this one among them, in their order."""
        attached: Optional[_Attached] = self._owner.__dict__.get(_ATTACHED)
        others = [] if attached is None else attached.replacements
        return [each for each in others if each.own.keys() & self.own.keys()] or [self]

    def _get(self, name: str) -> Any:
        return getattr(self._owner, name)

    def _set(self, name: str, value: Any) -> None:
        _set_attribute(self._owner, name, value)


class _Attached:
    """The replacements of one optimizer's attributes, and the order in which it had its Parameters.

    An attribute that is taken away and put back comes last among the Parameters of a cell; the order
    is that of a checkpoint's entries, and of ``get_parameters()``.
    """

    def __init__(self, owner: Any) -> None:
        self.replacements: list[Replacement] = []
        self._owner = owner
        self._order = {table: list(getattr(owner, table, ())) for table in ("_params", "_cells")}

    def restore_order(self) -> None:
        for table, names in self._order.items():
            held = getattr(self._owner, table, {})
            present = [name for name in names if name in held]
            for name in [*present, *(name for name in list(held) if name not in names)]:
                held[name] = held.pop(name)


def _attached_to(owner: Any) -> _Attached:
    attached: Optional[_Attached] = owner.__dict__.get(_ATTACHED)
    if attached is None:
        attached = _Attached(owner)
        object.__setattr__(owner, _ATTACHED, attached)
    return attached


class GroupReplacement(Replacement):
    """Entries of the same name in each of an optimizer's ``param_groups`` that stand in for its own.

    The value of the one attribute, the entry's name, is a list with a value for each group.
    """

    def _get(self, name: str) -> Any:
        return [group[name] for group in self._owner.param_groups]

    def _set(self, name: str, value: Any) -> None:
        for group, each in zip(self._owner.param_groups, value):
            group[name] = each


def hidden_parameter(value: Any, name: str) -> Any:
    """Make a Parameter that a compiled graph reads and no checkpoint holds, see `hide`.

    Its name is its own: a graph that reads two Parameters of one name does not compile.
    """
    return Parameter(Tensor(value), name=f"ms_lr_callbacks_{name}_{next(_NUMBERS)}", requires_grad=False)


def hide(cell: Any, name: str, value: Any) -> None:
    """Give `cell` the attribute `name` without registering it among the cell's Parameters.

    The graph compiler finds it like any other attribute; ``parameters_dict``, and with it every
    checkpoint, does not.
    """
    cell.__dict__[name] = value


def compiled_by_jit(optimizer: Any) -> bool:
    """Return whether PYNATIVE_MODE has compiled a graph of this optimizer that it would use again."""
    keys = jit_graph_keys()
    marks = (f".{id(optimizer)}.", f".{optimizer.create_time}")
    return keys is None or any(all(mark in key for mark in marks) for key in keys)


def _set_attribute(cell: Any, name: str, value: Any) -> None:
    """Set an attribute of a cell also where its kind (number, Parameter, cell) changes.

    A cell keeps attributes of different kinds in different tables and refuses a new kind under an
    old name.
    """
    delattr(cell, name)
    if _is_hidden(value):
        hide(cell, name, value)
    else:
        setattr(cell, name, value)


def _is_hidden(value: Any) -> bool:
    parameters = value if isinstance(value, (ParameterTuple, tuple)) else (value,)
    return any(isinstance(each, Parameter) and each.name.startswith("ms_lr_callbacks_") for each in parameters)


def _cells(network: Any, owner: Any) -> list[Any]:
    inside = [cell for _, cell in network.cells_and_names()] if isinstance(network, nn.Cell) else []
    return [*inside, owner]


def _compile_anew(network: Any, owner: Any) -> None:
    for cell in _cells(network, owner):
        later = max(time.time_ns(), cell.create_time + 1)
        object.__setattr__(cell, "_create_time", later)


def _graphs_of(network: Any, owner: Any) -> Optional[frozenset[str]]:
    """Return the keys of all graphs compiled for these cells; None if MindSpore does not tell."""
    jit = jit_graph_keys()
    if jit is None:
        return None
    cells = _cells(network, owner)
    marks = tuple(f".{id(cell)}." for cell in cells)
    keys = {key for cell in cells for key in cell.compile_cache}
    return frozenset(keys | {key for key in jit if any(mark in key for mark in marks)})
