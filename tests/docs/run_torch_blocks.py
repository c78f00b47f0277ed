"""Run the blocks for torch of docs/torch-optimizer-state.md: with a Python that has torch, from this directory.

    python run_torch_blocks.py

It writes down which blocks ran, so that a test notices one that was changed and not run. What goes to torch is a
state that MindSpore really had, from ``mindspore_state.npz``.
"""
from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from pages import RUN_IN_TORCH, blocks, digest, is_torch

sys.path.append(str(Path(__file__).resolve().parents[1] / "optimizers"))

from torch_cases import CASES, load, unpack  # noqa: E402

PAGE, KEY = "torch-optimizer-state", "experimental.AdamW-adamw"


def main() -> None:
    """Run the three blocks: save, read, and take a state from MindSpore."""
    save, read, take = (compile(block, PAGE, "exec") for block in blocks(PAGE) if is_torch(block))
    os.chdir(tempfile.mkdtemp())
    model = torch.nn.Linear(4, 3)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    names: dict[str, Any] = {"torch": torch, "model": model, "optimizer": optimizer}
    exec(save, names)
    exec(read, names)
    kept = names["saved"]["optimizer"]["state"][0]
    assert torch.equal(kept["exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"])

    given = load("mindspore_state.npz")
    case = CASES[str(given[f"{KEY}/case"])]
    weights = [torch.nn.Parameter(torch.from_numpy(given[f"{KEY}/before/{name}"][-1])) for name in ("weight", "bias")]
    groups = [{"params": [weight], **own} for weight, own in zip(weights, (case.weight, case.bias))]
    optimizer = getattr(torch.optim, case.torch)(groups, **case.common)
    names = {"torch": torch, "state": unpack(KEY, given), "optimizer": optimizer}
    exec(take, names)
    taken = optimizer.state_dict()["state"][0]["exp_avg"]
    assert torch.equal(taken, torch.from_numpy(given[f"{KEY}/state/0/exp_avg"]))

    ran = {"torch": torch.__version__, PAGE: [digest(block) for block in blocks(PAGE) if is_torch(block)]}
    RUN_IN_TORCH.write_text(json.dumps(ran, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
