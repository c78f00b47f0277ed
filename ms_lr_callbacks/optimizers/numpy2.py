"""MindSpore's first eager operation under NumPy 2.

MindSpore's compiled module was built against NumPy 1. Under NumPy 2 the first operation that it
runs outside a graph fails once to import ``numpy.core.multiarray``: it prints a long warning, and
some operations raise SystemError. Every later operation works. Running a small operation first
takes the failure out of the way.

Not so in a distributed run: there a process that has had the failure does not leave its cluster
cleanly, and ``msrun`` reports it as lost (MindSpore 2.10). A training in GRAPH_MODE never meets the
failure, so nothing is done for it.
"""
from __future__ import annotations

import contextlib
import functools
import io

import mindspore as ms
import numpy as np
from mindspore import Tensor
from mindspore.communication import GlobalComm


def settle_numpy() -> None:
    """Let MindSpore have its one failure now, unseen; nothing under NumPy 1 or where it never comes.

    Call it before the first eager operation, and not at import: it starts the device, which the
    user may still want to choose.
    """
    eager = ms.get_context("mode") == ms.PYNATIVE_MODE and not GlobalComm.INITED
    if eager and np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        _fail_once()


@functools.lru_cache(maxsize=None)
def _fail_once() -> None:
    with contextlib.suppress(SystemError, ImportError), contextlib.redirect_stderr(io.StringIO()):
        Tensor(np.ones(1, np.float32)) * 2
