"""All ranks of a distributed training load the same checkpoint.

Rank 0 decides and tells the others: were each to look for itself, a fast rank 0 could have saved, or
removed, a checkpoint before a slow rank has looked.
"""
from __future__ import annotations

from pathlib import Path
from typing import Callable, Optional

import numpy as np
from mindspore import Tensor, ops

from ms_lr_callbacks import _ranks
from ms_lr_callbacks.checkpoint import CheckpointError, CheckpointStore, LoadedCheckpoint, load_checkpoint
from ms_lr_callbacks.checkpoint.names import checkpoint_name
from ms_lr_callbacks.optimizers.numpy2 import settle_numpy

_FAILED, _NONE = -2, -1


def agreed_step(directory: Path, open_store: Callable[[], CheckpointStore], sharded: bool,
                ) -> Optional[LoadedCheckpoint]:
    """Load what rank 0 chooses: its newest checkpoint that verifies.

    Args:
        directory: where the checkpoints are, the same for all ranks.
        open_store: opens the directory; called on rank 0 alone.
        sharded: whether each rank has a part of its own in it.

    Returns:
        The checkpoint; None if there is none.

    Raises:
        CheckpointError: rank 0 cannot load any; it alone says why.
    """
    if _ranks.rank() == 0:
        try:
            with open_store() as store:
                loaded = store.load_latest()
        except BaseException:
            _tell(_FAILED)
            raise
        _tell(_NONE if loaded is None else loaded.step)
        return loaded
    step = _tell(0)
    if step == _FAILED:
        raise CheckpointError(f"rank 0 could not load a checkpoint from {directory}; see its error.")
    if step == _NONE:
        return None
    return load_checkpoint(directory / checkpoint_name(step), rank=_ranks.rank() if sharded else 0)


def wait_for_all() -> None:
    """Return when all ranks have called this."""
    if _ranks.world_size() > 1:
        _tell(0)


def _tell(step: int) -> int:
    """Return the number that rank 0 gives; the others give 0."""
    settle_numpy()
    # Halves, as float32 is what every backend reduces, and holds whole numbers up to 2 ** 24 only.
    number = step - _FAILED if _ranks.rank() == 0 else 0
    halves = ops.AllReduce()(Tensor(np.array([number >> 20, number & 0xFFFFF], np.float32))).asnumpy()
    return (int(halves[0]) << 20) + int(halves[1]) + _FAILED
