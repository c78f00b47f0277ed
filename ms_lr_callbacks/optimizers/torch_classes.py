"""What torch's optimizers keep, and how their ``state_dict()`` is read without importing torch."""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Callable, Mapping, Optional

import numpy as np

from ms_lr_callbacks._arrays import AnyArray

Group = Mapping[str, Any]


def _always(group: Group) -> bool:
    return True


@dataclass(frozen=True)
class TorchClass:
    """One class of ``torch.optim``.

    Attributes:
        name: its name.
        numbers: the entries of its groups that are numbers (``betas`` a pair) and enter the update.
        flags: the entries that are switches and enter the update.
        rest: further entries, which say how and not what torch computes, with a value for each.
        tensors: what it keeps for a parameter -> whether the update reads it with this group's entries.
        counts: whether it keeps ``step`` for each parameter.
    """

    name: str
    numbers: tuple[str, ...]
    flags: tuple[str, ...]
    rest: Mapping[str, Any]
    tensors: Mapping[str, Callable[[Group], bool]]
    counts: bool = True


_HOW = {"foreach": None, "differentiable": False}
_CAPTURABLE = {**_HOW, "capturable": False}
_FUSED = {**_HOW, "fused": None}
_ADAM = TorchClass(
    "Adam", ("lr", "betas", "eps", "weight_decay"), ("amsgrad", "maximize"),
    {**_CAPTURABLE, "fused": None, "decoupled_weight_decay": False},
    {"exp_avg": _always, "exp_avg_sq": _always, "max_exp_avg_sq": lambda group: bool(group["amsgrad"])})

TORCH_CLASSES: dict[str, TorchClass] = {each.name: each for each in (
    TorchClass("SGD", ("lr", "momentum", "dampening", "weight_decay"), ("nesterov", "maximize"), _FUSED,
               {"momentum_buffer": lambda group: bool(group["momentum"])}, counts=False),
    _ADAM,
    replace(_ADAM, name="AdamW", rest={**_ADAM.rest, "decoupled_weight_decay": True}),
    TorchClass("Adagrad", ("lr", "lr_decay", "eps", "weight_decay"), ("maximize",),
               {**_FUSED, "initial_accumulator_value": 0.0}, {"sum": _always}),
    TorchClass("RMSprop", ("lr", "momentum", "alpha", "eps", "weight_decay"), ("centered", "maximize"), _CAPTURABLE,
               {"square_avg": _always, "momentum_buffer": lambda group: group["momentum"] > 0,
                "grad_avg": lambda group: bool(group["centered"])}),
    TorchClass("Adadelta", ("lr", "rho", "eps", "weight_decay"), ("maximize",), _CAPTURABLE,
               {"square_avg": _always, "acc_delta": _always}),
    TorchClass("Adamax", ("lr", "betas", "eps", "weight_decay"), ("maximize",), _CAPTURABLE,
               {"exp_avg": _always, "exp_inf": _always}))}

# The state does not name its class; an entry of its groups that no other class has tells it.
_TOLD_BY = {"momentum_decay": "NAdam", "dampening": "SGD", "amsgrad": "Adam", "lr_decay": "Adagrad",
            "centered": "RMSprop", "rho": "Adadelta", "decoupled_weight_decay": "RAdam", "lambd": "ASGD",
            "etas": "Rprop", "betas": "Adamax"}


@dataclass
class TorchState:
    """An optimizer in torch's terms.

    Attributes:
        kinds: the classes of torch that it may be of.
        groups: for each group its entries; numbers are floats, and each parameter stands for itself
            in ``"params"``, a list of places in `tensors`.
        tensors: for each parameter what torch keeps for it; empty before its first update.
        steps: for each parameter torch's ``step``, 0 before its first update; None if torch keeps none.
        names: for each parameter its name in torch, where the state tells them.
    """

    kinds: tuple[str, ...]
    groups: list[dict[str, Any]]
    tensors: list[dict[str, AnyArray]]
    steps: Optional[list[int]] = None
    names: Optional[list[str]] = field(default=None)

    @property
    def torch_class(self) -> TorchClass:
        """What torch keeps for this class."""
        return TORCH_CLASSES[self.kinds[0]]

    def group_of(self, parameter: int) -> dict[str, Any]:
        """Return the group that a parameter belongs to."""
        return next(group for group in self.groups if parameter in group["params"])


def read_torch_state(state: Any) -> TorchState:
    """Read what ``torch.optim.Optimizer.state_dict()`` returned; values are torch tensors or NumPy arrays.

    Raises:
        TypeError: `state` is no such dictionary.
        ValueError: it comes from a class that is not supported.
    """
    if not isinstance(state, Mapping) or not {"state", "param_groups"} <= set(state):
        found = sorted(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
        raise TypeError(f"state must be what torch's optimizer.state_dict() returns, with the keys 'state' and "
                        f"'param_groups', but got {found}. Of a checkpoint, pass the optimizer's part of it.")
    raw = list(state["param_groups"])
    if not raw or not all(isinstance(group, Mapping) and "params" in group for group in raw):
        raise TypeError("state['param_groups'] must be a list of dictionaries with the key 'params', at least one.")
    kinds = _kinds(raw[0])
    kept = TORCH_CLASSES[kinds[0]]
    keys = [key for group in raw for key in group["params"]]
    place = {key: index for index, key in enumerate(keys)}
    tensors = [{name: as_array(value) for name, value in state["state"].get(key, {}).items() if value is not None}
               for key in keys]
    steps = [int(each.pop("step").reshape(())) if "step" in each else 0 for each in tensors] if kept.counts else None
    groups = [{**{name: _number(group, name) for name in kept.numbers},
               **{name: bool(group.get(name, False)) for name in kept.flags},
               "params": [place[key] for key in group["params"]]} for group in raw]
    names = [name for group in raw for name in group.get("param_names") or ()]
    return TorchState(kinds, groups, tensors, steps, names if len(names) == len(keys) else None)


def as_array(value: Any) -> AnyArray:
    """Return a torch tensor, known by its ``detach``, or anything that NumPy takes, as an array of its own."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if str(value.dtype).endswith("bfloat16"):  # which NumPy does not have; float32 holds it exactly
            value = value.float()
        value = value.numpy()
    return np.array(value)


def same_number(left: float, right: float) -> bool:
    """Return whether two numbers are one in float32, in which MindSpore keeps them."""
    return bool(np.float32(left) == np.float32(right))


def _kinds(group: Group) -> tuple[str, ...]:
    """Return the classes whose groups have these entries."""
    name = next((name for key, name in _TOLD_BY.items() if key in group), "unknown class")
    if name not in TORCH_CLASSES or "weight_decay" not in group:
        raise ValueError(f"The state is of torch's {name}, with the entries {sorted(map(str, group))}; supported are "
                         f"{', '.join(TORCH_CLASSES)}.")
    if name != "Adam":
        return (name,)
    decoupled = group.get("decoupled_weight_decay")  # older versions of torch do not tell
    return ("Adam", "AdamW") if decoupled is None else ("AdamW",) if decoupled else ("Adam",)


def _number(group: Group, name: str) -> Any:
    value = group.get(name)
    if name == "betas" and value is not None:
        return tuple(float(as_array(each)) for each in value)
    try:
        return float(as_array(value))
    except (TypeError, ValueError):
        raise TypeError(f"{name} of each group of the state must be a number, but got {value!r}.") from None
