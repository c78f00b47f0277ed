"""The loss-scale manager of a `Model`: its numbers are the state of the loss scale.

What a train cell keeps in Parameters is saved with those.
"""
from __future__ import annotations

from typing import Any, Optional

from ms_lr_callbacks.optimizers.describe import class_name


def capture_loss_scale(manager: Any) -> Optional[dict[str, Any]]:
    """Return the class and the numbers of a loss-scale manager; None for None."""
    if manager is None:
        return None
    return {"class": class_name(manager), "values": _numbers(manager)}


def loss_scale_problem(manager: Any, saved: Optional[dict[str, Any]]) -> Optional[str]:
    """Say why `saved` does not fit `manager`; None if it does."""
    was, now = (None if saved is None else saved["class"]), (None if manager is None else class_name(manager))
    if was == now:
        return None
    return f"the loss-scale manager was {was} and is {now}"


def restore_loss_scale(manager: Any, saved: Optional[dict[str, Any]]) -> None:
    """Give `manager` the numbers that were saved."""
    if saved is not None:
        for name, value in saved["values"].items():
            setattr(manager, name, value)


def _numbers(manager: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(manager).items() if isinstance(value, (bool, int, float))}
