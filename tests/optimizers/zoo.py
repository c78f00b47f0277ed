"""Every optimizer that MindSpore offers, with what the tests vary of it.

The matrix in ``docs/optimizers.md`` is made from these lists: what stands in ``varied`` is trained,
what stands in ``refused`` must be refused.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

from mindspore import mint, nn
from mindspore.experimental import optim


@dataclass(frozen=True)
class Kind:
    """One class of optimizers.

    Attributes:
        name: its name in the matrix.
        build: makes one from parameters (or groups) and keyword arguments.
        varied: hyperparameter -> (keyword, first value, second value), each a value that works.
        refused: names that cannot be changed.
        fixed: keyword arguments that every instance gets.
        own_cell: whether it needs a train cell of the user's; Model does not take it.
        modes: in which modes MindSpore itself trains with it on the CPU.
    """

    name: str
    build: Callable[..., Any]
    varied: dict[str, tuple[str, float, float]]
    refused: tuple[str, ...] = ()
    fixed: dict[str, Any] = field(default_factory=dict)
    own_cell: bool = False
    modes: tuple[str, ...] = ("graph", "pynative")


LR = {"lr": ("learning_rate", 0.05, 0.2)}
DECAY = {"weight_decay": ("weight_decay", 0.1, 0.4)}
ADAM = {**LR, **DECAY, "beta1": ("beta1", 0.9, 0.6), "beta2": ("beta2", 0.999, 0.9), "eps": ("eps", 1e-8, 1e-2)}

OUTSIDE = {"lr": ("lr", 0.05, 0.2), "weight_decay": ("weight_decay", 0.1, 0.4)}

KINDS = [
    Kind("Adadelta", nn.Adadelta, {**LR, **DECAY}, ("rho", "eps")),
    Kind("Adagrad", nn.Adagrad, {**LR, **DECAY}),
    Kind("AdaFactor", nn.AdaFactor,
         {**LR, "weight_decay": ("weight_decay", 0.1, 0.4), "beta1": ("beta1", 0.9, 0.6),
          "clip_threshold": ("clip_threshold", 1.0, 0.25), "decay_rate": ("decay_rate", 0.8, 0.3)},
         fixed={"learning_rate": 0.05, "relative_step": False, "beta1": 0.5, "weight_decay": 0.1}),
    Kind("Adam", nn.Adam, ADAM),
    Kind("Adam (use_lazy)", nn.Adam, ADAM, fixed={"use_lazy": True}),
    Kind("Adam (use_offload)", nn.Adam, ADAM, fixed={"use_offload": True}),
    Kind("Adam (use_amsgrad)", nn.Adam, ADAM, fixed={"use_amsgrad": True}),
    Kind("AdamOffload", nn.AdamOffload, ADAM),
    Kind("AdamWeightDecay", nn.AdamWeightDecay, {**ADAM, "eps": ("eps", 1e-6, 1e-2)}),
    Kind("AdaMax", nn.AdaMax, ADAM),
    Kind("ASGD", nn.ASGD, {**LR, **DECAY, "lambd": ("lambd", 1e-4, 0.1), "alpha": ("alpha", 0.75, 0.25),
                           "t0": ("t0", 1e6, 1.0)}),
    Kind("FTRL", nn.FTRL, {**LR, **DECAY}, ("l1", "l2", "lr_power")),
    Kind("LazyAdam", nn.LazyAdam, ADAM),
    Kind("Momentum", nn.Momentum, {**LR, **DECAY, "momentum": ("momentum", 0.9, 0.5)},
         fixed={"learning_rate": 0.05, "momentum": 0.9}),
    Kind("ProximalAdagrad", nn.ProximalAdagrad,
         {**LR, **DECAY, "l1": ("l1", 0.01, 0.1), "l2": ("l2", 0.01, 0.1)}),
    Kind("RMSProp", nn.RMSProp, {**LR, **DECAY}, ("decay", "momentum", "eps")),
    Kind("RMSProp (centered)", nn.RMSProp, {**LR, **DECAY}, ("decay", "momentum", "eps"), {"centered": True}),
    Kind("Rprop", nn.Rprop, DECAY, ("lr", "etaminus", "etaplus")),
    Kind("SGD", nn.SGD, {**LR, **DECAY, "momentum": ("momentum", 0.9, 0.5)}, ("dampening",), {"momentum": 0.9}),
    Kind("SGD (nesterov)", nn.SGD, {**LR, **DECAY, "momentum": ("momentum", 0.9, 0.5)}, ("dampening",),
         {"momentum": 0.9, "nesterov": True}),
    *(Kind(f"experimental {name}", getattr(optim, name), {**OUTSIDE, **varied}, refused, own_cell=True)
      for name, varied, refused in (
          ("Adadelta", {}, ("rho", "eps")),
          ("Adagrad", {"lr_decay": ("lr_decay", 0.0, 0.3)}, ("eps",)),
          ("Adam", {}, ("beta1", "beta2", "eps")),
          ("Adamax", {}, ("beta1", "beta2", "eps")),
          ("AdamW", {}, ("beta1", "beta2", "eps")),
          ("ASGD", {}, ("lambd", "alpha", "t0")),
          ("NAdam", {}, ("beta1", "beta2", "eps", "momentum_decay")),
          ("RAdam", {}, ("beta1", "beta2", "eps")),
          ("RMSprop", {}, ("momentum", "alpha", "eps")))),
    Kind("experimental Rprop", optim.Rprop, {}, ("lr",), own_cell=True),
    Kind("experimental SGD", optim.SGD, {"lr": OUTSIDE["lr"], "momentum": ("momentum", 0.9, 0.5)},
         ("weight_decay", "dampening"), {"lr": 0.05, "momentum": 0.9}, own_cell=True),
    Kind("mint Adam", mint.optim.Adam, OUTSIDE, ("beta1", "beta2", "eps"), own_cell=True, modes=("graph",)),
    Kind("mint SGD", mint.optim.SGD,
         {**OUTSIDE, "momentum": ("momentum", 0.9, 0.5), "dampening": ("dampening", 0.1, 0.6)},
         fixed={"lr": 0.05, "momentum": 0.9}, own_cell=True, modes=("graph",)),
]
