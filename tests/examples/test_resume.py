"""``examples/resume.py`` as a user runs it."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "resume.py"


def test_resume_example() -> None:
    done = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "ended by signal 9" in done.stdout and "starts at step 45, in epoch 2" in done.stdout
    assert done.stdout.strip().endswith("The final weights are equal, bit for bit.")
