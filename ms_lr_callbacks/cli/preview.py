"""``preview CONFIG.json``: what a schedule will do, as a table and a picture; needs no MindSpore."""
from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

from ms_lr_callbacks import schedules as S

DESCRIPTION = """Show the values of a schedule. CONFIG.json holds what to_config() gave: one schedule,
a list with one per group (null for a group that is left alone), or an object from label to schedule."""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the subcommand to what ``ArgumentParser.add_subparsers`` returned."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "preview", help="show a schedule as a table and a picture", description=DESCRIPTION)
    parser.add_argument("config", metavar="CONFIG.json", help="the schedule, as JSON")
    parser.add_argument("--steps", type=_count, required=True, metavar="N", help="number of updates")
    parser.add_argument("--base", type=_base, required=True, metavar="LR", help="the optimizer's base value")
    parser.add_argument("--out", metavar="FILE.png", help="also draw a picture (needs matplotlib)")
    parser.add_argument("--log", action="store_true", help="logarithmic value axis of the picture")
    parser.add_argument("--rows", type=_count, default=21, metavar="N", help="rows of the table (default 21)")
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    """Print the table and draw the picture; returns 0, or 1 if the config or the picture fails."""
    try:
        schedules = _labelled(json.loads(Path(options.config).read_text(encoding="utf-8")))
        columns = {label: S.values(schedule, options.base, options.steps)
                   for label, schedule in schedules.items()}
        _print_table(columns, options.steps, options.rows)
        if options.out:
            print(f"picture: {S.plot(schedules, options.base, options.steps, options.out, log=options.log)}")
    except (OSError, ValueError, TypeError, ImportError) as error:
        print(f"preview {options.config}: {error}", file=sys.stderr)
        return 1
    return 0


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _base(text: str) -> float:
    number = float(text)
    if not 0.0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a finite number >= 0, got {text}")
    return number


def _labelled(config: Any) -> Dict[str, S.Schedule]:
    """Return the schedules of a config file by the label of their column."""
    if isinstance(config, list):
        groups = S.from_config(config)
        if all(schedule is None for schedule in groups):
            raise ValueError(f"the list holds no schedule, got {json.dumps(config)}")
        return {f"group_{i}": schedule for i, schedule in enumerate(groups) if schedule is not None}
    if isinstance(config, dict) and config and "name" not in config:
        return {label: S.from_config(item) for label, item in config.items()}
    schedule = S.from_config(config)
    return {type(schedule).__name__: schedule}


def _print_table(columns: Dict[str, Any], steps: int, rows: int) -> None:
    """Print evenly spaced steps, the first and the last among them."""
    chosen = np.unique(np.linspace(0, steps - 1, min(rows, steps)).round().astype(np.int64)).tolist()
    lines: List[List[str]] = [["t", *columns]]
    lines += [[str(t), *(f"{values[t]:.6g}" for values in columns.values())] for t in chosen]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths)))
