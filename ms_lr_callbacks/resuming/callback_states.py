"""The states of the callbacks of a training, matched by class and order.

A state may hold Tensors and Parameters, such as a moving average of the weights; they are kept as arrays
in host memory and come back as Tensors.
"""
from __future__ import annotations

import contextlib
import copy
from typing import Any, Iterable, Optional, Sequence

import numpy as np
from mindspore import Tensor

from ms_lr_callbacks.checkpoint import TensorRecord
from ms_lr_callbacks.optimizers.describe import class_name
from ms_lr_callbacks.optimizers.host import look, tensor_of

_TENSOR = "__mindspore_tensor__"


def stateful(callbacks: Optional[Iterable[Any]]) -> list[Any]:
    """Return those of `callbacks` (a list, one callback or None) that can save and load a state."""
    each = callbacks if isinstance(callbacks, (list, tuple)) else [] if callbacks is None else [callbacks]
    return [callback for callback in each if callable(getattr(callback, "state_dict", None))
            and callable(getattr(callback, "load_state_dict", None))]


def capture_callback(callback: Any) -> dict[str, Any]:
    """Return a callback's state as it is now, in plain values and arrays."""
    return {"class": class_name(callback), "state": _to_host(callback.state_dict())}


def match(callbacks: Sequence[Any], saved: Sequence[dict[str, Any]],
          ) -> tuple[list[tuple[Any, Any]], list[dict[str, Any]]]:
    """Pair callbacks with saved states: the first of a class with the first saved state of that class.

    Returns:
        Pairs of a callback and its state, and the saved states for which there is no callback.
    """
    waiting = list(callbacks)
    pairs, left = [], []
    for entry in saved:
        callback = next((each for each in waiting if class_name(each) == entry["class"]), None)
        if callback is None:
            left.append(entry)
        else:
            waiting.remove(callback)
            pairs.append((callback, entry["state"]))
    return pairs, left


def restore_callbacks(pairs: Sequence[tuple[Any, Any]]) -> None:
    """Load each callback's state; if one refuses, all have the state that they had before.

    Raises:
        ValueError: a callback refused its state.
    """
    done: list[tuple[Any, Any]] = []
    for callback, state in pairs:
        done.append((callback, _to_host(callback.state_dict())))
        try:
            callback.load_state_dict(_from_host(state))
        except Exception as error:
            for each, before in reversed(done):
                with contextlib.suppress(Exception):  # the one that refuses may refuse its own state too
                    each.load_state_dict(_from_host(before))
            raise ValueError(f"{type(callback).__name__} does not take the state that the checkpoint holds for it "
                             f"({type(error).__name__}: {error}); nothing was restored. Pass the callbacks that the "
                             f"checkpoint was saved with.") from error


def _to_host(value: Any) -> Any:
    """Copy a state; a Tensor becomes a dict that says so."""
    if isinstance(value, Tensor):
        record = look(value)
        return {_TENSOR: record.dtype, "values": np.array(record.array)}
    if type(value) in (list, tuple):
        return type(value)([_to_host(each) for each in value])
    if isinstance(value, dict):
        return {key: _to_host(each) for key, each in value.items()}
    return copy.deepcopy(value)


def _from_host(value: Any) -> Any:
    """The inverse of `_to_host`, a copy too."""
    if isinstance(value, dict) and _TENSOR in value:
        return tensor_of(TensorRecord(value[_TENSOR], np.array(value["values"])))
    if type(value) in (list, tuple):
        return type(value)([_from_host(each) for each in value])
    if isinstance(value, dict):
        return {key: _from_host(each) for key, each in value.items()}
    return copy.deepcopy(value)
