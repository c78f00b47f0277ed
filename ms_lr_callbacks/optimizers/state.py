"""The state of an optimizer in torch's layout.

``state[i]`` holds what is kept for parameter i, numbered through all groups in the user's order, under
the names that the optimizer gives it (``moments``, ``moment1``, ``exp_avg``, ...); what MindSpore keeps
once for all parameters (``beta1_power``) stands in each, as torch's ``step`` does.
"""
from __future__ import annotations

from typing import Any, Mapping, Optional

import numpy as np

from ms_lr_callbacks._arrays import AnyArray
from ms_lr_callbacks.checkpoint import TensorRecord
from ms_lr_callbacks.optimizers.access import OptimizerAccess, access_to
from ms_lr_callbacks.optimizers.describe import base_values, rate_kinds, values_of
from ms_lr_callbacks.optimizers.find import find_optimizer
from ms_lr_callbacks.optimizers.host import dtype_name, look, narrowed, widened, write
from ms_lr_callbacks.optimizers.slots import Slots
from ms_lr_callbacks.optimizers.state_layout import GivenState

_STATIC = "a number"


def state_dict(optimizer: Any) -> dict[str, Any]:
    """Return the state of an optimizer in torch's layout, as copies in host memory.

    Args:
        optimizer: an optimizer of ``mindspore.nn``, ``mindspore.experimental.optim`` or
            ``mindspore.mint.optim``, or one that derives from these.

    Returns:
        ``"state"``: for each parameter, by its number, a dict of NumPy arrays in the Parameters'
        types (bfloat16 as float32). ``"param_groups"``: for each group ``lr`` (what the next update
        uses), ``initial_lr`` (what the constructor was given), ``lr_form`` (``"a number"``, or the
        class of its schedule), ``weight_decay`` and the other hyperparameters (``betas``, ``eps``,
        ``momentum``, ...) as floats, and ``params``, the numbers of its parameters.
        ``"global_step"``: updates done.

    Raises:
        ValueError: `optimizer` is not an optimizer.

    Examples:
        >>> import mindspore as ms
        >>> from mindspore import nn
        >>> from ms_lr_callbacks import state_dict
        >>> weight = ms.Parameter(ms.Tensor([1.0, 2.0]), name="weight")
        >>> state = state_dict(nn.Momentum([weight], 0.25, 0.9))
        >>> state["param_groups"][0]["lr"], state["param_groups"][0]["params"], state["global_step"]
        (0.25, [0], 0)
        >>> state["state"][0]["moments"]
        array([0., 0.], dtype=float32)
    """
    access = access_to(find_optimizer(None, optimizer))
    slots = Slots.of(access)
    shared = {name: _copy(each) for name, each in slots.shared.items()}
    return {
        "state": {index: {**{name: _copy(each) for name, each in own.items()},
                          **{name: value.copy() for name, value in shared.items()}}
                  for index, own in enumerate(slots.own)},
        "param_groups": _groups(access),
        "global_step": access.read_counter() or access.progress.updates,
    }


def load_state_dict(optimizer: Any, state: Mapping[str, Any], strict: bool = True) -> list[str]:
    """Load what `state_dict` returned, so that the next update is the one that would have come.

    Tensors and static learning rates are seen at once by a training in either mode. A hyperparameter
    that MindSpore compiles in as a constant is set for graphs that are compiled from now on.

    Args:
        optimizer: an optimizer of the same class, with the same groups.
        state: what `state_dict` returned.
        strict: True refuses a state that does not fit and changes nothing. False loads what fits.

    Returns:
        What did not fit and was left alone; empty with ``strict=True``.

    Raises:
        TypeError: `state` is no mapping.
        ValueError: `optimizer` is not an optimizer; or, with ``strict=True``, `state` does not fit, and
            everything that does not is listed.

    Examples:
        >>> import mindspore as ms
        >>> from mindspore import nn
        >>> from ms_lr_callbacks import get_lr, load_state_dict, state_dict
        >>> weight = ms.Parameter(ms.Tensor([1.0, 2.0]), name="weight")
        >>> saved = state_dict(nn.Momentum([weight], 0.25, 0.9))
        >>> other = nn.Momentum([weight], 0.5, 0.9)
        >>> load_state_dict(other, saved)
        []
        >>> get_lr(other)
        [0.25]
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"state must be what state_dict returns, but got {type(state).__name__}.")
    access = access_to(find_optimizer(None, optimizer))
    given = GivenState(state, _groups(access))
    plan = Plan(access)
    plan.problems += given.problems
    plan.add_tensors(given.tensors)
    if given.groups is not None:
        plan.add_groups(given.groups)
    if strict and plan.problems:
        raise ValueError(f"The state does not fit this {access.name}; nothing was changed. Build the optimizer as the "
                         f"one it was taken from, or pass strict=False to load what fits:\n- "
                         + "\n- ".join(plan.problems))
    plan.carry_out()
    if given.updates is not None:
        access.set_updates(given.updates)
    return plan.problems


class Plan:
    """What is going to be written, and what does not fit."""

    def __init__(self, access: OptimizerAccess) -> None:
        self.problems: list[str] = []
        self._access = access
        self._writes: dict[int, tuple[Any, AnyArray]] = {}
        self._values: dict[str, list[float]] = {}

    def add_tensors(self, state: Mapping[int, Mapping[str, Any]]) -> None:
        """Compare and note the tensors of each parameter."""
        slots = Slots.of(self._access)
        self.problems += [f"there is no parameter {index}" for index in state
                          if index not in range(len(slots.order))]
        for index, parameter in enumerate(slots.order):
            wanted, saved = {**slots.own[index], **slots.shared}, state.get(index, {})
            where = f"parameter {index} ({parameter.name})"
            self.problems += [f"{where}: {name} is missing" for name in wanted if name not in saved]
            self.problems += [f"{where}: unexpected {name}" for name in saved if name not in wanted]
            for name, target in wanted.items():
                if name in saved:
                    self._add_tensor(f"{where}: {name}", target, np.asarray(saved[name]))

    def add_groups(self, groups: Any) -> None:
        """Compare and note the hyperparameters."""
        now = _groups(self._access)
        if len(groups) != len(now):
            self.problems.append(f"there are {len(groups)} parameter groups instead of {len(now)}")
            return
        for index, (saved, own) in enumerate(zip(groups, now)):
            if list(saved.get("params", own["params"])) != own["params"]:
                self.problems.append(f"group {index} has {len(saved['params'])} parameters instead of "
                                     f"{len(own['params'])}, or others")
            if saved.get("lr_form", own["lr_form"]) != own["lr_form"]:
                self.problems.append(f"lr of group {index} was {saved['lr_form']} and is {own['lr_form']}")
        flat = [_flat(group) for group in groups]
        for name, place in self._access.hyperparameters.items():
            values = values_of(self._access, name, False, 0)
            if values is not None:
                self._add_values(name, place.refusal, values, [group.get(name) for group in flat], now)

    def carry_out(self) -> None:
        """Write everything that was noted."""
        for target, value in self._writes.values():
            write(target, _record(target, value))
        for name, values in self._values.items():
            # Groups of one value are one stream: a hyperparameter that they share is not set apart.
            distinct = list(dict.fromkeys(value for value in values if not np.isnan(value)))
            streams = [None if np.isnan(value) else distinct.index(value) for value in values]
            driver = self._access.place(name).drive(streams, 1, None)
            driver.write(0, np.array([distinct]))
            driver.release(0)

    def _add_tensor(self, what: str, target: Any, value: AnyArray) -> None:
        held = "float32" if dtype_name(target) == "bfloat16" else dtype_name(target)
        if (value.dtype.name, value.shape) != (held, tuple(target.shape)):
            self.problems.append(f"{what} is {value.dtype.name} {value.shape} instead of {held} "
                                 f"{tuple(target.shape)}")
            return
        if dtype_name(target) == "bfloat16" and (np.ascontiguousarray(value).view(np.uint32) & 0xFFFF).any():
            self.problems.append(f"{what} is bfloat16 and has to be given values that bfloat16 does not hold exactly")
            return
        before = self._writes.setdefault(id(target), (target, value))[1]
        if before.tobytes() != value.tobytes():
            self.problems.append(f"{what} differs between parameters, which share it")

    def _add_values(self, name: str, refusal: Optional[str], now: list[Optional[float]], saved: list[Any],
                    groups: list[dict[str, Any]]) -> None:
        """Note one hyperparameter for all groups, if any of them is to change."""
        if name == "lr":
            saved = [value if group["lr_form"] == _STATIC else None for value, group in zip(saved, groups)]
        target = [np.nan if was is None or value is None else float(was) for was, value in zip(saved, now)]
        if all(np.isnan(a) or np.float32(a) == np.float32(b) for a, b in zip(target, now)):
            return
        if name == "lr" and any(form.parameter is not None for form in self._access.forms("lr")):
            self._add_rates(target)
        elif refusal is not None:
            self.problems.append(f"{name} was {saved} and is {now}, and it cannot be changed: {refusal}")
        elif self._access.hyperparameters[name].is_common and len(set(target)) > 1:
            self.problems.append(f"{name} was {saved}, but the optimizer has one for all groups")
        else:
            self._values[name] = target

    def _add_rates(self, target: list[float]) -> None:
        """Note static learning rates; groups may share one."""
        seen: dict[int, float] = {}
        for index, (form, value) in enumerate(zip(self._access.forms("lr"), target)):
            parameter = form.parameter
            if parameter is None or np.isnan(value):
                continue
            if seen.setdefault(id(parameter), value) != value:
                self.problems.append(f"lr of group {index} is {value}, but it shares its learning rate with a group "
                                     f"that has {seen[id(parameter)]}")
            self._writes[id(parameter)] = (parameter, np.full(parameter.shape, value, np.float32))


def _groups(access: OptimizerAccess) -> list[dict[str, Any]]:
    columns = {name: values_of(access, name, False, 0) for name in access.hyperparameters}
    bases, kinds = base_values(access)["lr"], rate_kinds(access, False)
    groups: list[dict[str, Any]] = []
    first = 0
    for group in access.groups:
        values: dict[str, Any] = {name: column[group.index] for name, column in columns.items()
                                  if column is not None}
        if "beta1" in values and "beta2" in values:
            values["betas"] = (values.pop("beta1"), values.pop("beta2"))
        count = len(group.positions)
        groups.append({**values, "initial_lr": bases[group.index], "lr_form": kinds[group.index],
                       "params": list(range(first, first + count))})
        first += count
    return groups


def _flat(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return a group with beta1 and beta2 in the place of betas."""
    flat = dict(group)
    if "betas" in flat:
        flat["beta1"], flat["beta2"] = flat.pop("betas")
    return flat


def _copy(parameter: Any) -> AnyArray:
    value = look(parameter)
    return widened(value) if value.dtype == "bfloat16" else np.array(value.array)


def _record(target: Any, value: AnyArray) -> TensorRecord:
    return narrowed(value) if dtype_name(target) == "bfloat16" else TensorRecord.of(value)
