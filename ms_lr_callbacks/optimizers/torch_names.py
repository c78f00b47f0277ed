"""Which parameter of torch's is which of MindSpore's, and the same for the groups."""
from __future__ import annotations

from typing import Mapping, Optional, Sequence, Union

from ms_lr_callbacks.optimizers.access import OptimizerAccess
from ms_lr_callbacks.optimizers.torch_classes import TorchState

Names = Union[Sequence[str], Mapping[str, str], None]


def arrange(given: TorchState, access: OptimizerAccess, names: Names) -> tuple[Optional[TorchState], list[str]]:
    """Put torch's parameters and groups into MindSpore's order.

    Args:
        given: the state in torch's order.
        access: the optimizer.
        names: see `from_torch_state_dict`.

    Returns:
        The state in the order of the optimizer's groups, None if that is not possible, and what stands
        in the way.
    """
    own = [[access.optimizer.parameters[position].name for position in group.positions] for group in access.groups]
    flat = [name for group in own for name in group]
    problems = [f"there are {theirs} {what} in torch instead of {mine}" for what, theirs, mine in (
        ("parameter groups", len(given.groups), len(own)), ("parameters", len(given.tensors), len(flat)))
        if theirs != mine]
    theirs, wrong = _names_in_mindspore(given, flat, names)
    problems += wrong
    if problems:
        return None, problems
    source = list(range(len(flat))) if theirs is None else [theirs.index(name) for name in flat]
    groups, first = [], 0
    for index, members in enumerate(own):
        sources = source[first:first + len(members)]
        matching = [group for group in given.groups if set(group["params"]) == set(sources)]
        if not matching:
            sizes = [len(group["params"]) for group in given.groups]
            problems.append(f"group {index} ({', '.join(members)}) is no group of torch's, which have {sizes} "
                            f"parameters{'' if theirs is None else ' and other names'}")
        else:
            groups.append({**matching[0], "params": list(range(first, first + len(members)))})
        first += len(members)
    if problems:
        return None, problems
    return TorchState(given.kinds, groups, [given.tensors[each] for each in source],
                      None if given.steps is None else [given.steps[each] for each in source], flat), []


def _names_in_mindspore(given: TorchState, own: Sequence[str], names: Names) -> tuple[Optional[list[str]], list[str]]:
    """Return MindSpore's name of each of torch's parameters in torch's order, None to go by the order."""
    if names is None:
        by_name = given.names is not None and len(set(own)) == len(own) and sorted(given.names) == sorted(own)
        return given.names if by_name else None, []
    mapping = dict(names) if isinstance(names, Mapping) else {name: name for name in names}
    order = list(mapping) if given.names is None else given.names
    problems = []
    if given.names is not None and isinstance(names, Mapping) and set(mapping) != set(given.names):
        problems.append(f"names must map torch's {given.names}, but maps {list(mapping)}")
    elif given.names is not None and not isinstance(names, Mapping) and list(names) != given.names:
        problems.append(f"names are {list(names)}, but the state's param_names are {given.names}")
    elif sorted(mapping[name] for name in order) != sorted(own) or len(set(own)) != len(own):
        problems.append(f"names lead to {[mapping[name] for name in order]} instead of each of the optimizer's "
                        f"parameters {list(own)} once; pass a mapping from torch's names to these")
    return [mapping.get(name, "") for name in order], problems
