"""The state of an optimizer carried over from torch, and to torch.

torch is not imported: its tensors are known by what they can do. What does not carry over is refused,
everything that is wrong in one message, before anything has changed.
"""
from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

import numpy as np

from ms_lr_callbacks._arrays import AnyArray
from ms_lr_callbacks.optimizers.access import OptimizerAccess, access_to
from ms_lr_callbacks.optimizers.find import find_optimizer
from ms_lr_callbacks.optimizers.host import dtype_name
from ms_lr_callbacks.optimizers.slots import Slots
from ms_lr_callbacks.optimizers.state import Plan, state_dict
from ms_lr_callbacks.optimizers.torch_checks import computed_rates, difficulties, missing_tensors
from ms_lr_callbacks.optimizers.torch_classes import TORCH_CLASSES, TorchState, read_torch_state
from ms_lr_callbacks.optimizers.torch_layouts import Layout, flag_of, layout_of, shared_values, supported
from ms_lr_callbacks.optimizers.torch_names import Names, arrange


def from_torch_state_dict(optimizer: Any, state: Mapping[str, Any], names: Names = None, *,
                          step: Optional[int] = None, accept: Sequence[str] = ()) -> None:
    """Load an optimizer's state that was saved in torch, so that the next updates are torch's.

    The weights are loaded by you, before or after. Moments, step counts, static learning rates and
    whatever hyperparameters can be changed are set; where a hyperparameter that cannot be changed
    differs, or the arithmetic of the two classes differs, nothing is changed. Which classes fit, and
    when, is in ``docs/torch-optimizer-state.md``.

    Args:
        optimizer: an optimizer of ``mindspore.nn``, ``mindspore.experimental.optim`` or
            ``mindspore.mint.optim``, with the groups of the one in torch.
        state: what ``state_dict()`` of torch's optimizer returned; the values are torch tensors or
            NumPy arrays.
        names: how parameters are matched. None: by name if the state has ``param_names`` and they are
            the names of the optimizer's parameters, else by their order in the user's groups. A list:
            the names of torch's parameters in torch's order, which are then the names in MindSpore. A
            mapping: torch's name -> MindSpore's, in torch's order (in any order if the state has
            ``param_names``).
        step: updates done, for SGD, of which torch keeps no count: it moves learning rates that
            MindSpore computes, and schedules, on to there. None leaves the optimizer's count alone.
        accept: ``("eps",)`` loads although eps enters the updates in another place than in torch.

    Raises:
        TypeError: `state` is not what torch's ``state_dict()`` returns.
        ValueError: the classes do not fit; or something of the state does not, and everything that
            does not is listed.

    Examples:
        >>> import mindspore as ms
        >>> import numpy as np
        >>> from mindspore import nn
        >>> from ms_lr_callbacks import from_torch_state_dict, get_lr
        >>> weight = ms.Parameter(ms.Tensor([1.0, 2.0]), name="weight")
        >>> optimizer = nn.Momentum([weight], learning_rate=0.1, momentum=0.5)
        >>> group = {"lr": 0.25, "momentum": 0.9, "dampening": 0, "weight_decay": 0, "nesterov": False,
        ...          "params": [0]}
        >>> buffer = np.array([0.5, -1.0], np.float32)  # or a torch tensor
        >>> from_torch_state_dict(optimizer, {"state": {0: {"momentum_buffer": buffer}}, "param_groups": [group]})
        >>> get_lr(optimizer), optimizer.moments[0].asnumpy()
        ([0.25], array([ 0.5, -1. ], dtype=float32))
    """
    if isinstance(accept, str) or set(accept) - {"eps"}:
        raise ValueError(f"accept must be () or ('eps',), but got {accept!r}.")
    access = access_to(find_optimizer(None, optimizer))
    layout, given = layout_of(access.optimizer), read_torch_state(state)
    kinds = tuple(kind for kind in layout.torch if kind in given.kinds)
    if not kinds:
        raise ValueError(f"The state is of torch's {' or '.join(given.kinds)}, whose updates {access.name} does not "
                         f"do. {supported(given.kinds[0])}")
    given.kinds = kinds
    arranged, problems = arrange(given, access, names)
    if arranged is not None:
        steps, wrong = _common_step(access, layout, arranged, step)
        plan = _plan(access, layout, arranged)
        problems = [*wrong, *missing_tensors(arranged), *difficulties(access, layout, arranged, accept),
                    *computed_rates(access, arranged, steps), *plan.problems]
    if problems:
        raise ValueError(f"The state does not carry over to this {access.name}; nothing was changed:\n- "
                         + "\n- ".join(problems))
    plan.carry_out()
    if steps is not None:
        access.set_updates(steps)


def to_torch_state_dict(optimizer: Any) -> dict[str, Any]:
    """Return an optimizer's state for ``load_state_dict`` of torch's optimizer, so that torch's next updates agree.

    The parameters are numbered in the order of the user's groups: build torch's optimizer with the same
    groups in the same order. The values are NumPy arrays, which torch takes after one line::

        state["state"] = {i: {name: torch.as_tensor(value) for name, value in each.items()}
                          for i, each in state["state"].items()}

    Args:
        optimizer: an optimizer of a class that ``docs/torch-optimizer-state.md`` lists.

    Returns:
        ``"state"``: for each parameter torch's tensors as copies, ``step`` as a float32 array without
        dimensions. ``"param_groups"``: torch's entries under torch's names.

    Raises:
        ValueError: the class is not supported; or torch's updates would differ, and every reason is
            listed.

    Examples:
        >>> import mindspore as ms
        >>> from mindspore.experimental import optim
        >>> from ms_lr_callbacks import to_torch_state_dict
        >>> weight = ms.Parameter(ms.Tensor([1.0, 2.0]), name="weight")
        >>> state = to_torch_state_dict(optim.AdamW([weight], lr=0.25))
        >>> state["state"][0]["exp_avg"], state["param_groups"][0]["betas"]
        (array([0., 0.], dtype=float32), (0.9, 0.999))
    """
    access = access_to(find_optimizer(None, optimizer))
    layout = layout_of(access.optimizer)
    own = state_dict(optimizer)
    kept = TORCH_CLASSES[layout.torch[0]]
    groups = [{**{name: _number(group, layout.numbers.get(name, name)) for name in kept.numbers},
               **{name: flag_of(access.optimizer, layout, index, name) for name in kept.flags},
               "params": group["params"]} for index, group in enumerate(own["param_groups"])]
    state = TorchState(layout.torch[:1], groups, [], [own["global_step"]] * len(own["state"]))
    state.tensors = [_torch_tensors(layout, state, index, own) for index in own["state"]]
    problems = difficulties(access, layout, state, ()) + _running_products(own)
    problems += [f"lr of group {index} cannot be computed outside the training; build the optimizer with a number"
                 for index, group in enumerate(groups) if group["lr"] is None]
    if problems:
        raise ValueError(f"The state of this {access.name} does not carry over to torch's {kept.name}:\n- "
                         + "\n- ".join(problems))
    step = {"step": np.array(own["global_step"], np.float32)} if kept.counts else {}
    return {"state": {index: {**{name: value.copy() for name, value in step.items()}, **tensors}
                      for index, tensors in enumerate(state.tensors) if step or tensors},
            "param_groups": [{**kept.rest, **_accumulator(own["param_groups"][index], kept.rest), **group}
                             for index, group in enumerate(groups)]}


def _common_step(access: OptimizerAccess, layout: Layout, given: TorchState,
                 step: Optional[int]) -> tuple[Optional[int], list[str]]:
    """Return the updates done, None where nobody tells, and what contradicts."""
    if given.steps is not None:
        steps = sorted(set(given.steps))
        if len(steps) > 1:
            return None, [f"torch's parameters have done different numbers of updates ({given.steps}), and this "
                          f"optimizer has one count for all"]
        if step not in (None, steps[0]):
            return steps[0], [f"step is {step}, but the state has done {steps[0]} updates"]
        return steps[0], []
    if layout.starts_at_step_0:
        started = any("momentum_buffer" in tensors for tensors in given.tensors)
        if step == 0 and started:
            return step, ["step is 0, but there are momentum buffers, which this optimizer would start anew"]
        if step is None:
            return max(access.read_counter() or 0, 1) if started else 0, []
    return step, []


def _plan(access: OptimizerAccess, layout: Layout, given: TorchState) -> Plan:
    """Note what is to be written, in MindSpore's terms."""
    slots = Slots.of(access)
    shared = shared_values(slots.shared, given)
    plan = Plan(access)
    plan.add_tensors({index: {**_own_tensors(layout, given, index, own), **shared}
                      for index, own in enumerate(slots.own)})
    plan.add_groups([{layout.numbers.get(name, name): group[name] for name in given.torch_class.numbers
                      if name not in layout.absent} for group in given.groups])
    return plan


def _own_tensors(layout: Layout, given: TorchState, index: int, own: Mapping[str, Any]) -> dict[str, AnyArray]:
    """Return MindSpore's tensors of one parameter; what torch has not started yet is 0."""
    group, values = given.group_of(index), {}
    used = {name: given.tensors[index][name] for name, reads in given.torch_class.tensors.items()
            if name in given.tensors[index] and reads(group)}
    for name, slot in layout.slots.items():
        if slot in own:
            value = used.get(name)
            values[slot] = np.zeros(own[slot].shape, _held_type(own[slot])) if value is None else value
    for slot, number in layout.extra(used).items():
        values[slot] = np.full(own[slot].shape, number, _held_type(own[slot]))
    if layout.scaled is not None:
        values[layout.scaled] = values[layout.scaled] * np.float32(group["lr"])
    return values


def _torch_tensors(layout: Layout, state: TorchState, index: int, own: Mapping[str, Any]) -> dict[str, AnyArray]:
    """Return torch's tensors of one parameter."""
    group, slots = state.group_of(index), dict(own["state"][index])
    if layout.unstarted(slots, own["global_step"]):
        return {}
    if layout.scaled is not None:
        slots[layout.scaled] = slots[layout.scaled] / np.float32(group["lr"])
    return {name: slots[slot] for name, slot in layout.slots.items() if state.torch_class.tensors[name](group)}


def _held_type(parameter: Any) -> str:
    name = dtype_name(parameter)
    return "float32" if name == "bfloat16" else name


def _number(group: Mapping[str, Any], name: str) -> Any:
    """Return a number as the shortest decimal of its float32; 0 where MindSpore has none."""
    value = group.get(name, 0.0)
    if value is None:
        return None
    return tuple(_shortest(each) for each in value) if isinstance(value, tuple) else _shortest(value)


def _shortest(value: float) -> float:
    return float(str(np.float32(value)))


def _running_products(own: Mapping[str, Any]) -> list[str]:
    """Say where the products of the betas used are not the powers that torch takes for them."""
    betas, problems = own["param_groups"][0].get("betas"), []
    for index, name in enumerate(("beta1_power", "beta2_power")):
        if name in own["state"][0]:
            product, power = float(own["state"][0][name].reshape(())), betas[index] ** own["global_step"]
            if abs(product - power) > 1e-6 * (own["global_step"] + 1) * power + 1e-9:
                problems.append(f"{name} is {product}, but {betas[index]} to the power of {own['global_step']} updates "
                                f"is {power}, by which torch corrects: betas have changed while training")
    return problems


def _accumulator(group: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    name = "initial_accumulator_value"
    return {name: group[name]} if name in rest and name in group else {}
