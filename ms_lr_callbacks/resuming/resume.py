"""Bringing a training to where a checkpoint stands: all of it, or an error and nothing."""
from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from ms_lr_callbacks._ranks import world_size
from ms_lr_callbacks.resuming import mismatch
from ms_lr_callbacks.resuming.callback_states import match, restore_callbacks, stateful
from ms_lr_callbacks.resuming.data_position import doubts, seek
from ms_lr_callbacks.resuming.randomness import random_cells, restore_randomness
from ms_lr_callbacks.resuming.state_form import faults
from ms_lr_callbacks.training.loss_scale import restore_loss_scale
from ms_lr_callbacks.checkpoint import CheckpointError, LoadedCheckpoint
from ms_lr_callbacks.optimizers import OptimizerAccess, access_to, find_optimizer
from ms_lr_callbacks.optimizers.host import write
from ms_lr_callbacks.optimizers.inventory import Inventory


@dataclass(frozen=True)
class ResumePoint:
    """Where a training goes on.

    Attributes:
        epoch: epochs finished; what ``Model.train`` takes as ``initial_epoch``. 0 on a first run.
        step: optimizer updates done. 0 on a first run.
        path: the checkpoint that was loaded; None on a first run.

    Examples:
        >>> ResumePoint(0, 0, None)
        ResumePoint(epoch=0, step=0, path=None)
    """

    epoch: int
    step: int
    path: Optional[Path]


class Target:
    """The parts of a training that a checkpoint is loaded into.

    Attributes:
        access: the optimizer.
        network: the train network.
    """

    def __init__(self, model: Any, dataset: Any, callbacks: Any) -> None:
        """
        Args:
            model: the `mindspore.train.Model`.
            dataset: the training data; None for none.
            callbacks: a list of callbacks, one callback or None.

        Raises:
            ValueError: the model has no optimizer.
        """
        self.network = model.train_network
        self.access: OptimizerAccess = access_to(find_optimizer(self.network, getattr(model, "_optimizer", None)))
        self._loss_scale_manager = getattr(model, "_loss_scale_manager", None)
        self._dataset = dataset
        self._callbacks = stateful(callbacks)

    def restore(self, loaded: LoadedCheckpoint, with_network: bool, is_rank_0: bool) -> list[dict[str, Any]]:
        """Load a checkpoint.

        Args:
            loaded: the checkpoint.
            with_network: whether to load the network too.
            is_rank_0: whether the random state in it, rank 0's, is that of this process.

        Returns:
            The states of callbacks that are not among `callbacks`.

        Raises:
            CheckpointMismatchError: it does not fit; nothing was changed.
        """
        state = loaded.state
        self._check_ours(loaded)
        sections = Inventory.of(self.network, self.access.optimizer).sections(with_network)
        saved = {name: part for name, part in loaded.sections.items() if with_network or name != "network"}
        mismatch.refuse(loaded.path, self._problems(state, saved, sections))
        pairs, left = match(self._callbacks, state["callbacks"])
        restore_callbacks(pairs)
        for section, parameters in sections.items():
            for name, parameter in parameters.items():
                write(parameter, saved[section][name])
        restore_loss_scale(self._loss_scale_manager, state["loss_scale"])
        self._restore_progress(state)
        restore_randomness(state["random"], is_rank_0)
        if self._dataset is not None:
            seek(self._dataset, state["position"]["batches"])
        self._warn(state)
        return left

    def _check_ours(self, loaded: LoadedCheckpoint) -> None:
        found = faults(loaded.state, loaded.step)
        if found:
            raise CheckpointError(f"{loaded.path} was not saved by OptimizerCheckpoint, or was changed since; nothing "
                                  f"was loaded. Pass a directory of OptimizerCheckpoint's own:\n- "
                                  + "\n- ".join(found[:mismatch.SHOWN]))

    def _problems(self, state: dict[str, Any], saved: Any, sections: Any) -> list[str]:
        steps = None if self._dataset is None else int(self._dataset.get_dataset_size())
        problems = mismatch.surroundings_problems(state, world_size(), steps)
        problems += mismatch.optimizer_problems(state, self.access)
        if "network" in sections and "network" not in saved:
            problems.append("it was saved with save_network=False; pass that here too, and load the network yourself")
            sections = {name: part for name, part in sections.items() if name != "network"}
        problems += mismatch.tensor_problems(saved, sections)
        return problems + mismatch.loss_scale_problems(state["loss_scale"], self._loss_scale_manager)

    def _restore_progress(self, state: dict[str, Any]) -> None:
        progress = self.access.progress
        progress.updates, progress.epochs = state["step"], state["epoch"]
        progress.counter = state["optimizer"]["global_step"]
        progress.restored = True
        self.access.drivers.clear()  # what they remember is not this run's past

    def _warn(self, state: dict[str, Any]) -> None:
        changed = mismatch.changed_bases(state, self.access)
        if changed:
            _say("The optimizer was built with other values than before; schedules go on with the new ones: "
                 + "; ".join(changed) + ".")
        if self._dataset is None and state["position"]["batch"]:
            _say(f"The checkpoint stands {state['position']['batch']} batches behind the begin of an epoch, and the "
                 f"training will start at its begin: pass dataset= to resume() to go on with the very next batch.")
        doubt = None if self._dataset is None else doubts(self._dataset, state["position"]["batches"])
        if doubt is not None:
            _say(f"The resumed training may not get the same data: {doubt}.")
        dropouts = random_cells(self.network)
        if dropouts:
            _say(f"Dropout draws from a random stream that MindSpore can neither save nor restore: "
                 f"{', '.join(dropouts[:3])}{', ...' if len(dropouts) > 3 else ''} will draw other numbers than in a "
                 f"run without interruption. Everything else goes on exactly.")


def _say(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=5)
