"""Write MindSpore's half of the way to torch: run with a Python that has MindSpore and this package.

    python make_mindspore_state.py

``mindspore_state.npz``: for each of MindSpore's optimizers the weights after the first updates and what
`to_torch_state_dict` returns then. `make_torch_state_golden.py` goes on from there in torch.
"""
from __future__ import annotations

import mindspore as ms
import numpy as np
from torch_cases import BEFORE, NAMES, first_weights, gradients, pack, save
from torch_twins import TWINS, train

from ms_lr_callbacks import to_torch_state_dict

if __name__ == "__main__":
    ms.set_context(mode=ms.GRAPH_MODE)
    arrays = {"mindspore": np.array(ms.__version__)}
    for twin in TWINS:
        optimizer = twin.build(first_weights())
        last = train(optimizer, gradients()[:BEFORE])[-1]
        arrays.update({f"{twin.name}/before/{name}": weight[None] for name, weight in zip(NAMES, last)})
        arrays[f"{twin.name}/case"] = np.array(twin.torch)
        arrays.update(pack(twin.name, to_torch_state_dict(optimizer), np.asarray))
    save("mindspore_state.npz", arrays)
