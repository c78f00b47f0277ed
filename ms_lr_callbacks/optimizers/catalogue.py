"""Which hyperparameters each optimizer has, and which of them can be driven.

MindSpore's own classes are listed; the tests train every entry of these lists. A user's optimizer
is described by its own code: the numbers among its attributes that the code reads.
"""
from __future__ import annotations

import inspect
import re
from typing import Any, Optional, Sequence

from mindspore import Tensor, nn
from mindspore.experimental import optim as experimental_optim

from ms_lr_callbacks.optimizers.constructor import plain_number
from ms_lr_callbacks.optimizers.group_place import group_places
from ms_lr_callbacks.optimizers.groups import Group
from ms_lr_callbacks.optimizers.places import DecayPlace, Place, ValuePlace
from ms_lr_callbacks.optimizers.rate_place import RatePlace
from ms_lr_callbacks.optimizers.source import (has_source, is_mindspores, own_source, update_source,
                                               users_update_source)

_ATTRIBUTE = "it is compiled into an operator's attribute"
_NUMBER = "its compiled update takes a constant there and no tensor"

# Class of mindspore.nn -> what of it can be driven: hyperparameter -> attribute.
_DRIVEN: dict[str, dict[str, str]] = {
    "Adam": {"beta1": "beta1", "beta2": "beta2", "eps": "eps"},
    "AdamOffload": {"beta1": "beta1", "beta2": "beta2", "eps": "eps"},
    "AdamWeightDecay": {"beta1": "beta1", "beta2": "beta2", "eps": "eps"},
    "LazyAdam": {"beta1": "beta1", "beta2": "beta2", "eps": "eps"},
    "Lamb": {"beta1": "beta1", "beta2": "beta2", "eps": "eps"},
    "AdaMax": {"beta1": "beta1", "beta2": "beta2", "eps": "eps"},
    "AdaFactor": {"beta1": "beta1", "clip_threshold": "clip_threshold", "decay_rate": "decay_rate"},
    "ASGD": {"lambd": "lambd", "alpha": "alpha", "t0": "t0"},
    "Momentum": {"momentum": "momentum"},
    "ProximalAdagrad": {"l1": "l1", "l2": "l2"},
    "SGD": {"momentum": "momentum"},
    "ThorAscend": {"momentum": "momentum"}, "ThorGpu": {"momentum": "momentum"},
    "Adagrad": {}, "Adadelta": {}, "FTRL": {}, "LARS": {}, "RMSProp": {}, "Rprop": {},
}
# What of it can be read but not driven: hyperparameter -> (attribute, reason).
_REFUSED: dict[str, dict[str, tuple[str, str]]] = {
    "Adadelta": {"rho": ("rho", _NUMBER), "eps": ("epsilon", _NUMBER)},
    "FTRL": {"l1": ("l1", _NUMBER), "l2": ("l2", _NUMBER), "lr_power": ("lr_power", _NUMBER)},
    "RMSProp": {"decay": ("decay", _NUMBER), "momentum": ("momentum", _NUMBER), "eps": ("epsilon", _NUMBER)},
    "Rprop": {"etaminus": ("etaminus", _NUMBER), "etaplus": ("etaplus", _NUMBER)},
    "SGD": {"dampening": ("dampening", _ATTRIBUTE)},
}
# The same under the name of the class's own argument.
ALIASES = {"epsilon": "eps"}

_BOOKKEEPING = {"loss_scale", "global_step", "learning_rate", "weight_decay", "reciprocal_scale",
                "global_step_increase_tensor", "param_length", "training", "beta1_power", "beta2_power"}


def places_of(optimizer: Any, updater: Any, groups: Sequence[Group]) -> dict[str, Place]:
    """Return the place of each hyperparameter, by name.

    Args:
        optimizer: the optimizer that the train network calls.
        updater: the optimizer that applies the learning rate: `optimizer`, or the one inside LARS.
        groups: the groups of `updater`.
    """
    outer = None if optimizer is updater else optimizer
    places: list[Place] = [RatePlace(updater, groups, _rate_refusal(updater), outer)]
    if not isinstance(updater, nn.Optimizer):
        return {place.name: place for place in (*places, *group_places(updater))}
    # LARS applies the decay in the place of the optimizer that it wraps; another wrapper need not.
    places.append(_decay_place(optimizer if _applies_decay(optimizer) else updater, updater, groups))
    places.extend(_value_places(updater, len(groups)))
    return {place.name: place for place in places}


def _rate_refusal(updater: Any) -> Optional[str]:
    if isinstance(updater, (nn.Rprop, experimental_optim.Rprop)):
        return "Rprop uses its learning rate at its first update only"
    if isinstance(updater, nn.AdaFactor) and updater.relative_step:
        return "AdaFactor computes its own step with relative_step=True; pass relative_step=False and a learning rate"
    if isinstance(updater, nn.Optimizer) and not re.search(r"\bget_lr\(|\.learning_rate\b", own_source(updater)) \
            and has_source(updater):
        return "its code reads neither get_lr() nor learning_rate"
    return None


def _applies_decay(optimizer: Any) -> bool:
    """Return whether the optimizer's code is seen to read its weight decay, or cannot be seen."""
    return not has_source(optimizer) or re.search(
        r"\b(get_weight_decay|decay_weight)\(|\.weight_decay\b", update_source(optimizer)) is not None


def _decay_place(optimizer: Any, updater: Any, groups: Sequence[Group]) -> Place:
    count = len(groups)
    if isinstance(optimizer, nn.AdaFactor):
        base = plain_number(getattr(optimizer, "init_args", {}).get("weight_decay"))
        return ValuePlace(optimizer, "weight_decay", "weight_decay", count, base, also=_decay_switch(optimizer))
    refusal = None if _applies_decay(optimizer) else "its code reads none: no decay_weight(), no get_weight_decay()"
    if type(optimizer).__module__ == "mindspore.nn.optim.thor":
        refusal = _NUMBER
    if not isinstance(getattr(optimizer, "weight_decay", None), (Tensor, tuple, nn.Cell)):
        return ValuePlace(optimizer, "weight_decay", "weight_decay", count, refusal=refusal)
    return DecayPlace(optimizer, groups, updater, refusal)


def _decay_switch(optimizer: Any) -> dict[str, Any]:
    """Return what turns on the weight decay of an AdaFactor that was built without it."""
    if optimizer.weight_decay_flag:
        return {}
    fused = type(optimizer.fused_ada_factor)(
        enable_scale_parameter=optimizer.scale_parameter, enable_first_moment=optimizer.use_first_moment,
        enable_weight_decay=True)
    if "primitive_target" in optimizer.fused_ada_factor.attrs:
        fused.set_device(optimizer.target)
    return {"weight_decay_flag": True, "fused_ada_factor": fused}


def _value_places(updater: Any, groups: int) -> list[Place]:
    name = _listed_class(updater)
    given = getattr(updater, "init_args", {})
    places: list[Place] = []
    for hyperparameter, attribute in _DRIVEN.get(name, {}).items():
        refusal = None
        if name == "AdaFactor" and hyperparameter == "beta1" and not updater.use_first_moment:
            refusal = "AdaFactor built with beta1=0 or None keeps no first moment; build it with a positive beta1"
        places.append(ValuePlace(updater, attribute, hyperparameter, groups, plain_number(given.get(attribute)),
                                 -1.0 if hyperparameter == "decay_rate" else 1.0, refusal))
    for hyperparameter, (attribute, reason) in _REFUSED.get(name, {}).items():
        places.append(ValuePlace(updater, attribute, hyperparameter, groups, plain_number(given.get(attribute)),
                                 refusal=reason))
    listed = {*_DRIVEN.get(name, {}).values(), *(attribute for attribute, _ in _REFUSED.get(name, {}).values())}
    code = users_update_source(updater) if name else update_source(updater)
    places.extend(ValuePlace(updater, attribute, attribute, groups, plain_number(given.get(attribute)))
                  for attribute in _read_numbers(updater, code) if attribute not in listed)
    return places


def _listed_class(updater: Any) -> str:
    """Return the name under which a class of MindSpore's own, or the base of a subclass, is listed; or ``""``."""
    return next((cls.__name__ for cls in type(updater).__mro__
                 if is_mindspores(cls) and cls.__name__ in _DRIVEN), "")


def _read_numbers(updater: Any, code: str) -> list[str]:
    """Return the attributes of an optimizer that are numbers and that this code, the user's, reads."""
    names = re.findall(r"self\.([A-Za-z_]\w*)\b(?!\s*(?:=[^=]|\())", code)
    return [name for name in dict.fromkeys(names)
            if name not in _BOOKKEEPING and _is_number(updater, name)]


def _is_number(updater: Any, name: str) -> bool:
    value = getattr(updater, name, None)
    if isinstance(value, Tensor):
        return value.size == 1 and "Float" in str(value.dtype)
    if isinstance(value, int) and not isinstance(value, bool):
        # A hyperparameter that was given as a whole number, such as 0; others count or index something.
        return name in inspect.signature(type(updater).__init__).parameters
    return isinstance(value, float)
