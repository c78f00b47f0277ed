"""Several real processes of one training, started by MindSpore's own ``msrun``."""
from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def run_ranks(script: Path, *arguments: str, folder: Path, ranks: int = 2, timeout: float = 300.0) -> str:
    """Run a script in `ranks` processes, in `folder`; return what they printed, each with its rank's log.

    Raises:
        AssertionError: a process failed; the message holds all logs.
    """
    msrun = Path(sys.executable).with_name("msrun")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PATH": f"{msrun.parent}{os.pathsep}{os.environ['PATH']}",
                   "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    done = subprocess.run(
        [str(msrun), f"--worker_num={ranks}", f"--local_worker_num={ranks}", "--join=True", f"--master_port={port}",
         f"--log_dir={folder / 'logs'}", str(script), *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout, check=False)
    logs = "\n".join(path.read_text(errors="replace") for path in sorted((folder / "logs").glob("worker_*.log")))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{logs}"
    return logs
