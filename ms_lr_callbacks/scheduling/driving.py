"""What all callbacks that drive a hyperparameter have in common."""
from __future__ import annotations

from typing import Any, Optional, Sequence

from mindspore.train import Callback

from ms_lr_callbacks.training.run import TrainingRun
from ms_lr_callbacks.optimizers.driving import Driver


class DrivingCallback(Callback):
    """Takes one hyperparameter in hand for a training and gives it back after it.

    Attributes:
        name: which one: ``"lr"`` for the learning rate.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self._driver: Optional[Driver] = None
        self._run: TrainingRun

    def on_train_end(self, run_context: Any) -> None:
        """Give the hyperparameter back to the optimizer."""
        self._run.end()
        self._release()

    def __exit__(self, *error: Any) -> None:
        # Model.fit also enters and exits the callbacks around each evaluation; only an exception ends the run.
        if error and error[0] is not None:
            self._release()

    def _take(self, run_context: Any, streams: Sequence[Optional[int]], rows: int) -> None:
        """Take the hyperparameter of the groups whose stream is not None in hand.

        Raises:
            ValueError: it cannot be driven in this way, or another callback drives it.
        """
        cb_params = run_context.original_args()
        self._run.claim(self.name, [index for index, each in enumerate(streams) if each is not None], self)
        self._driver = self._run.access.drive(self.name, streams, rows, cb_params.train_network)

    def _end_epoch(self, cb_params: Any) -> None:
        """Count the epoch, and leave the Parameters as a checkpoint should find them."""
        self._run.end_epoch(cb_params)
        if self._driver is not None:
            self._driver.settle(self._run.updates_done)

    def _release(self) -> None:
        if self._driver is not None:
            self._driver.release(self._run.updates_done)
            self._driver = None
