"""Comparing a checkpoint with the training that it is to be loaded into.

Each function returns the list of what does not fit, in words, and changes nothing.
"""
from __future__ import annotations

from typing import Any, Mapping, Optional

from ms_lr_callbacks.checkpoint import CheckpointError, TensorRecord
from ms_lr_callbacks.optimizers import OptimizerAccess
from ms_lr_callbacks.optimizers.describe import base_values, class_name, rate_kinds
from ms_lr_callbacks.optimizers.host import dtype_name
from ms_lr_callbacks.training.loss_scale import capture_loss_scale, loss_scale_problem

SHOWN = 50


class CheckpointMismatchError(CheckpointError, ValueError):
    """A sound checkpoint that is not one of this training."""


def tensor_problems(saved: Mapping[str, Mapping[str, TensorRecord]],
                    wanted: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Compare tensors with Parameters, section by section."""
    problems = []
    for section in dict.fromkeys([*wanted, *saved]):
        records, parameters = saved.get(section, {}), wanted.get(section, {})
        place = section.replace("_", " ")
        problems += [f"{place}: {name} is missing from the checkpoint" for name in parameters if name not in records]
        problems += [f"{place}: the checkpoint has {name}, which is not there now"
                     for name in records if name not in parameters]
        for name, parameter in parameters.items():
            if name in records:
                was = f"{records[name].dtype} {records[name].shape}"
                now = f"{dtype_name(parameter)} {tuple(parameter.shape)}"
                if was != now:
                    problems.append(f"{place}: {name} was {was} and is {now}")
    return problems


def optimizer_problems(state: Mapping[str, Any], access: OptimizerAccess) -> list[str]:
    """Compare the optimizer's class, its groups and the forms of their learning rates."""
    problems = _differ("the optimizer", state["optimizer"]["class"], class_name(access.optimizer))
    names = [each.name for each in access.optimizer.parameters]
    now = [[names[position] for position in group.positions] for group in access.groups]
    was = [list(group["params"]) for group in state["groups"]]
    if len(was) != len(now):
        return problems + _differ("the number of parameter groups", len(was), len(now))
    problems += [f"group {index} held other parameters: {_short(a)} before, {_short(b)} now"
                 for index, (a, b) in enumerate(zip(was, now)) if a != b]
    for index, (a, b) in enumerate(zip(state["optimizer"]["learning_rates"], rate_kinds(access, False))):
        problems += _differ(f"the learning rate of group {index}", a, b)
    return problems


def surroundings_problems(state: Mapping[str, Any], ranks: int, steps_per_epoch: Optional[int]) -> list[str]:
    """Compare the number of ranks and of steps in an epoch (None: not known)."""
    problems = _differ("the number of ranks", state["ranks"], ranks)
    if steps_per_epoch is not None:
        problems += _differ("the number of steps per epoch", state["position"]["steps_per_epoch"], steps_per_epoch)
    return problems


def loss_scale_problems(saved: Optional[dict[str, Any]], manager: Any) -> list[str]:
    """Compare the loss-scale manager: its class, and which numbers it has."""
    problem, now = loss_scale_problem(manager, saved), capture_loss_scale(manager)
    if problem is not None or saved is None or now is None:
        return [] if problem is None else [problem]
    return _differ("the loss-scale manager's numbers", sorted(saved["values"]), sorted(now["values"]))


def changed_bases(state: Mapping[str, Any], access: OptimizerAccess) -> list[str]:
    """List the hyperparameters that the constructor was given another value of than when the run began."""
    now = base_values(access)
    return [line for name, was in state["hyperparameters"]["base"].items() if name in now
            for index, (a, b) in enumerate(zip(was, now[name])) if a is not None and b is not None
            for line in _differ(f"{name} of group {index}", a, b)]


def refuse(path: Any, problems: list[str]) -> None:
    """Raise one error that lists all `problems`, if there are any.

    Raises:
        CheckpointMismatchError: there are.
    """
    if problems:
        shown = problems[:SHOWN]
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise CheckpointMismatchError(
            f"{path} does not fit this training; nothing was changed. Build the network, the optimizer and the dataset "
            f"as they were when it was saved, or pass another directory to start afresh:\n- "
            + "\n- ".join(shown + more))


def _differ(what: str, was: Any, now: Any) -> list[str]:
    return [] if was == now else [f"{what} was {was} and is {now}"]


def _short(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
