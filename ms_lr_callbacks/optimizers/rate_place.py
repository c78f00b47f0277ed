"""The learning rate of a ``mindspore.nn`` or experimental optimizer as a `Place`."""
from __future__ import annotations

import re
from typing import Any, Optional, Sequence

from mindspore import nn

from ms_lr_callbacks.optimizers.driving import Driver, HeldDriver, TableDriver, columns_of
from ms_lr_callbacks.optimizers.groups import Group
from ms_lr_callbacks.optimizers.parameters import Writer, read_number
from ms_lr_callbacks.optimizers.places import Place, Streams
from ms_lr_callbacks.optimizers.rates import ConvertedRate, Rate, rate_form
from ms_lr_callbacks.optimizers.source import has_source, is_mindspores, own_source, update_source
from ms_lr_callbacks.optimizers.table import RateTable

_ONE_RATE = "it applies one learning rate to all groups"


class RatePlace(Place):
    """The learning rate: one scalar Parameter, one for each group, or computed by MindSpore."""

    def __init__(self, updater: Any, groups: Sequence[Group], refusal: Optional[str] = None, outer: Any = None) -> None:
        """`updater`: the optimizer that applies the rate; `outer`: the one that wraps it, or None."""
        super().__init__("lr", refusal)
        self._outer = outer
        self._updater = updater
        self._groups = groups
        self._table: Optional[RateTable] = None
        self._known: dict[int, tuple[Any, Rate]] = {}

    def forms(self) -> list[Rate]:
        return [self._form(self._held(group)) for group in self._groups]

    def bases(self) -> list[Optional[float]]:
        parameters = [form.parameter for form in self.forms()]
        return [read_number(parameter) if group.base_lr is None and parameter is not None else group.base_lr
                for group, parameter in zip(self._groups, parameters)]

    def dynamic(self) -> dict[int, str]:
        return {index: form.description for index, form in enumerate(self.forms()) if form.parameter is None}

    def drive(self, streams: Streams, rows: int, network: Any) -> Driver:
        forms = self.forms()
        columns = columns_of(streams)
        self._check_static(streams)
        driven = [form for form, stream in zip(forms, streams) if stream is not None]
        separate = _share_but_differ(forms, streams)
        must = [reason for reason, applies in (
            ("groups that share one learning rate get different schedules", separate),
            ("static and dynamic rates are mixed, which MindSpore rounds",
             any(isinstance(form, ConvertedRate) for form in driven)),
            (f"the values of {rows} updates are to be handed over at once", rows > 1)) if applies]
        several = len({id(form.parameter) for form in driven}) > 1
        refusal = self._why_no_table(separate or several, rows)
        if must and refusal is not None:
            raise ValueError(
                f"{type(self._updater).__name__} cannot read its learning rate from a table, because {refusal}; but "
                f"{' and '.join(must)}. {_remedy(refusal, len(must) > (rows > 1), rows)}")
        if not must and (not several or refusal is not None):
            return HeldDriver(columns, [form.parameter for form in forms], Writer(network, self._updater))
        if self._table is None or self._table.columns != tuple(columns) or self._table.rows != rows:
            self._table = RateTable(self._updater, self._groups, columns, rows)
        self._table.attach(network)
        return TableDriver(self._table, lambda: int(read_number(self._updater.global_step)))

    def _held(self, group: Group) -> Any:
        if not isinstance(self._updater, nn.Optimizer):
            return self._updater.param_groups[group.index]["lr"]
        held = self._updater.learning_rate
        return held[group.positions[0]] if self._updater.is_group_lr else held

    def _form(self, held: Any) -> Rate:
        """Return the form of a held rate, always the same object for the same rate."""
        known = self._known.get(id(held))
        if known is None or known[0] is not held:
            known = self._known[id(held)] = (held, rate_form(held))
        return known[1]

    def _check_static(self, streams: Streams) -> None:
        for index, built_with in self.dynamic().items():
            if streams[index] is not None:
                which = f"group {index}" if len(streams) > 1 else f"this {type(self._updater).__name__}"
                raise ValueError(
                    f"LRScheduler drives static learning rates, but {which} was built with {built_with}; pass "
                    f"a float, or drop LRScheduler for that group (None).")

    def _why_no_table(self, separate: bool, rows: int) -> Optional[str]:
        """Return why the rate cannot be read from a table, or None if it can.

        `separate`: whether groups that MindSpore gives one common rate must get their own.
        """
        updater = self._updater
        if not isinstance(updater, nn.Optimizer):
            return "it is not a mindspore.nn optimizer"
        if self._outer is not None and getattr(self._outer, "use_clip", True) and re.search(
                r"\bget_lr\(|learning_rate\b", update_source(self._outer)):
            return f"{type(self._outer).__name__} around it reads the rate too"
        if separate and isinstance(updater, (nn.FTRL, nn.AdaFactor)):
            return _ONE_RATE
        if type(updater).get_lr is not nn.Optimizer.get_lr:
            return "it has a get_lr() of its own"
        if not has_source(updater):
            return "its source, which tells how it reads the rate, cannot be seen"
        source = own_source(updater)
        # A user's constructor may have kept the rate elsewhere.
        if "self.learning_rate" in (update_source(updater) if is_mindspores(type(updater)) else source):
            return "it reads self.learning_rate itself instead of calling get_lr()"
        if rows > 1 and "global_step" not in source:
            return "it never advances global_step, which tells one row of a table from the next"
        if separate and "is_group_lr" not in source:
            return _ONE_RATE
        return None


def _remedy(refusal: str, groups_differ: bool, rows: int) -> str:
    """Say what to do without a table."""
    remedies = []
    if groups_differ:
        remedies.append("pass one schedule for all groups" if refusal == _ONE_RATE else
                        "give each group its own lr= in the optimizer's constructor, all of them numbers")
    if rows > 1:
        remedies.append("use lookahead=1, and under dataset sinking sink_size=1 or interval='epoch'")
    text = "; ".join(remedies)
    return f"{text[0].upper()}{text[1:]}."


def _share_but_differ(forms: Sequence[Rate], streams: Streams) -> bool:
    """Return whether groups with one common Parameter are to be driven differently."""
    by_parameter: dict[int, set[Optional[int]]] = {}
    for form, stream in zip(forms, streams):
        if form.parameter is not None:
            by_parameter.setdefault(id(form.parameter), set()).add(stream)
    return any(len(each) > 1 for each in by_parameter.values())
