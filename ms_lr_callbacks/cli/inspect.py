"""``inspect PATH``: what a checkpoint holds, as tables; needs no MindSpore and reads no tensors."""
from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

from ms_lr_callbacks.checkpoint import CheckpointError, latest_checkpoint
from ms_lr_callbacks.checkpoint.reader import Contents
from ms_lr_callbacks.cli.verify import checkpoints_at, printable, size_text

DESCRIPTION = """Show what a checkpoint holds: step, epoch, parameter groups, sizes and the callbacks'
states. Of a directory of checkpoints the newest good one is shown."""

_WIDEST = 60


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the subcommand to what ``ArgumentParser.add_subparsers`` returned."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "inspect", help="show what a checkpoint holds", description=DESCRIPTION)
    parser.add_argument("path", help="a checkpoint, or a directory of checkpoints")
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Print the tables; returns 0, or 1 for a checkpoint that cannot be shown."""
    try:
        contents = Contents.of(_chosen(Path(options.path)))
        state = contents.state(0)
        sections = _sections(contents)
    except CheckpointError as error:
        print(printable(str(error)), file=sys.stderr)
        return 1
    manifest = contents.manifest
    print(contents.path)
    total = sum(entry.nbytes for entry in manifest.files.values())
    print(f"step {manifest.step}, epoch {_short(state.get('epoch', 'unknown'))}, {manifest.world_size} "
          f"rank{'s' if manifest.world_size > 1 else ''}, {size_text(total)}")
    _print_table(["group", "learning rate", "weight decay", "parameters"], _groups(state.get("groups")))
    _print_table(["section", "tensors", "size", "dtypes"], sections)
    _print_table(["callback", "state", "value"], _callbacks(state.get("callbacks")))
    others = [[key, _short(value)] for key, value in state.items()
              if key not in ("step", "epoch", "groups", "callbacks")]
    _print_table(["also saved", "value"], others)
    return 0


def _chosen(path: Path) -> Path:
    """The checkpoint to show: the path itself, or the newest good one in it."""
    found = checkpoints_at(path)
    if found == [path]:
        return path
    with warnings.catch_warnings(record=True) as damaged:
        warnings.simplefilter("always")
        newest = latest_checkpoint(path)
    for warning in damaged:
        print(printable(str(warning.message)), file=sys.stderr)
    if newest is None:
        raise CheckpointError(f"all {len(found)} checkpoints in {path} are damaged; see verify")
    return newest


def _groups(groups: Any) -> Iterator[list[str]]:
    """One row per parameter group; whatever is missing is a dash."""
    for group in groups if isinstance(groups, (list, tuple)) else ():
        if isinstance(group, Mapping):
            params = group.get("params")
            count = len(params) if isinstance(params, (list, tuple)) else params
            shown = [group.get("name"), group.get("lr"), group.get("weight_decay"), count]
            yield [_short(value) for value in shown]


def _sections(contents: Contents) -> list[list[str]]:
    """One row per section, all ranks together."""
    tensors: dict[str, int] = {}
    sizes: dict[str, int] = {}
    dtypes: dict[str, set[str]] = {}
    for name, entry in contents.manifest.files.items():
        if entry.section is not None:
            entries = contents.header(name).entries
            tensors[entry.section] = tensors.get(entry.section, 0) + len(entries)
            sizes[entry.section] = sizes.get(entry.section, 0) + entry.nbytes
            dtypes.setdefault(entry.section, set()).update(dtype for dtype, _, _, _ in entries.values())
    return [[section, str(tensors[section]), size_text(sizes[section]), " ".join(sorted(dtypes[section]))]
            for section in sorted(tensors)]


def _callbacks(callbacks: Any) -> Iterator[list[str]]:
    """One row per entry of every callback's state, whether they come as a dict or as a list."""
    named = callbacks.items() if isinstance(callbacks, Mapping) else enumerate(
        callbacks if isinstance(callbacks, (list, tuple)) else ())
    for name, content in named:
        entries = content.items() if isinstance(content, Mapping) and content else [("", content)]
        for position, (key, value) in enumerate(entries):
            yield ["" if position else _short(name), _short(key), _short(value)]


def _short(value: Any) -> str:
    """A value in one cell."""
    if value is None:
        return "-"
    shape = getattr(value, "shape", ())
    if shape:
        return f"{value.dtype} array {'x'.join(str(length) for length in shape)}"
    text = printable(str(value))
    return text if len(text) <= _WIDEST else text[:_WIDEST - 3] + "..."


def _print_table(header: Sequence[str], rows: Any) -> None:
    """Columns as wide as their widest cell, after an empty line; nothing at all without rows."""
    rows = list(rows)
    if not rows:
        return
    table = [list(header), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    print()
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
