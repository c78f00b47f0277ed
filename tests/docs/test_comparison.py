"""What docs/comparison.md says of MindSpore's own callbacks is so; test_readme.py compares the READMEs with it."""
from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from mindspore import nn
from mindspore.train import (BackupAndRestore, Callback, CheckpointConfig, LearningRateScheduler, ModelCheckpoint,
                             ReduceLROnPlateau)
from training import ConstantGradient, dataset, model

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")


def grouped() -> Any:
    network = ConstantGradient(["a", "b"])
    a, b = network.trainable_params()
    return model(network, nn.SGD([{"params": [a], "lr": 0.5}, {"params": [b]}], 0.25))


@pytest.mark.parametrize("callback, error, words", [
    (LearningRateScheduler(lambda rate, step: rate), AttributeError, "asnumpy"),
    (ReduceLROnPlateau("loss"), ValueError, "does not support dynamic learning rate and group learning rate now"),
])
def test_mindspores_callbacks_refuse_groups(callback: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        grouped().train(1, dataset(1), callback)


def test_backup_and_restore_trains_all_epochs_again(tmp_path: Path) -> None:
    class Count(Callback):  # type: ignore[misc]
        epochs = 0

        def on_train_epoch_end(self, run_context: Any) -> None:
            self.epochs += 1

    network = ConstantGradient()
    target, count = model(network, nn.SGD(network.trainable_params(), 0.5)), Count()
    for epochs in (1, 3):
        target.train(epochs, dataset(1), [BackupAndRestore(str(tmp_path), delete_checkpoint=False), count])
    assert count.epochs == 1 + 3


def test_what_is_on_request_is_off_by_default() -> None:
    assert CheckpointConfig().async_save is False
    assert CheckpointConfig().crc_check is False
    assert not hasattr(ModelCheckpoint, "resume")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(mindspore(?:\.\w+)+)`", PAGE))))
def test_names_of_mindspore_exist(name: str) -> None:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return
    raise AssertionError(name)


def rows(text: str) -> list[str]:
    """Return the rows of the table of comparison, without the links in them."""
    table = next(each for each in re.findall(r"(?:^\|.*\n)+", text, re.M) if "| Keras |" in each)
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", table).splitlines()


def test_every_row_has_its_section() -> None:
    titles = re.findall(r"^## (.*)$", PAGE, re.M)
    assert [row.split(" | ")[0].strip("| ") for row in rows(PAGE)[2:]] == titles
