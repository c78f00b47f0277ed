"""Taking hold of a training's state, at one point of its timeline, whatever the order of the callbacks.

A checkpoint belongs to the moment after a step (or an epoch) when every callback has had its say and
none has begun the next. The checkpoint stands somewhere in the list of callbacks, so it sees that
moment in two halves::

    on_train_step_end, in the order of the list
        callbacks before us   have done their part: their states are taken now
        we                    note the position
        callbacks after us    do their part
    on_train_step_begin of the next step, in the order of the list
        callbacks before us   begin the next step, too late for them
        we                    take the states of the callbacks after us, and all Parameters

With nobody behind us both halves are one. At the end of an epoch the same happens with
``on_train_epoch_end`` and the next ``on_train_epoch_begin`` or ``on_train_end``.
"""
from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Any, Optional

import mindspore as ms
import numpy as np

from ms_lr_callbacks._version import __version__
from ms_lr_callbacks.resuming.callback_states import capture_callback, stateful
from ms_lr_callbacks.training.loss_scale import capture_loss_scale
from ms_lr_callbacks.resuming.randomness import capture_randomness
from ms_lr_callbacks.training.run import TrainingRun
from ms_lr_callbacks.optimizers.describe import base_values, class_name, groups_of, rate_kinds, values_of


@dataclass(frozen=True)
class Position:
    """Where a training stands.

    Attributes:
        step: optimizer updates done.
        epoch: epochs finished.
        batch: batches of the current epoch that are done; 0 between two epochs.
        batches: where the dataset stands, in batches from its first epoch on.
        steps_per_epoch: batches of a whole epoch.
    """

    step: int
    epoch: int
    batch: int
    batches: int
    steps_per_epoch: int


class Moment:
    """One moment of a training, of which the second half may still be to come.

    Attributes:
        position: where the training stood.
    """

    def __init__(self, position: Position, before: list[Any], after: list[Any]) -> None:
        """`before` and `after`: the callbacks with a state that stand before and behind the checkpoint."""
        self.position = position
        self._states = [capture_callback(each) for each in before]
        self._after = after
        self._randomness = capture_randomness()

    def callback_states(self) -> list[dict[str, Any]]:
        """Return the states of all callbacks; call it when those behind the checkpoint have had their turn."""
        return self._states + [capture_callback(each) for each in self._after]

    def state(self, run: TrainingRun, cb_params: Any, ranks: int) -> dict[str, Any]:
        """Return everything of the training that is no tensor.

        Args:
            run: the training.
            cb_params: its parameters.
            ranks: how many processes train together.
        """
        access, position = run.access, self.position
        driven = [name for name in access.hyperparameters if run.is_driven(name)]
        return {
            "step": position.step, "epoch": position.epoch,
            "position": {"batch": position.batch, "batches": position.batches,
                         "steps_per_epoch": position.steps_per_epoch},
            "groups": groups_of(access, run.is_driven, position.step),
            "optimizer": {"class": class_name(access.optimizer), "global_step": access.read_counter(),
                          "learning_rates": rate_kinds(access, run.is_driven("lr"))},
            "hyperparameters": {
                "base": base_values(access),
                "driven": {name: values_of(access, name, True, position.step) for name in driven}},
            "loss_scale": capture_loss_scale(cb_params.get("loss_scale_mananger")),  # so MindSpore spells it
            "callbacks": self.callback_states(),
            "random": self._randomness,
            "ranks": ranks,
            "versions": {"ms_lr_callbacks": __version__, "mindspore": ms.__version__, "numpy": np.__version__,
                         "python": platform.python_version()},
        }


def split_callbacks(callbacks: Optional[list[Any]], own: Any) -> tuple[list[Any], list[Any], bool]:
    """Return the callbacks with a state before and behind `own`, and whether `own` is the very last.

    A checkpoint that is not found in the list, because something wraps it, counts as the first.
    """
    listed = list(callbacks or [])
    place = next((index for index, each in enumerate(listed) if each is own), -1)
    before, after = listed[:max(place, 0)], listed[place + 1:]
    return stateful(before), stateful(after), not after
