"""Trainings that are interrupted and resumed, beside the same training without interruption.

The timeline of the default training: 3 epochs of 5 steps. A `Crash` after step k raises, as losing
the process would; what follows is built anew, as in a new process, and resumed.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Optional, Sequence

import mindspore.dataset as ds
from mindspore import nn
from mindspore.train import Callback, Model
from training import Regression, dataset

from ms_lr_callbacks import HyperparameterScheduler, LRScheduler, ReduceLROnPlateau, WeightDecayScheduler
from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.callbacks.optimizer_checkpoint import OptimizerCheckpoint
from ms_lr_callbacks.resuming.resume import ResumePoint
from ms_lr_callbacks.optimizers.host import look
from ms_lr_callbacks.optimizers.inventory import held_parameters

STEPS, EPOCHS = 5, 3


class Losses(Callback):
    """The loss of each step, by the number of the step."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []

    def on_train_step_end(self, run_context: Any) -> None:
        outputs = run_context.original_args().net_outputs
        loss = outputs[0] if isinstance(outputs, tuple) else outputs
        self.seen.append(loss.asnumpy().tobytes())


class Crash(Callback):
    """Raises after so many steps of this training, when the next one begins."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def on_train_step_begin(self, run_context: Any) -> None:
        if run_context.original_args().cur_step_num == self.after + 1:
            raise Crashed


class Crashed(Exception):
    """What a `Crash` raises."""


def momentum(network: Any) -> Any:
    return nn.Momentum(network.trainable_params(), 0.1, 0.9, weight_decay=0.01)


def adam(network: Any) -> Any:
    return nn.Adam(network.trainable_params(), 0.05)


def adam_weight_decay(network: Any) -> Any:
    return nn.AdamWeightDecay(network.trainable_params(), 0.05, weight_decay=0.1)


def grouped(network: Any) -> Any:
    return nn.Momentum([{"params": network.body.trainable_params(), "lr": 0.1, "weight_decay": 0.01},
                        {"params": network.head.trainable_params(), "lr": 0.02}], 0.1, 0.9)


def no_callbacks() -> list[Any]:
    return []


def by_step() -> list[Any]:
    return [LRScheduler(S.CosineAnnealingLR(T_max=12))]


def by_epoch() -> list[Any]:
    return [LRScheduler(S.StepLR(1, gamma=0.5), interval="epoch")]


def with_decay() -> list[Any]:
    return [WeightDecayScheduler(S.LinearLR(1.0, 0.1, total_iters=10)), LRScheduler(S.ExponentialLR(0.9))]


def plateau() -> list[Any]:
    return [ReduceLROnPlateau("loss", patience=0, threshold=0.9, factor=0.5)]


def with_momentum() -> list[Any]:
    return [HyperparameterScheduler("momentum", S.LinearLR(0.5, 1.0, total_iters=10))]


class Training:
    """Everything of one training, built anew each time as a new process would."""

    def __init__(self, optimizer: Callable[[Any], Any] = momentum, callbacks: Callable[[], list[Any]] = list,
                 data: Callable[[], Any] = lambda: dataset(STEPS, shuffle=True),
                 network: Callable[[], Any] = Regression, cell: Optional[Callable[[Any, Any], Any]] = None,
                 **model: Any) -> None:
        ds.config.set_seed(1)
        self.network = network()
        self.optimizer = optimizer(self.network)
        self.model = (Model(self.network, None, self.optimizer, **model) if cell is None
                      else Model(cell(self.network, self.optimizer)))
        self.callbacks = callbacks()
        self.data = data()
        self.losses = Losses()

    def train(self, *extra: Any, epochs: int = EPOCHS, initial_epoch: int = 0, first: Sequence[Any] = ()) -> None:
        """Train with these callbacks before and behind the training's own."""
        self.model.train(epochs, self.data, [*first, *self.callbacks, *extra, self.losses],
                         initial_epoch=initial_epoch)

    def resume(self, directory: Path, *extra: Any, epochs: int = EPOCHS, first: bool = False,
               **options: Any) -> ResumePoint:
        """Resume and train to the end."""
        checkpoint = OptimizerCheckpoint(directory, **options)
        start = checkpoint.resume(self.model, self.data, self.callbacks)
        place = {"first": [checkpoint]} if first else {}
        self.train(*extra, *([] if first else [checkpoint]), epochs=epochs, initial_epoch=start.epoch, **place)
        return start

    def everything(self) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
        """Type, shape and bits of each Parameter of the training."""
        found = {}
        for index, parameter in enumerate(held_parameters([self.network, self.model.train_network, self.optimizer])):
            value = look(parameter)
            found[f"{index} {parameter.name}"] = (value.dtype, value.shape, value.array.tobytes())
        return found

    def assert_same(self, other: Training) -> None:
        """Assert that no bit differs."""
        mine, others = self.everything(), other.everything()
        assert mine.keys() == others.keys()
        assert [name for name in mine if mine[name] != others[name]] == []


def crash_after(training: Training, step: int, directory: Path, first: bool = False, **options: Any) -> None:
    """Train with checkpoints until the training crashes; the error closes the store."""
    checkpoint = OptimizerCheckpoint(directory, **options)
    try:
        training.train(*([] if first else [checkpoint]), Crash(step), first=[checkpoint] if first else [])
    except Crashed:
        return
    raise AssertionError("the training did not crash")
