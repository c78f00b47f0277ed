"""Write torch's numbers for `test_torch_state.py`: run with a Python that has torch, from this directory.

    python make_torch_state_golden.py

``torch_state.npz``: for each case the weights and the optimizer's state after the first updates in
torch, and the weights after each of the updates that follow. ``torch_continues.npz``: the weights
after each update of a torch optimizer that took the state of ``mindspore_state.npz`` by its own
``load_state_dict``; that file is written by ``make_mindspore_state.py`` with a Python that has MindSpore.
"""
from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch_cases import AFTER, BEFORE, CASES, DATA, NAMES, Case, first_weights, gradients, load, pack, save, unpack


def build(case: Case, weights: list[np.ndarray]) -> tuple[list[torch.nn.Parameter], torch.optim.Optimizer]:
    parameters = [torch.nn.Parameter(torch.from_numpy(each.copy())) for each in weights]
    groups = [{"params": [(name, parameter)], **given}
              for name, parameter, given in zip(NAMES, parameters, (case.weight, case.bias))]
    return parameters, getattr(torch.optim, case.torch)(groups, **case.common)


def train(parameters: list[torch.nn.Parameter], optimizer: torch.optim.Optimizer, given: Any) -> list[list[np.ndarray]]:
    trace = []
    for each in given:
        for parameter, gradient in zip(parameters, each):
            parameter.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        trace.append([parameter.detach().numpy().copy() for parameter in parameters])
    return trace


def as_arrays(prefix: str, trace: list[list[np.ndarray]]) -> dict[str, np.ndarray]:
    return {f"{prefix}/{name}": np.stack([step[index] for step in trace]) for index, name in enumerate(NAMES)}


def from_torch() -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {"torch": np.array(torch.__version__)}
    for case in CASES.values():
        parameters, optimizer = build(case, first_weights())
        before = train(parameters, optimizer, gradients()[:BEFORE])
        arrays.update(as_arrays(f"{case.name}/before", before[-1:]))
        arrays.update(pack(case.name, optimizer.state_dict(), lambda value: value.numpy().copy()))
        arrays.update(as_arrays(f"{case.name}/after", train(parameters, optimizer, gradients()[BEFORE:])))
    return arrays


def after_mindspore() -> dict[str, np.ndarray]:
    given = load("mindspore_state.npz")
    arrays: dict[str, np.ndarray] = {"torch": np.array(torch.__version__)}
    for key in sorted(key for key in given if key.endswith("/param_groups")):
        target = key[:-len("/param_groups")]
        state = unpack(target, given)
        parameters, optimizer = build(CASES[str(given[f"{target}/case"])],
                                      [given[f"{target}/before/{name}"][-1] for name in NAMES])
        # The one line of the documentation, and torch's own load_state_dict.
        state["state"] = {i: {name: torch.as_tensor(value) for name, value in each.items()}
                          for i, each in state["state"].items()}
        optimizer.load_state_dict(state)
        arrays.update(as_arrays(target, train(parameters, optimizer, gradients()[BEFORE:])))
    return arrays


if __name__ == "__main__":
    torch.set_num_threads(1)
    assert len(gradients()) == BEFORE + AFTER
    save("torch_state.npz", from_torch())
    if (DATA / "mindspore_state.npz").exists():
        save("torch_continues.npz", after_mindspore())
