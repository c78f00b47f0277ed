"""The command line: ``python -m ms_lr_callbacks COMMAND``. Each command is one module here.

A command's module has ``add_parser(subparsers)``, which sets the default ``run`` to a function that
takes the parsed options and returns the exit status. None of them imports MindSpore.
"""
from __future__ import annotations

import argparse
from typing import Optional, Sequence

from ms_lr_callbacks._version import __version__
from ms_lr_callbacks.cli import inspect, preview, verify

_COMMANDS = (preview, inspect, verify)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run one command.

    Args:
        arguments: the words after the program's name; those of the process by default.

    Returns:
        The exit status, 0 for success.

    Example:
        >>> main(["--version"])
        Traceback (most recent call last):
            ...
        SystemExit: 0
    """
    parser = argparse.ArgumentParser(prog="python -m ms_lr_callbacks",
                                     description="Tools for schedules and checkpoints.")
    parser.add_argument("--version", action="version", version=f"ms_lr_callbacks {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_parser(subparsers)
    options = parser.parse_args(arguments)
    status: int = options.run(options)
    return status
