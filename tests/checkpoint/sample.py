"""Small checkpoints that the tests save, and how they compare them."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ms_lr_callbacks.checkpoint import CheckpointStore, LoadedCheckpoint, TensorRecord


def sections(step: int) -> dict[str, dict[str, Any]]:
    """One tensor of every kind that a checkpoint has to carry; values depend on ``step``."""
    rng = np.random.default_rng(step)
    optimizer: dict[str, Any] = {
        "moment1.w": rng.standard_normal((4, 3)).astype(np.float32),
        "moment2.w": rng.standard_normal((4, 3)).astype(np.float16),
        "beta1_power": np.array(0.9 ** (step + 1), np.float64),
        "global_step": np.array([step], np.int32),
        "flags": np.array([True, False, True]),
        "half.w": TensorRecord.bfloat16(rng.integers(0, 2 ** 16, (2, 5)).astype(np.uint16)),
        "empty": np.zeros((0, 7), np.float32),
    }
    for dtype in ("int8", "int16", "int64", "uint8"):
        optimizer[dtype] = rng.integers(0, 100, (3,)).astype(dtype)
    return {"network": {"w": rng.standard_normal((4, 3)).astype(np.float32)}, "optimizer": optimizer}


def state(step: int) -> dict[str, Any]:
    """A state as a training callback would save it."""
    return {
        "step": step, "epoch": step // 10,
        "groups": [{"name": "group_0", "lr": 0.1 / (step + 1), "weight_decay": 1e-4, "params": ["w"]}],
        "callbacks": {"ReduceLROnPlateau": {"best": float("inf"), "wait": 0},
                      "LRMonitor": {"values": np.arange(100, dtype=np.float64) + step}},
    }


def save(directory: Path, *steps: int, keep_last: Any = None, **more: Any) -> list[Path]:
    """Checkpoints at the steps given; ``more`` goes into the state."""
    with CheckpointStore(directory, keep_last=keep_last) as store:
        return [store.save(step, sections(step), {**state(step), **more}) for step in steps]


def assert_equal(loaded: LoadedCheckpoint, step: int) -> None:
    """What was loaded is what ``save`` wrote at ``step``, bit for bit."""
    expected = sections(step)
    assert loaded.step == step
    assert set(loaded.sections) == set(expected)
    for section, tensors in expected.items():
        assert set(loaded.sections[section]) == set(tensors)
        for name, value in tensors.items():
            record = value if isinstance(value, TensorRecord) else TensorRecord.of(value)
            found = loaded.sections[section][name]
            assert (found.dtype, found.shape) == (record.dtype, record.shape), name
            assert found.array.tobytes() == record.array.tobytes(), name
    assert_same_state(loaded.state, state(step))


def assert_same_state(found: Any, expected: Any) -> None:
    """Equal values of equal types, NumPy dtypes included."""
    assert type(found) is type(expected), (found, expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            assert_same_state(found[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            assert_same_state(one, other)
    elif isinstance(expected, (np.ndarray, np.generic)):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.tobytes() == expected.tobytes()
    else:
        assert repr(found) == repr(expected)
