"""MindSpore's optimizers that take a state of torch's, each built for one of the cases."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Sequence

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, mint, nn
from mindspore.experimental import optim
from torch_cases import CASES, NAMES, TINY, Case

_MODULES = {"nn": nn, "experimental": optim, "mint": mint.optim}
BOTH = ("graph", "pynative")
# On the CPU mint.optim trains in GRAPH_MODE only, and mint's SGD of 2.7 changes no weight in either mode.
GRAPH = ("graph",)
MINT_SGD = () if ms.__version__.startswith("2.7.") else GRAPH


@dataclass(frozen=True)
class Twin:
    """One optimizer of MindSpore with the arithmetic of one of the cases.

    Attributes:
        target: module and class.
        torch: the name of the case.
        common: what its constructor is given beside the groups.
        modes: in which modes MindSpore itself trains with it on the CPU.
    """

    target: str
    torch: str
    common: dict[str, Any] = field(default_factory=dict)
    modes: tuple[str, ...] = BOTH

    @property
    def name(self) -> str:
        return f"{self.target}-{self.torch}"

    @property
    def case(self) -> Case:
        return CASES[self.torch]

    def build(self, weights: Sequence[np.ndarray], lr: float = 1.0, **changes: Any) -> Any:
        """Build it with its groups; `lr` multiplies the learning rates that are given."""
        parameters = [Parameter(Tensor(value.copy()), name=name) for name, value in zip(NAMES, weights)]
        groups = [{"params": [parameter], **given, "lr": given["lr"] * lr}
                  for parameter, given in zip(parameters, (self.case.weight, self.case.bias))]
        module, name = self.target.split(".")
        return getattr(_MODULES[module], name)(groups, **{**self.common, **changes})


def train(optimizer: Any, given: Sequence[Sequence[np.ndarray]]) -> list[list[np.ndarray]]:
    """Do one update with each of the gradients; return the weights after each."""
    trace = []
    for each in given:
        optimizer(tuple(Tensor(gradient) for gradient in each))
        trace.append([parameter.asnumpy().copy() for parameter in optimizer.parameters])
    return trace


_MOMENTUM = {"momentum": 0.9}
_ADAM_SETTLED = {"beta1": 0.9, "beta2": 0.15, "eps": 1e-2}
_CENTERED = {"decay": 0.9, "momentum": 0.5, "epsilon": TINY, "centered": True}

TWINS = [
    Twin("nn.SGD", "sgd", {"learning_rate": 1.0}),
    Twin("nn.SGD", "momentum", {**_MOMENTUM}),
    Twin("nn.SGD", "nesterov", {**_MOMENTUM, "nesterov": True}),
    Twin("nn.SGD", "dampening", {**_MOMENTUM, "dampening": 0.3}),
    Twin("nn.Momentum", "momentum", {"learning_rate": 1.0, **_MOMENTUM}),
    Twin("nn.Adam", "adam_eps0", {"eps": TINY}),
    Twin("nn.Adam", "adam_settled", _ADAM_SETTLED),
    Twin("nn.Adam", "adam_amsgrad_eps0", {"beta2": 0.5, "eps": TINY, "use_amsgrad": True}),
    Twin("nn.AdamWeightDecay", "adamw_settled", {"beta1": 0.15, "beta2": 0.1, "eps": 1e-2}),
    Twin("nn.Adagrad", "adagrad", {"accum": 0.0}),
    Twin("nn.RMSProp", "rmsprop_eps0", {"decay": 0.9, "momentum": 0.5, "epsilon": TINY}),
    Twin("nn.RMSProp", "rmsprop_centered_eps0", _CENTERED),
    Twin("nn.Adadelta", "adadelta", {"rho": 0.9, "epsilon": 1e-4}),
    Twin("nn.AdaMax", "adamax_eps0", {"eps": TINY}),
    Twin("experimental.SGD", "sgd", {"lr": 1.0}),
    Twin("experimental.SGD", "momentum", {"lr": 1.0, **_MOMENTUM}),
    Twin("experimental.SGD", "nesterov", {"lr": 1.0, **_MOMENTUM, "nesterov": True}),
    Twin("experimental.SGD", "dampening", {"lr": 1.0, **_MOMENTUM, "dampening": 0.3}),
    Twin("experimental.Adam", "adam_eps0", {"eps": 0.0}),
    Twin("experimental.Adam", "adam_settled", {"betas": (0.9, 0.15), "eps": 1e-2}),
    Twin("experimental.AdamW", "adam_no_decay", {"eps": 1e-3, "weight_decay": 0.0}),
    Twin("experimental.AdamW", "adamw", {"eps": 1e-3}),
    Twin("experimental.AdamW", "adamw_amsgrad", {"betas": (0.9, 0.5), "amsgrad": True}),
    Twin("experimental.AdamW", "adamw_maximize", {"eps": 1e-3, "maximize": True}),
    Twin("experimental.Adagrad", "adagrad", {}),
    Twin("experimental.Adagrad", "adagrad_lr_decay", {"lr_decay": 0.1, "eps": 1e-2, "initial_accumulator_value": 0.1}),
    Twin("experimental.RMSprop", "rmsprop", {"alpha": 0.9, "eps": 1e-2}),
    Twin("experimental.RMSprop", "rmsprop_centered", {"alpha": 0.9, "eps": 1e-2, "centered": True, "momentum": 0.5}),
    Twin("experimental.Adadelta", "adadelta", {"rho": 0.9, "eps": 1e-4}),
    Twin("experimental.Adamax", "adamax", {"eps": 1e-2}),
    Twin("mint.SGD", "sgd", {"lr": 1.0}, MINT_SGD),
    Twin("mint.SGD", "momentum", {"lr": 1.0, **_MOMENTUM}, MINT_SGD),
    Twin("mint.SGD", "nesterov", {"lr": 1.0, **_MOMENTUM, "nesterov": True}, MINT_SGD),
    Twin("mint.SGD", "dampening", {"lr": 1.0, **_MOMENTUM, "dampening": 0.3}, MINT_SGD),
    Twin("mint.Adam", "adam", {}, GRAPH),
]
