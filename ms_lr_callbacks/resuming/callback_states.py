"""The states of the callbacks of a training, matched by class and order."""
from __future__ import annotations

import contextlib
import copy
from typing import Any, Iterable, Optional, Sequence

from ms_lr_callbacks.optimizers.describe import class_name


def stateful(callbacks: Optional[Iterable[Any]]) -> list[Any]:
    """Return those of `callbacks` (a list, one callback or None) that can save and load a state."""
    each = callbacks if isinstance(callbacks, (list, tuple)) else [] if callbacks is None else [callbacks]
    return [callback for callback in each if callable(getattr(callback, "state_dict", None))
            and callable(getattr(callback, "load_state_dict", None))]


def capture_callback(callback: Any) -> dict[str, Any]:
    """Return a callback's state as it is now."""
    return {"class": class_name(callback), "state": copy.deepcopy(callback.state_dict())}


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
        done.append((callback, copy.deepcopy(callback.state_dict())))
        try:
            callback.load_state_dict(copy.deepcopy(state))
        except Exception as error:
            for each, before in reversed(done):
                with contextlib.suppress(Exception):  # the one that refuses may refuse its own state too
                    each.load_state_dict(before)
            raise ValueError(f"{type(callback).__name__} does not take the state that the checkpoint holds for it "
                             f"({type(error).__name__}: {error}); nothing was restored. Pass the callbacks that the "
                             f"checkpoint was saved with.") from error
