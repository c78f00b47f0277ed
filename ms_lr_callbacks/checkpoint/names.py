"""The names inside a checkpoint directory: which are final, which are work in progress.

A final name is ``step-`` and the step in at least eight digits. Everything else that the store
makes starts with a dot, so that no reader can take it for a checkpoint.
"""
from __future__ import annotations

import re
from typing import Optional

LOCK = ".lock"
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
STATE = "state"
"""Section name that belongs to the store: the caller's state and the larger arrays in it."""

MAX_STEP = 10 ** 18 - 1
MAX_RANKS = 10 ** 5

_FINAL = re.compile(r"step-([0-9]{8,18})", re.ASCII)
_LEFTOVER = re.compile(r"\.(step-[0-9]{8,18})\.([0-9a-f]{8,64})\.(writing|replaced|trash)", re.ASCII)
_SECTION = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


def checkpoint_name(step: int) -> str:
    """Final name of the checkpoint at ``step``.

    >>> checkpoint_name(200)
    'step-00000200'
    """
    return f"step-{step:08d}"


def step_of(name: str) -> Optional[int]:
    """The step of a final name, or None for any other name.

    >>> step_of("step-00000200"), step_of("step-000000200"), step_of(".step-00000200.ab.writing")
    (200, None, None)
    """
    match = _FINAL.fullmatch(name)
    if match is None or checkpoint_name(int(match.group(1))) != name:
        return None
    return int(match.group(1))


def working_name(step: int, identity: str, kind: str) -> str:
    """Name of a directory aside; ``kind`` is ``writing``, ``replaced`` or ``trash``."""
    return f".{checkpoint_name(step)}.{identity}.{kind}"


def working_parts(name: str) -> Optional[tuple[str, str, str]]:
    """(final name, identity, kind) of a directory aside, or None for any other name."""
    match = _LEFTOVER.fullmatch(name)
    return None if match is None else (match.group(1), match.group(2), match.group(3))


def is_section(name: object) -> bool:
    """Whether a caller may call a section so: lower case letters, digits and ``_``; not ``state``."""
    return isinstance(name, str) and _SECTION.fullmatch(name) is not None and name != STATE


def _rank_part(rank: int, world_size: int) -> str:
    return "" if world_size == 1 else f".rank-{rank:05d}"


def tensor_file(section: str, rank: int, world_size: int) -> str:
    """File of one section of one rank: ``optimizer.safetensors``, ``optimizer.rank-00001.safetensors``."""
    return f"{section}{_rank_part(rank, world_size)}.safetensors"


def state_file(rank: int, world_size: int) -> str:
    """File of one rank's state: ``state.json``, ``state.rank-00001.json``."""
    return f"{STATE}{_rank_part(rank, world_size)}.json"


def part_file(rank: int) -> str:
    """What a rank leaves in the directory aside when its files are all there."""
    return f"part-{rank:05d}.json"
