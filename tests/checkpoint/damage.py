"""Damage a checkpoint in thousands of ways and see that each is refused.

    python -m tests.checkpoint.damage --cases 20000 --seed 7

Every case must be found by ``verify_checkpoint``, must make ``load_checkpoint`` raise
``DamagedCheckpointError`` and nothing else, and must make ``load_latest`` fall back to the sound
checkpoint before it. All of it under a limit on memory.
"""
from __future__ import annotations

import argparse
import itertools
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Iterator

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import hostile  # noqa: E402
from sample import save  # noqa: E402

from ms_lr_callbacks.checkpoint import (DamagedCheckpointError, load_checkpoint, load_latest,  # noqa: E402
                                        verify_checkpoint)

MEMORY = 2 ** 30


def cases(target: Path, others: list[Path], count: int,
          rng: random.Random) -> Iterator[tuple[str, str, hostile.Damage]]:
    """(kind, description, what to do) of ``count`` cases: fixed ones, grids, then hostile content."""
    groups = [("replaced", list(hostile.replacements(target))), ("swapped", list(hostile.swaps(target, others)))]
    fixed = sum(len(group) for _, group in groups)
    share = max(0, count - fixed) * 2 // 5
    groups += [("cut", list(hostile.cuts(target, share))), ("bit flipped", list(hostile.flips(target, share, rng)))]
    rest = count - sum(len(group) for _, group in groups)
    for kind, group in groups:
        yield from ((kind, text, damage) for text, damage in group)
    endless = hostile.signed(target, rng)
    yield from (("hostile, signed", text, damage) for text, damage in itertools.islice(endless, max(0, rest)))


def fault_of(target: Path, earlier: Path) -> str:
    """What is wrong with the way a damaged checkpoint was treated; empty when all is well."""
    if verify_checkpoint(target):
        return "verify_checkpoint found nothing"
    try:
        load_checkpoint(target)
        return "load_checkpoint returned it"
    except DamagedCheckpointError as error:
        if str(target) not in str(error):
            return f"the message does not name the checkpoint: {error}"
    loaded = load_latest(target.parent, on_damaged=lambda error: None)
    if loaded is None or loaded.path != earlier:
        return "load_latest did not fall back"
    return ""


def run(count: int, seed: int, directory: Path) -> tuple[Counter[str], list[str]]:
    """Try ``count`` cases; returns how many of each kind were tried, and what went wrong."""
    rng = random.Random(seed)
    pristine = directory / "pristine"
    save(pristine, 1, 2)
    save(directory / "other", 1, 2, 3, run="another")
    work = directory / "work"
    target, earlier = work / "step-00000002", work / "step-00000001"
    shutil.copytree(pristine, work)
    others = [directory / "other" / "step-00000002", directory / "other" / "step-00000003", pristine / "step-00000001"]
    tried: Counter[str] = Counter()
    wrong = []
    for kind, text, damage in cases(target, others, count, rng):
        damage()
        tried[kind] += 1
        try:
            fault = fault_of(target, earlier)
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        if fault:
            wrong.append(f"{kind}: {text}: {fault}")
        _restore(work, pristine, earlier, target)
    return tried, wrong


def _restore(work: Path, pristine: Path, earlier: Path, target: Path) -> None:
    for entry in list(work.iterdir()):
        if entry.is_dir() and not entry.is_symlink() and entry != earlier:
            shutil.rmtree(entry)
        elif entry != earlier:
            entry.unlink()
    shutil.copytree(pristine / target.name, target)


def main() -> int:
    """Parse the options, run, print a table; 0 when every case was refused."""
    parser = argparse.ArgumentParser(description="Damage a checkpoint in many ways; each must be refused.")
    parser.add_argument("--cases", type=int, default=2500, help="how many (default 2500)")
    parser.add_argument("--seed", type=int, default=0, help="of the random choices (default 0)")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        tried, wrong = run(options.cases, options.seed, Path(directory))
    for kind, number in sorted(tried.items()):
        print(f"{kind:<16} {number:>7}")
    print(f"{sum(tried.values())} cases, {sum(tried.values()) - len(wrong)} refused, {len(wrong)} not, "
          f"in {time.monotonic() - begun:.0f} s")
    print("\n".join(wrong[:50]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
