"""Which hyperparameters each optimizer has, and which of them can be driven.

MindSpore's own classes are listed; the tests train every entry of these lists. A user's optimizer
is described by its own code: the numbers among its attributes that the code reads.
"""
from __future__ import annotations

import re
from typing import Any, Optional, Sequence

from mindspore import Tensor, nn
from mindspore.experimental import optim as experimental_optim

from ms_lr_callbacks.optimizers.constructor import plain_number
from ms_lr_callbacks.optimizers.group_place import group_places
from ms_lr_callbacks.optimizers.groups import Group
from ms_lr_callbacks.optimizers.places import DecayPlace, Place, ValuePlace
from ms_lr_callbacks.optimizers.rate_place import RatePlace
from ms_lr_callbacks.optimizers.source import own_source

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
    places: list[Place] = [RatePlace(updater, groups, _rate_refusal(updater))]
    if not isinstance(updater, nn.Optimizer):
        return {place.name: place for place in (*places, *group_places(updater))}
    places.append(_decay_place(optimizer, updater, groups))
    places.extend(_value_places(updater, len(groups)))
    return {place.name: place for place in places}


def _rate_refusal(updater: Any) -> Optional[str]:
    if isinstance(updater, (nn.Rprop, experimental_optim.Rprop)):
        return "Rprop uses its learning rate at its first update only"
    if isinstance(updater, nn.AdaFactor) and updater.relative_step:
        return "AdaFactor computes its own step with relative_step=True; pass relative_step=False and a learning rate"
    return None


def _decay_place(optimizer: Any, updater: Any, groups: Sequence[Group]) -> Place:
    if isinstance(optimizer, nn.AdaFactor):
        base = plain_number(groups[0].base_weight_decay)
        refusal = None if base else ("AdaFactor built with weight_decay=0 has none compiled in; build it with a small "
                                     "positive weight_decay")
        return ValuePlace(optimizer, "weight_decay", "weight_decay", len(groups), base, refusal=refusal)
    if not isinstance(getattr(optimizer, "weight_decay", None), (Tensor, tuple, nn.Cell)):
        return ValuePlace(optimizer, "weight_decay", "weight_decay", len(groups))
    return DecayPlace(optimizer, groups, updater)


def _value_places(updater: Any, groups: int) -> list[Place]:
    name = _listed_class(updater)
    given = getattr(updater, "init_args", {})
    if name is None:
        return [ValuePlace(updater, attribute, attribute, groups, plain_number(given.get(attribute)))
                for attribute in _read_numbers(updater)]
    places: list[Place] = []
    for hyperparameter, attribute in _DRIVEN[name].items():
        refusal = None
        if name == "AdaFactor" and hyperparameter == "beta1" and not updater.use_first_moment:
            refusal = "AdaFactor built with beta1=0 or None keeps no first moment; build it with a positive beta1"
        places.append(ValuePlace(updater, attribute, hyperparameter, groups, plain_number(given.get(attribute)),
                                 -1.0 if hyperparameter == "decay_rate" else 1.0, refusal))
    for hyperparameter, (attribute, reason) in _REFUSED.get(name, {}).items():
        places.append(ValuePlace(updater, attribute, hyperparameter, groups, plain_number(given.get(attribute)),
                                 refusal=reason))
    return places


def _listed_class(updater: Any) -> Optional[str]:
    """Return the name under which a class of MindSpore's own, or the base of a subclass, is listed."""
    for cls in type(updater).__mro__:
        if cls.__module__.startswith("mindspore.") and cls.__name__ in _DRIVEN:
            return cls.__name__
    return None


def _read_numbers(updater: Any) -> list[str]:
    """Return the attributes of a user's optimizer that are numbers and that its own code reads."""
    names = re.findall(r"self\.([A-Za-z_]\w*)\b(?!\s*[=(])", own_source(updater))
    return [name for name in dict.fromkeys(names)
            if name not in _BOOKKEEPING and _is_number(getattr(updater, name, None))]


def _is_number(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.size == 1 and "Float" in str(value.dtype)
    return isinstance(value, float)
