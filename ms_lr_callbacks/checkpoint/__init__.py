"""The checkpoint store: complete, verified directories on disk, whatever happens to the process.

It knows NumPy and the file system; no MindSpore, no callback. How a training callback uses it::

    store = CheckpointStore("runs/digits/ckpt", keep_last=3)   # takes the directory, or raises
                                                               # DirectoryInUseError
    found = store.load_latest()                 # newest that verifies; None: a fresh start
    if found is not None:
        found.step, found.state                 # plain values, exactly as they were saved
        found.sections["optimizer"]["moment1.w"].array        # dtype in .dtype ("bfloat16" too)

    sections = {"network": {name: array, ...},  # NumPy arrays or TensorRecord;
                "optimizer": {name: TensorRecord.bfloat16(bits)}}   # leave one out to save less
    state = {"step": 200, "epoch": 3, "groups": [...], "callbacks": {...}}
    store.save_async(200, sections, state)      # returns at once; waits for the save before it
    store.poll()                                # each step: raises the error of a failed save
    store.save(400, sections, state)            # returns when the disk has it
    store.close()                               # waits, raises, lets go of the directory

Promises
    - A directory with a final name (``step-00000200``) is complete. ``commit`` makes it so.
    - Nothing is handed out before every byte of the checkpoint has been verified.
    - Retention never removes the last checkpoint that verifies (``retention``).
    - One run owns a directory; a second one is refused until the first has ended (``lock``).
    - No error of a background save is lost (``background``). A normal exit waits for it.

What it asks of the caller: the arrays given to ``save_async`` stay unchanged until it is done
(``poll()`` returns False). The state is taken at the call. After ``fork`` the child may not save.

For ``python -m ms_lr_callbacks inspect`` the state should hold ``step``, ``epoch``, ``groups`` (a
list of dicts with ``name``, ``lr``, ``weight_decay``, ``params``) and ``callbacks``; the store itself
does not look at it.
"""
from __future__ import annotations

from ms_lr_callbacks.checkpoint.errors import (CheckpointError, CheckpointWriteError, DamagedCheckpointError,
                                               DirectoryInUseError, NoUsableCheckpointError)
from ms_lr_callbacks.checkpoint.listing import latest_checkpoint, list_checkpoints, load_latest
from ms_lr_callbacks.checkpoint.reader import (CheckpointReport, LoadedCheckpoint, load_checkpoint,
                                               verify_checkpoint)
from ms_lr_callbacks.checkpoint.store import CheckpointStore
from ms_lr_callbacks.checkpoint.tensors import TensorRecord

__all__ = [
    "CheckpointError",
    "CheckpointReport",
    "CheckpointStore",
    "CheckpointWriteError",
    "DamagedCheckpointError",
    "DirectoryInUseError",
    "LoadedCheckpoint",
    "NoUsableCheckpointError",
    "TensorRecord",
    "latest_checkpoint",
    "list_checkpoints",
    "load_checkpoint",
    "load_latest",
    "verify_checkpoint",
]
