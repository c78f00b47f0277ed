"""``verify PATH``: check every byte of one checkpoint, or of all in a directory; needs no MindSpore."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ms_lr_callbacks.checkpoint import CheckpointError, list_checkpoints, verify_checkpoint

DESCRIPTION = """Check that checkpoints are complete and that every byte is as it was written.
Exit code 0: all are good. 1: at least one is damaged, or there is none."""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the subcommand to what ``ArgumentParser.add_subparsers`` returned."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "verify", help="check checkpoints byte by byte", description=DESCRIPTION)
    parser.add_argument("path", help="a checkpoint, or a directory of checkpoints")
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Print one line per checkpoint; returns the exit code."""
    try:
        paths = checkpoints_at(Path(options.path))
    except CheckpointError as error:
        print(error, file=sys.stderr)
        return 1
    damaged = 0
    for path in paths:
        report = verify_checkpoint(path)
        damaged += not report
        print(f"good     {path}  {size_text(report.nbytes)}" if report else f"DAMAGED  {path}")
        for fault in report.faults:
            print(f"         {printable(fault)}")
    if len(paths) > 1:
        print(f"{len(paths) - damaged} of {len(paths)} checkpoints are good")
    return 1 if damaged else 0


def checkpoints_at(path: Path) -> list[Path]:
    """The checkpoint that a path is, or those in the directory that it is, newest first.

    Raises:
        CheckpointError: There is neither.
    """
    inside = list_checkpoints(path) if path.is_dir() else []
    if inside:
        return inside
    if path.is_dir() and not any(path.glob("*.json")) and not any(path.glob("*.safetensors")):
        raise CheckpointError(f"{path} holds no checkpoint (step-00000000 and so on), and is none")
    return [path]


def size_text(nbytes: int) -> str:
    """Bytes for a reader.

    >>> size_text(999), size_text(1500), size_text(2_340_000_000)
    ('999 B', '1.5 kB', '2.3 GB')
    """
    size = float(nbytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{nbytes} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def printable(text: str) -> str:
    """Text from a file that nobody vouches for, without what would steer a terminal.

    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
