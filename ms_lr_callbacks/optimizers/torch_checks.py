"""What keeps a state from carrying over between torch and MindSpore; the same in both directions."""
from __future__ import annotations

from typing import Any, Optional, Sequence

import numpy as np
from mindspore import nn

from ms_lr_callbacks.optimizers.access import OptimizerAccess
from ms_lr_callbacks.optimizers.describe import rate_kinds
from ms_lr_callbacks.optimizers.rates import ConvertedRate
from ms_lr_callbacks.optimizers.torch_classes import TorchState
from ms_lr_callbacks.optimizers.torch_layouts import Layout, flag_of, switch

STATIC = "a number"


def difficulties(access: OptimizerAccess, layout: Layout, state: TorchState, accept: Sequence[str]) -> list[str]:
    """List why the next updates of torch and of this optimizer would differ although the tensors are the same.

    Args:
        access: the optimizer.
        layout: its layout.
        state: the state in torch's terms and the optimizer's order.
        accept: see `from_torch_state_dict`.
    """
    optimizer = access.optimizer
    problems = _switches(optimizer, layout, state) + _numbers(optimizer, layout, state) + _decay(access, layout, state)
    if "eps" not in accept:
        problems += layout.epsilon(optimizer, state)
    return problems + layout.check(optimizer, state)


def missing_tensors(state: TorchState) -> list[str]:
    """List what torch keeps for parameters that have been updated, and this state does not hold."""
    if state.steps is None:
        return []
    return [f"parameter {index}: torch's {name} is missing"
            for index, tensors in enumerate(state.tensors) for name, used in state.torch_class.tensors.items()
            if (tensors or state.steps[index]) and name not in tensors and used(state.group_of(index))]


def computed_rates(access: OptimizerAccess, state: TorchState, step: Optional[int]) -> list[str]:
    """List the groups whose learning rate MindSpore computes, and differently from torch's."""
    problems = []
    at = np.array([(access.read_counter() or 0) if step is None else step])
    for group, form, kind in zip(access.groups, access.forms("lr"), rate_kinds(access, False)):
        theirs = state.groups[group.index]["lr"]
        if kind != STATIC:
            mine = float(form.values(at)[0])
            if not np.isclose(mine, theirs, rtol=1e-6, atol=0.0):
                problems.append(f"lr of group {group.index} is {theirs} in torch, but {access.name} computes it by "
                                f"{form.description}, which gives {mine} at step {at[0]}")
        elif isinstance(form, ConvertedRate) and form.applied(np.float32(theirs)) != np.float32(theirs):
            problems.append(f"lr of group {group.index} is {theirs}, but beside groups whose learning rate it computes "
                            f"MindSpore rounds it to {form.applied(np.float32(theirs))}; give all groups numbers")
    return problems


def _switches(optimizer: Any, layout: Layout, state: TorchState) -> list[str]:
    problems = []
    for index, group in enumerate(state.groups):
        for name in state.torch_class.flags:
            mine = flag_of(optimizer, layout, index, name)
            if group[name] != mine:
                problems.append(f"{name} of group {index} is {group[name]} in torch and {mine} here; build the "
                                f"optimizer with {name}={group[name]}, if it can be")
    problems += [f"{name} is on, which does not carry over: {reason}" for name, reason in layout.wanted_off.items()
                 if any(switch(optimizer, index, name) for index in range(len(state.groups)))]
    if getattr(optimizer, "is_group", False) and any(optimizer.grad_centralization_flags):
        problems.append("grad_centralization is on, which torch has not; build the optimizer without it")
    return problems


def _numbers(optimizer: Any, layout: Layout, state: TorchState) -> list[str]:
    problems = [f"{name} of group {index} is {group[name]} in torch, and this optimizer has none"
                for index, group in enumerate(state.groups) for name in layout.absent if group[name] != 0]
    if isinstance(optimizer, nn.Optimizer):
        for name in state.torch_class.numbers:
            values = list(dict.fromkeys(np.float32(group[name]).tobytes() for group in state.groups))
            if name not in ("lr", "weight_decay", *layout.absent) and len(values) > 1:
                problems.append(f"{name} is {[group[name] for group in state.groups]} in torch's groups, and this "
                                f"optimizer has one for all")
    return problems


def _decay(access: OptimizerAccess, layout: Layout, state: TorchState) -> list[str]:
    if not any(group["weight_decay"] for group in state.groups):
        return []
    problems, optimizer = [], access.optimizer
    if layout.decoupled is not None and ("AdamW" if layout.decoupled else "Adam") not in state.kinds:
        ours, theirs = (("weights", "gradients") if layout.decoupled else ("gradients", "weights"))
        problems.append(f"weight_decay is not 0: torch's {state.kinds[0]} applies it to the {theirs}, {access.name} to "
                        f"the {ours}")
    if isinstance(optimizer, nn.Optimizer) and not optimizer.is_group and not all(optimizer.decay_flags):
        spared = [each.name for each, flag in zip(optimizer.parameters, optimizer.decay_flags) if not flag]
        problems.append(f"weight_decay is not 0: MindSpore does not apply it to {', '.join(spared)} (names with 'beta' "
                        f"or 'gamma') unless the parameters are given in groups; build the optimizer with "
                        f"[{{'params': parameters}}]")
    return problems
