"""The small trainings by which states are carried over between torch and MindSpore.

Neither framework is imported here. Two parameters, ``weight`` of shape (4, 3) and ``bias`` of shape (3,),
get the same given gradients in both; each stands in a group of its own.
"""
from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

DATA = Path(__file__).resolve().parent.parent / "data"
SHAPES = ((4, 3), (3,))
NAMES = ("weight", "bias")
BEFORE, AFTER = 10, 20

TINY = 1e-60  # MindSpore wants a positive eps; this one is 0 in float32


def _draw(stream: Random, shape: tuple[int, ...], low: float) -> np.ndarray:
    """Numbers between `low` and 1 with either sign; Python promises the same stream for ever, NumPy does not."""
    values = [(low + (1 - low) * stream.random()) * (1 if stream.random() < 0.5 else -1) for _ in range(prod(shape))]
    return np.array(values, np.float32).reshape(shape)


def first_weights() -> list[np.ndarray]:
    """The weights at the start."""
    stream = Random(7)
    return [_draw(stream, shape, 0.0) for shape in SHAPES]


def gradients() -> list[list[np.ndarray]]:
    """The gradients of each update; none is near 0."""
    stream = Random(11)
    return [[_draw(stream, shape, 0.1) for shape in SHAPES] for _ in range(BEFORE + AFTER)]


@dataclass(frozen=True)
class Case:
    """One optimizer of torch: its class, and what each of the two groups is given."""

    name: str
    torch: str
    weight: dict[str, Any] = field(default_factory=dict)
    bias: dict[str, Any] = field(default_factory=dict)
    common: dict[str, Any] = field(default_factory=dict)


W, B = {"lr": 0.05, "weight_decay": 0.02}, {"lr": 0.02, "weight_decay": 0.0}
SLOW_W, SLOW_B = {"lr": 0.05}, {"lr": 0.02}

CASES = {case.name: case for case in (
    Case("sgd", "SGD", W, B),
    Case("momentum", "SGD", W, B, {"momentum": 0.9}),
    Case("nesterov", "SGD", W, B, {"momentum": 0.9, "nesterov": True}),
    Case("dampening", "SGD", W, B, {"momentum": 0.9, "dampening": 0.3}),
    Case("adam", "Adam", W, B),
    Case("adam_no_decay", "Adam", SLOW_W, SLOW_B, {"eps": 1e-3}),
    Case("adam_eps0", "Adam", W, B, {"eps": 0.0}),
    Case("adam_settled", "Adam", W, B, {"betas": (0.9, 0.15), "eps": 1e-2}),
    Case("adam_amsgrad_eps0", "Adam", W, B, {"amsgrad": True, "betas": (0.9, 0.5), "eps": 0.0}),
    Case("adamw", "AdamW", W, B, {"eps": 1e-3}),
    Case("adamw_amsgrad", "AdamW", W, B, {"amsgrad": True, "betas": (0.9, 0.5)}),
    Case("adamw_settled", "AdamW", W, B, {"betas": (0.15, 0.1), "eps": 1e-2}),
    Case("adamw_maximize", "AdamW", W, B, {"eps": 1e-3, "maximize": True}),
    Case("adagrad", "Adagrad", W, B),
    Case("adagrad_lr_decay", "Adagrad", W, B, {"lr_decay": 0.1, "eps": 1e-2, "initial_accumulator_value": 0.1}),
    Case("rmsprop", "RMSprop", W, B, {"alpha": 0.9, "eps": 1e-2}),
    Case("rmsprop_centered", "RMSprop", W, B, {"alpha": 0.9, "eps": 1e-2, "centered": True, "momentum": 0.5}),
    Case("rmsprop_eps0", "RMSprop", W, B, {"alpha": 0.9, "eps": 0.0, "momentum": 0.5}),
    Case("rmsprop_centered_eps0", "RMSprop", W, B, {"alpha": 0.9, "eps": 0.0, "momentum": 0.5, "centered": True}),
    Case("adadelta", "Adadelta", {"lr": 1.0, "weight_decay": 0.02}, {"lr": 0.5}, {"rho": 0.9, "eps": 1e-4}),
    Case("adamax", "Adamax", W, B, {"eps": 1e-2}),
    Case("adamax_eps0", "Adamax", W, B, {"eps": 0.0}))}


def load(name: str) -> dict[str, np.ndarray]:
    """Read one of the files of numbers."""
    with np.load(DATA / name, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def save(name: str, arrays: dict[str, np.ndarray]) -> None:
    """Write one of the files of numbers."""
    np.savez_compressed(DATA / name, **arrays)


def pack(prefix: str, state: dict[str, Any], as_array: Any) -> dict[str, np.ndarray]:
    """Turn a state in torch's layout into arrays: tensors by name, the groups as JSON."""
    arrays = {f"{prefix}/state/{index}/{name}": as_array(value)
              for index, tensors in state["state"].items() for name, value in tensors.items() if value is not None}
    arrays[f"{prefix}/param_groups"] = np.array(json.dumps(state["param_groups"]))
    return arrays


def unpack(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Undo `pack`; pairs come back as lists, as from any JSON."""
    state: dict[int, dict[str, np.ndarray]] = {}
    for key, value in arrays.items():
        if key.startswith(f"{prefix}/state/"):
            index, name = key[len(prefix) + 7:].split("/")
            state.setdefault(int(index), {})[name] = value
    return {"state": state, "param_groups": json.loads(str(arrays[f"{prefix}/param_groups"]))}
