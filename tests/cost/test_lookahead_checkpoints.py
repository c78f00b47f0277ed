"""Checkpoints that MindSpore saves while a table is in use are ordinary ones, in the middle of a table too."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from by_hand import momentum
from mindspore.train import CheckpointConfig, ModelCheckpoint
from train_cells import float32_values
from training import Record, Regression, assert_same_weights, dataset, model

from ms_lr_callbacks import LRScheduler
from ms_lr_callbacks import schedules as S

COSINE = S.CosineAnnealingLR(T_max=50)
STEPS = 6


@pytest.mark.parametrize("grouped", [False, True], ids=["flat", "grouped"])
def test_plain_mindspore_goes_on_from_a_checkpoint_in_the_middle_of_a_table(mode: str, grouped: bool,
                                                                            tmp_path: Path) -> None:
    network = Regression()
    saver = ModelCheckpoint("table", str(tmp_path), CheckpointConfig(save_checkpoint_steps=3))
    model(network, momentum(network, grouped)).train(
        1, dataset(STEPS), [LRScheduler(COSINE, lookahead=4), saver])
    saved = {path.stem: ms.load_checkpoint(str(path)) for path in tmp_path.glob("*.ckpt")}
    assert len(saved) == 2

    plain = Regression()
    plain_saver = ModelCheckpoint("plain", str(tmp_path), CheckpointConfig(save_checkpoint_steps=3))
    model(plain, momentum(plain, grouped)).train(1, dataset(STEPS), [plain_saver])
    names = {name for path in tmp_path.glob("plain*.ckpt") for name in ms.load_checkpoint(str(path))}
    for held in saved.values():
        assert set(held) == names
        again = Regression()
        optimizer = momentum(again, grouped)
        assert ms.load_param_into_net(optimizer, held) == ([], [])
        model(again, optimizer).train(1, dataset(2))


def test_a_new_scheduler_goes_on_in_the_middle_of_a_table(mode: str, tmp_path: Path) -> None:
    """The table's rows are numbered by the optimizer's own counter, wherever it stands."""
    networks: list[Any] = []
    for lookahead in (1, 4):
        network = Regression()
        optimizer = momentum(network, False)
        model(network, optimizer).train(1, dataset(STEPS), [LRScheduler(COSINE, lookahead=lookahead)])
        path = str(tmp_path / f"{lookahead}.ckpt")
        ms.save_checkpoint(optimizer, path)
        again = Regression()
        optimizer = momentum(again, False)
        ms.load_param_into_net(optimizer, ms.load_checkpoint(path))
        ms.load_param_into_net(again, ms.load_checkpoint(path))
        model(again, optimizer).train(1, dataset(5), [LRScheduler(COSINE, lookahead=lookahead)])
        networks.append(again)
    assert_same_weights(*networks)


def test_the_ordinary_parameter_holds_the_last_value_after_an_epoch(mode: str) -> None:
    network = Regression()
    optimizer = momentum(network, False)
    record = Record(lambda context: None)
    seen: list[float] = []
    record.on_train_epoch_end = lambda context: seen.append(  # type: ignore[method-assign]
        float(optimizer.parameters_dict()["learning_rate"].asnumpy()))
    model(network, optimizer).train(2, dataset(5), [LRScheduler(COSINE, lookahead=4), record])
    np.testing.assert_array_equal(np.float32(seen), float32_values(COSINE, 0.1, 11)[[5, 10]])
