"""Processes that the tests start and kill."""
from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Callable

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


def in_child(function: Callable[[], object]) -> int:
    """Run a function in a forked child; 0 when it returned, 1 when it raised, -9 when it was killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def start(script: str, *arguments: Any, **options: Any) -> subprocess.Popen[str]:
    """Start a Python script that can import the package and the test helpers."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])}
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
                            env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def run(script: str, *arguments: Any, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Run a Python script to its end."""
    process = start(script, *arguments)
    out, err = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
