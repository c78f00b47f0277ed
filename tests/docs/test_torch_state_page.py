"""The Python on the page about torch's state runs: the blocks for MindSpore here, those for torch where it is.

MindSpore's are given a state that torch wrote. torch's were run by ``run_torch_blocks.py``, whose record says which.
"""
from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
from mindspore import Parameter, Tensor, nn
from mindspore.train import Model
from pages import RUN_IN_TORCH, blocks, digest, is_torch
from training import dataset

from ms_lr_callbacks import get_lr

sys.path.append(str(Path(__file__).resolve().parents[1] / "optimizers"))

from torch_cases import BEFORE, SHAPES, load, unpack  # noqa: E402

PAGE = "torch-optimizer-state"
FROM_TORCH, TO_TORCH, WITH_RECIPE = (block for block in blocks(PAGE) if not is_torch(block))


class Weights(nn.Cell):
    """Two parameters of the shapes that the state is for; the gradient is the same everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = (Parameter(Tensor(np.ones(shape, np.float32)), name=name)
                                  for name, shape in zip(("weight", "bias"), SHAPES))

    def construct(self, x: Any, y: Any) -> Any:
        return x.sum() * 0.0 + self.weight.sum() + self.bias.sum()


def saved(case: str) -> dict[str, Any]:
    """Return what torch saved in one of the cases, with torch's own eps."""
    state = unpack(case, load("torch_state.npz"))
    return {"optimizer": {**state, "param_groups": [{**group, "eps": 1e-8} for group in state["param_groups"]]}}


def run(code: list[str], names: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    script = tmp_path / "page.py"
    script.write_text("\n".join(code), encoding="utf-8")
    return runpy.run_path(str(script), init_globals=names)


def test_a_state_goes_in_and_comes_out(tmp_path: Path) -> None:
    network, state = Weights(), saved("adamw")
    names = {"decayed": [network.weight], "others": [network.bias], "saved": state}
    found = run([FROM_TORCH, TO_TORCH], names, tmp_path)
    np.testing.assert_allclose(get_lr(found["optimizer"]), [0.05, 0.02], rtol=1e-6)
    for index, tensors in state["optimizer"]["state"].items():
        for name, value in tensors.items():
            np.testing.assert_array_equal(found["state"]["state"][index][name], value)


def test_adam_trains_with_the_recipe(tmp_path: Path) -> None:
    network = Weights()
    groups = [{"params": [network.weight], "lr": 1.0}, {"params": [network.bias], "lr": 1.0}]
    found = run([WITH_RECIPE], {"nn": nn, "Model": Model, "network": network, "groups": groups, "dataset": dataset(2),
                                "saved": saved("adam_no_decay")}, tmp_path)
    assert int(found["optimizer"].global_step.asnumpy()[0]) == BEFORE + 10 * 2


def test_what_is_for_torch_was_run_there() -> None:
    ran = json.loads(RUN_IN_TORCH.read_text(encoding="utf-8"))
    assert ran[PAGE] == [digest(block) for block in blocks(PAGE) if is_torch(block)]
