"""Where a training stands in its data, and how a dataset is brought there.

``dataset.set_init_step(k)`` makes the dataset's next iterator start behind its first k batches, in the
epoch and with the shuffle that they lead to. `Model` makes that iterator when a training begins.
"""
from __future__ import annotations

from typing import Any, Iterator, Optional

import mindspore.dataset as ds

_NO_SEED = 5489  # what MindSpore's get_seed() says when none was set


def seek(dataset: Any, batches: int) -> None:
    """Have the next iterator of `dataset` start behind its first `batches` batches."""
    dataset.set_init_step(batches)


class DataPosition:
    """Follows one training through its data.

    Attributes:
        steps_per_epoch: batches of the whole dataset.
    """

    def __init__(self, cb_params: Any) -> None:
        """Make it when the training begins."""
        dataset = cb_params.train_dataset
        self.steps_per_epoch = int(dataset.get_dataset_size())
        self._first = int(dataset.get_init_step())
        self._batches_per_epoch = int(cb_params.batch_num)  # under dataset sinking the size of a sink
        self._calls_before = int(cb_params.cur_step_num)

    def batches(self, cb_params: Any) -> int:
        """Return how many batches, from the dataset's first epoch on, have been used."""
        return self._first + int(cb_params.cur_step_num) - self._calls_before

    def batch(self, cb_params: Any) -> int:
        """Return how many batches of the current epoch have been used; 0 behind its last one."""
        return self.batches(cb_params) % self._batches_per_epoch

    def ends_epoch(self, cb_params: Any) -> bool:
        """Return whether the last batch was the last of its epoch."""
        return self.batch(cb_params) == 0

    def release(self, cb_params: Any) -> None:
        """Let later trainings with the same dataset start at its first batch, as without a resume."""
        if self._first:
            seek(cb_params.train_dataset, 0)


def doubts(dataset: Any, batches: int) -> Optional[str]:
    """Say why the dataset, started behind `batches` batches, might not go on as it did before.

    None if nothing speaks against it. A user's own Python functions are not judged.
    """
    if not batches:
        return None
    nodes = list(_nodes(dataset))
    if ds.config.get_seed() == _NO_SEED and any(map(_shuffles, nodes)):
        return ("the dataset is shuffled and has no seed, so each run has an order of its own. Call "
                "mindspore.set_seed() or mindspore.dataset.config.set_seed() before the first run")
    if ds.config.get_fast_recovery() and any(map(_augments, nodes)):
        return ("the dataset has random operations, and MindSpore skips batches without drawing their numbers: the "
                "right rows come in the right order, with other random changes. "
                "mindspore.dataset.config.set_fast_recovery(False) before resume() makes these the same too, and "
                "runs the pipeline through all batches that are skipped")
    return None


def _nodes(dataset: Any) -> Iterator[Any]:
    yield dataset
    for child in getattr(dataset, "children", ()):
        yield from _nodes(child)


def _shuffles(node: Any) -> bool:
    return type(node).__name__ == "ShuffleDataset" or "Random" in type(getattr(node, "sampler", None)).__name__


def _augments(node: Any) -> bool:
    operations = getattr(node, "operations", None)
    if not isinstance(operations, (list, tuple)):
        operations = [operations]
    return any("Random" in type(each).__name__ or getattr(each, "random", False) is True for each in operations)
