"""Checkpoints whose digests fit and whose state nobody but an attacker, or another program, writes."""
from __future__ import annotations

import copy
import random
import shutil
from pathlib import Path
from typing import Any, Iterator

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
import pytest
from resuming import Training, with_decay

from ms_lr_callbacks import LRMonitor, OptimizerCheckpoint
from ms_lr_callbacks.checkpoint import CheckpointError, CheckpointStore, LoadedCheckpoint, load_checkpoint

GONE = object()
WRONG = [None, -1, 1.5, 2 ** 63, "x", [], {}, GONE]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> LoadedCheckpoint:
    directory = tmp_path_factory.mktemp("sound")
    training = Training(callbacks=lambda: [*with_decay(), LRMonitor()])
    training.train(OptimizerCheckpoint(directory, save_steps=4), epochs=1)
    return load_checkpoint(directory / "step-00000004")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a state has a value, outermost first."""
    if path:
        yield path
    keys = value if isinstance(value, dict) else range(min(len(value), 1)) if isinstance(value, list) else ()
    for key in keys:
        yield from places(value[key], (*path, key))


def changed(state: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    state = copy.deepcopy(state)
    holder: Any = state
    for key in path[:-1]:
        holder = holder[key]
    if value is GONE:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return state


class Everything:
    """A training, and all that resuming it may change."""

    def __init__(self) -> None:
        self.training = Training(callbacks=lambda: [*with_decay(), LRMonitor()])

    def now(self) -> str:
        training, numpy = self.training, np.random.get_state(legacy=False)
        return repr([training.everything(), [repr(each.state_dict()) for each in training.callbacks],
                     training.data.get_init_step(), ms.get_seed(), ds.config.get_seed(), random.getstate(),
                     numpy["state"]["key"].tolist(), numpy["state"]["pos"], ms.get_rng_state().asnumpy().tolist()])

    def resume(self, directory: Path) -> Any:
        return OptimizerCheckpoint(directory).resume(self.training.model, self.training.data, self.training.callbacks)


def write(directory: Path, sound: LoadedCheckpoint, state: dict[str, Any]) -> None:
    with CheckpointStore(directory) as store:
        store.save(sound.step, sound.sections, state)


@pytest.mark.filterwarnings("ignore:The optimizer was built:RuntimeWarning")
def test_a_wrong_value_changes_nothing_or_does_no_harm(tmp_path: Path, sound: LoadedCheckpoint) -> None:
    """Some values are sound where they stand: another name of a group, no callbacks."""
    target, tried, refused = Everything(), 0, 0
    for path in places(sound.state):
        for value in WRONG:
            directory = tmp_path / f"{tried}"
            tried += 1
            write(directory, sound, changed(sound.state, path, value))
            before = target.now()
            try:
                target.resume(directory)
            except (CheckpointError, ValueError):
                refused += 1
                assert target.now() == before, (path, value)
            shutil.rmtree(directory)
    assert refused > 250, f"{refused} of {tried}"


@pytest.mark.parametrize("path, value, message", [
    (("epoch",), "x", r"state\['epoch'\] is 'x'"),
    (("position", "batches"), GONE, r"state\['position'\]\['batches'\] is missing"),
    (("groups", 0, "params", 0), 7, r"state\['groups'\]\[0\]\['params'\]\[0\] is 7"),
    (("step",), 5, r"state\['step'\] is 5 in a checkpoint of step 4"),
    (("optimizer", "learning_rates"), [], "one entry for each group"),
    # NumPy takes such a position, and reads memory that is not its own when a number is drawn.
    (("random", "numpy", "state", "pos"), 2 ** 40, r"state\['random'\]\['numpy'\] is a dict"),
    (("random", "numpy", "state", "pos"), -1, r"state\['random'\]\['numpy'\] is a dict"),
    (("random", "python", "words"), np.full(625, 2 ** 40, np.uint64), r"state\['random'\]\['python'\] is a dict"),
])
def test_what_is_wrong_is_named(tmp_path: Path, sound: LoadedCheckpoint, path: Any, value: Any, message: str) -> None:
    write(tmp_path, sound, changed(sound.state, path, value))
    with pytest.raises(CheckpointError, match=f"was not saved by OptimizerCheckpoint, or was changed(.|\n)*{message}"):
        Everything().resume(tmp_path)


def test_a_loss_scale_manager_takes_its_own_numbers_only(tmp_path: Path) -> None:
    from mindspore.amp import FixedLossScaleManager

    def made() -> Training:
        return Training(loss_scale_manager=FixedLossScaleManager(8.0, drop_overflow_update=False))

    made().train(OptimizerCheckpoint(tmp_path / "sound"), epochs=1)
    loaded = load_checkpoint(tmp_path / "sound" / "step-00000005")
    write(tmp_path / "other", loaded, changed(loaded.state, ("loss_scale", "values", "get_loss_scale"), 3))
    training = made()
    with pytest.raises(CheckpointError, match="the loss-scale manager's numbers was .*get_loss_scale"):
        OptimizerCheckpoint(tmp_path / "other").resume(training.model, training.data)
    assert training.model._loss_scale_manager.get_loss_scale() == 8.0
