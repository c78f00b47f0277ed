"""The random state of a process, as far as it can be had: seeds, Python's and NumPy's generators.

MindSpore has no way to read or set the stream that ``nn.Dropout`` draws from; what can be restored
of its own generator is.
"""
from __future__ import annotations

import random
from typing import Any, Iterator

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
from mindspore import nn


def capture_randomness() -> dict[str, Any]:
    """Return the random state as plain values and arrays."""
    version, words, gauss = random.getstate()
    return {"python": {"version": version, "words": np.array(words, np.uint64), "gauss": gauss},
            "numpy": np.random.get_state(legacy=False),
            "mindspore": {"seed": ms.get_seed(), "dataset_seed": int(ds.config.get_seed()),
                          "generator": np.array(ms.get_rng_state().asnumpy())}}


def restore_randomness(state: dict[str, Any], generators: bool) -> None:
    """Bring the random state back.

    Args:
        state: what `capture_randomness` returned.
        generators: False restores the seeds alone, which are the same on every rank.
    """
    seeds = state["mindspore"]
    if seeds["seed"] is not None and seeds["seed"] != ms.get_seed():
        ms.set_seed(seeds["seed"])
    # Datasets look at the seed when their iterator is made, at the begin of the training.
    if seeds["dataset_seed"] != ds.config.get_seed():
        ds.config.set_seed(seeds["dataset_seed"])
    if generators:
        python = state["python"]
        random.setstate((python["version"], tuple(int(word) for word in python["words"]), python["gauss"]))
        np.random.set_state(state["numpy"])
        ms.set_rng_state(ms.Tensor(seeds["generator"]))


def random_cells(network: Any) -> list[str]:
    """Return the names of the cells of `network` that draw from the stream that cannot be restored."""
    return list(_dropouts(network)) if isinstance(network, nn.Cell) else []


def _dropouts(network: Any) -> Iterator[str]:
    for name, cell in network.cells_and_names():
        if "Dropout" in type(cell).__name__ and getattr(cell, "p", None) != 0.0:
            yield name
            continue
        for attribute, value in vars(cell).items():
            if "Dropout" in type(value).__name__ and not isinstance(value, nn.Cell):
                yield f"{name}.{attribute}" if name else attribute
