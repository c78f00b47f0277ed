"""The monitor's SIGTERM handler beside other people's."""
from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ms_lr_callbacks.training.termination import TerminationGuard

START = """
import os, signal, sys, time
from ms_lr_callbacks.resuming.stop_signals import StopSignals
from ms_lr_callbacks.training.termination import TerminationGuard
guard = TerminationGuard(lambda: print("saved", flush=True))
term = lambda: (os.kill(os.getpid(), signal.SIGTERM), time.sleep(0.05))
"""


@pytest.mark.parametrize("script, code, output", [
    ("guard.install(); term()", -signal.SIGTERM, ["saved"]),
    ("guard.install(); guard.remove(); term()", -signal.SIGTERM, []),
    ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); guard.install(); term()", 7, ["saved"]),
    # Somebody else takes the signal for a wish to stop: the training goes on and ends by itself.
    ("stop = StopSignals(); stop.install(); guard.install(); term(); print(stop.received)", 0, ["saved", "15"]),
    ("stop = StopSignals(); guard.install(); stop.install(); term(); print(stop.received)", 0, ["15"]),
    # The second signal means it.
    ("stop = StopSignals(); stop.install(); guard.install(); term(); term(); print('alive')", -signal.SIGTERM,
     ["saved", "saved"]),
    ("stop = StopSignals(); guard.install(); stop.install(); term(); term(); print('alive')", -signal.SIGTERM,
     ["saved"]),
    # Inside the block the signal waits.
    ("guard.install()\nwith guard:\n    term(); print('moved', flush=True)\nprint('alive')", -signal.SIGTERM,
     ["moved", "saved"]),
    ("signal.signal(signal.SIGTERM, signal.SIG_IGN); guard.install(); term(); print('alive')", 0, ["alive"]),
])
def test_sigterm(script: str, code: int, output: list[str]) -> None:
    result = subprocess.run([sys.executable, "-c", START + script], cwd=Path(__file__).parents[2], timeout=120,
                            stdout=subprocess.PIPE, text=True)
    lines = [line for line in result.stdout.splitlines() if line in ("saved", "moved", "alive", "15")]
    assert (result.returncode, list(dict.fromkeys(lines))) == (code, list(dict.fromkeys(output)))


def test_what_was_there_before_is_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    guard = TerminationGuard(lambda: None)
    for _ in range(2):
        guard.install()
        guard.install()
        assert signal.getsignal(signal.SIGTERM) != before
        guard.remove()
        assert signal.getsignal(signal.SIGTERM) == before
