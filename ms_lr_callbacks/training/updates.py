"""Counting updates, without asking the device where that is safe."""
from __future__ import annotations

from typing import Any, Optional

from ms_lr_callbacks.optimizers.access import OptimizerAccess, Progress


class UpdateCounter:
    """Counts the updates of one training.

    A train network of MindSpore's own does one update each time it is called, so counting calls is
    exact. A user's train cell may skip updates (an overflow, gradient accumulation); there the
    optimizer's own counter is read after each call, once the training has shown that it advances.
    """

    def __init__(self, access: OptimizerAccess, once_per_call: bool) -> None:
        self._access = access
        self._asks_optimizer = not once_per_call and access.may_count()
        self._before = 0
        self._counter_before = 0
        self._proof: Optional[_ParameterWatch] = None

    def start(self, progress: Progress, updates_by_epoch: int) -> int:
        """Return the number of updates done before this training.

        Args:
            progress: what earlier trainings left.
            updates_by_epoch: what ``initial_epoch`` amounts to; 0 if it was not given.
        """
        counter = self._access.read_counter()
        self._counter_before = counter or 0
        self._before = _updates_before(counter, progress, updates_by_epoch)
        if self._asks_optimizer:
            self._proof = _ParameterWatch(self._access.optimizer)
        return self._before

    def after(self, calls: int) -> int:
        """Return the number of updates done after `calls` calls of the train network."""
        if not self._asks_optimizer:
            return self._before + calls
        counted = (self._access.read_counter() or 0) - self._counter_before
        if counted:
            self._proof = None
        elif self._proof is not None and self._proof.changed():
            # The weights moved and the counter did not: this optimizer does not count.
            self._asks_optimizer, self._proof = False, None
            return self._before + calls
        return self._before + counted


def _updates_before(counter: Optional[int], progress: Progress, updates_by_epoch: int) -> int:
    if progress.restored and (counter or 0) == (progress.counter or 0):
        return progress.updates
    if not counter and not progress.counter:  # it has not counted anything yet, or does not count
        return updates_by_epoch or progress.updates
    if counter == progress.counter:
        return progress.updates
    return counter or updates_by_epoch


class _ParameterWatch:
    """Tells whether an optimizer's parameters have changed since it was made."""

    def __init__(self, optimizer: Any) -> None:
        smallest = sorted(optimizer.parameters, key=lambda parameter: int(parameter.size))
        self._watched = smallest[:16]
        self._values = self._read()

    def changed(self) -> bool:
        """Return whether any watched parameter has another value now."""
        return self._read() != self._values

    def _read(self) -> list[bytes]:
        return [parameter.asnumpy().tobytes() for parameter in self._watched]
