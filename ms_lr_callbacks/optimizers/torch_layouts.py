"""How each optimizer of MindSpore keeps what torch keeps, and where its arithmetic differs.

One `Layout` for each class. The differences were read in MindSpore's source and measured on the CPU;
``docs/torch-optimizer-state.md`` lists them, and the tests train each layout against torch's numbers.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional

import numpy as np
from mindspore import nn

from ms_lr_callbacks._arrays import AnyArray
from ms_lr_callbacks.optimizers.torch_classes import TorchState, same_number

Tensors = dict[str, AnyArray]
Check = Callable[[Any, TorchState], list[str]]


def _no_problems(optimizer: Any, state: TorchState) -> list[str]:
    return []


def _stat(tensors: Tensors) -> dict[str, float]:
    """Return ``stat`` of MindSpore's SGD kernel: 1 where its buffer is still to be started with the gradient."""
    return {"stat": 0.0 if "momentum_buffer" in tensors else 1.0}


def _not_started(slots: Tensors, updates: int) -> bool:
    return bool((slots["stat"] > 0).any())


def _no_updates(slots: Tensors, updates: int) -> bool:
    return updates == 0


@dataclass(frozen=True)
class Layout:
    """Where one class of MindSpore keeps what torch's class keeps.

    Attributes:
        torch: the classes of torch whose arithmetic it can have; the first is what it is given to torch as.
        slots: torch's tensor of a parameter -> MindSpore's.
        numbers: torch's number -> MindSpore's hyperparameter, where the names differ.
        absent: torch's numbers that this class has not: they must be 0.
        flags: torch's switch -> the attribute (or the entry of the groups) that is MindSpore's; a switch
            that is not listed is off.
        wanted_off: switches of this class that must be off -> why.
        extra: from torch's tensors of a parameter, what torch does not keep, each full of one number.
        unstarted: whether, with these tensors and after so many updates, a parameter's buffer has not
            been started, so that torch keeps none.
        starts_at_step_0: whether all buffers are started at the first update and not each at its own.
        scaled: MindSpore's tensor that is kept multiplied by the learning rate.
        decoupled: whether weight decay is applied to the weights (AdamW) and not to the gradients (Adam).
        epsilon: what is wrong with how ``eps`` enters the update.
        check: what else is wrong.
    """

    torch: tuple[str, ...]
    slots: Mapping[str, str]
    numbers: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    flags: Mapping[str, str] = field(default_factory=dict)
    wanted_off: Mapping[str, str] = field(default_factory=dict)
    extra: Callable[[Tensors], dict[str, float]] = lambda tensors: {}
    unstarted: Callable[[Tensors, int], bool] = lambda slots, updates: False
    starts_at_step_0: bool = False
    scaled: Optional[str] = None
    decoupled: Optional[bool] = None
    epsilon: Check = _no_problems
    check: Check = _no_problems


def layout_of(optimizer: Any) -> Layout:
    """Return the layout of an optimizer.

    Raises:
        ValueError: its class is not supported; a subclass may compute anything.
    """
    cls = type(optimizer)
    package = cls.__module__.split(".")
    key = f"{package[1]}.{cls.__name__}" if package[0] == "mindspore" else cls.__name__
    if package[0] != "mindspore" or key not in LAYOUTS:
        raise ValueError(f"{cls.__module__}.{cls.__name__} has no counterpart in torch with the same arithmetic that "
                         f"is known here. {supported()}")
    return LAYOUTS[key]


def supported(torch_name: Optional[str] = None) -> str:
    """List the supported pairs in one sentence: all, or those of one class of torch."""
    pairs = [f"{mine} ({' or '.join(layout.torch)})" for mine, layout in LAYOUTS.items()
             if torch_name is None or torch_name in layout.torch]
    return (f"Supported{'' if torch_name is None else f' for {torch_name}'} are, with torch's class in brackets: "
            f"{', '.join(pairs)}.")


def flag_of(optimizer: Any, layout: Layout, group: int, name: str) -> bool:
    """Return what MindSpore has of one of torch's switches."""
    if name == "maximize":
        return not isinstance(optimizer, nn.Optimizer) and switch(optimizer, group, name)
    return name in layout.flags and switch(optimizer, group, layout.flags[name])


def switch(optimizer: Any, group: int, name: str) -> bool:
    """Return one of MindSpore's own switches."""
    return bool(getattr(optimizer, name) if isinstance(optimizer, nn.Optimizer) else
                optimizer.param_groups[group][name])


def shared_values(shared: Mapping[str, Any], state: TorchState) -> Tensors:
    """Return the tensors that MindSpore keeps once for all parameters."""
    group, values = state.groups[0], {}
    step = max(state.steps or [0])
    for name, parameter in shared.items():
        if name == "momentum":
            value = group["momentum"]
        else:
            value = group["betas"][{"beta1_power": 0, "beta2_power": 1}[name]] ** step
        values[name] = np.full(parameter.shape, value, np.float32)
    return values


# What differs in the arithmetic.


def _next_step(state: TorchState) -> int:
    return max(state.steps or [0]) + 1


def _correction_is_over(beta: float, step: int) -> bool:
    """Return whether the bias correction of the update number `step` (from 1) is 1 in float32, as all later ones."""
    return bool(np.float32(1.0 - beta ** step) == 1)


def _epsilon_before_correction(optimizer: Any, state: TorchState) -> list[str]:
    """MindSpore's Adam kernel adds eps before the bias correction of the second moment, torch after it."""
    wrong = [index for index, group in enumerate(state.groups) if not same_number(group["eps"], 0.0)
             and not _correction_is_over(group["betas"][1], _next_step(state))]
    return [f"eps of group {index} is {state.groups[index]['eps']}: this optimizer adds it to the root of the second "
            f"moment before the bias correction, torch after it, and at step {_next_step(state)} that still matters. "
            f"Use mint.optim.Adam, or experimental.optim.AdamW (with weight_decay=0 it is torch's Adam), or eps=0 in "
            f"both, or follow the page's recipe with accept=('eps',)" for index in wrong]


def _epsilon_under_root(optimizer: Any, state: TorchState) -> list[str]:
    return _epsilon_must_be_0(state, "adds it under the root of the mean square, torch to the root",
                              "experimental.optim.RMSprop")


def _epsilon_after_maximum(optimizer: Any, state: TorchState) -> list[str]:
    return _epsilon_must_be_0(state, "adds it to the maximum in the update, torch to each gradient before the "
                              "maximum is taken", "experimental.optim.Adamax")


def _epsilon_must_be_0(state: TorchState, difference: str, other: str) -> list[str]:
    return [f"eps of group {index} is {group['eps']}: this optimizer {difference}. Use {other}, or eps=0 in both"
            for index, group in enumerate(state.groups) if not same_number(group["eps"], 0.0)]


def _epsilon_must_vanish(optimizer: Any, state: TorchState) -> list[str]:
    """nn.Adagrad has no eps; the sums only grow, so an eps that vanishes now vanishes for ever."""
    problems = []
    for index, group in enumerate(state.groups):
        eps = np.float32(group["eps"])
        roots = [np.sqrt(state.tensors[each]["sum"]) for each in group["params"] if "sum" in state.tensors[each]]
        if eps and not all((root + eps == root).all() for root in roots):
            problems.append(f"eps of group {index} is {group['eps']}: this optimizer has none, and some sums of "
                            f"squares are so small that it still matters. Use experimental.optim.Adagrad, or eps=0 in "
                            f"torch")
    return problems


def _no_bias_correction(optimizer: Any, state: TorchState) -> list[str]:
    step = _next_step(state)
    return [f"betas of group {index} are {group['betas']}: this optimizer has no bias correction, and at step {step} "
            f"torch's still matters. Use experimental.optim.AdamW" for index, group in enumerate(state.groups)
            if not all(_correction_is_over(beta, step) for beta in group["betas"])]


def _constant_rate(optimizer: Any, state: TorchState) -> list[str]:
    """nn.RMSProp keeps its momentum multiplied by the rates that it was built up with, torch without them."""
    if not any(group["momentum"] for group in state.groups) or not optimizer.dynamic_lr:
        return []
    return ["lr is computed by the optimizer: with momentum, this optimizer and torch agree only while the learning "
            "rate is constant. Use experimental.optim.RMSprop, or a number"]


def _one_start(optimizer: Any, state: TorchState) -> list[str]:
    """mint's SGD starts all its buffers at its first update."""
    buffers = [("momentum_buffer" in each) for each in state.tensors]
    if all(buffers) or not any(buffers) or not any(group["dampening"] for group in state.groups):
        return []
    return ["dampening is not 0 and only some parameters have a momentum_buffer: this optimizer starts all of them at "
            "once. Use nn.SGD"]


_SGD = Layout(("SGD",), {"momentum_buffer": "accum"}, flags={"nesterov": "nesterov"}, extra=_stat,
              unstarted=_not_started)
_NN_ADAM = {"exp_avg": "moment1", "exp_avg_sq": "moment2", "max_exp_avg_sq": "vhat"}
_ADAM = {name: name for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")}
_DELTA = {"square_avg": "accum", "acc_delta": "accum_update"}

LAYOUTS: dict[str, Layout] = {
    "nn.SGD": _SGD,
    "nn.Momentum": Layout(("SGD",), {"momentum_buffer": "moments"}, absent=("dampening",),
                          wanted_off={"use_nesterov": "its kernel on the CPU leaves it out; use nn.SGD"}),
    "nn.Adam": Layout(("Adam", "AdamW"), _NN_ADAM, flags={"amsgrad": "use_amsgrad"}, decoupled=False,
                      epsilon=_epsilon_before_correction,
                      wanted_off={"use_nesterov": "torch's Adam has none",
                                  "use_lazy": "torch's Adam updates every row of a sparse gradient's parameter",
                                  "use_offload": "it has not been compared with torch"}),
    "nn.AdamWeightDecay": Layout(("AdamW", "Adam"), {"exp_avg": "moments1", "exp_avg_sq": "moments2"},
                                 decoupled=True, check=_no_bias_correction),
    "nn.Adagrad": Layout(("Adagrad",), {"sum": "accum"}, absent=("lr_decay",),
                         epsilon=_epsilon_must_vanish),
    "nn.RMSProp": Layout(("RMSprop",), {"square_avg": "ms", "grad_avg": "mg", "momentum_buffer": "moment"},
                         numbers={"alpha": "decay"}, flags={"centered": "centered"}, scaled="moment",
                         epsilon=_epsilon_under_root, check=_constant_rate),
    "nn.Adadelta": Layout(("Adadelta",), _DELTA),
    "nn.AdaMax": Layout(("Adamax",), {"exp_avg": "moment1", "exp_inf": "moment2"}, epsilon=_epsilon_after_maximum),
    "experimental.SGD": _SGD,
    "experimental.Adam": Layout(("Adam", "AdamW"), _ADAM, decoupled=False, epsilon=_epsilon_before_correction,
                                wanted_off={"amsgrad": "its update does not look at it; use experimental.optim.AdamW"}),
    "experimental.AdamW": Layout(("AdamW", "Adam"), _ADAM, flags={"amsgrad": "amsgrad"}, decoupled=True),
    "experimental.Adagrad": Layout(("Adagrad",), {"sum": "accum"}),
    "experimental.RMSprop": Layout(
        ("RMSprop",), {"square_avg": "mean_square", "grad_avg": "mean_grad", "momentum_buffer": "moment"},
        flags={"centered": "centered"}),
    "experimental.Adadelta": Layout(("Adadelta",), _DELTA),
    "experimental.Adamax": Layout(("Adamax",), {"exp_avg": "exp_avg", "exp_inf": "exp_inf"}),
    "mint.SGD": Layout(("SGD",), {"momentum_buffer": "momentum_buf"}, flags={"nesterov": "nesterov"},
                       unstarted=_no_updates, starts_at_step_0=True, check=_one_start),
    "mint.Adam": Layout(("Adam", "AdamW"), _ADAM, decoupled=False,
                        wanted_off={"amsgrad": "it does not keep its maximum; use experimental.optim.AdamW"}),
}
