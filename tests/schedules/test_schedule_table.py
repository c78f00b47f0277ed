"""values, to_list and plot."""
from __future__ import annotations

import builtins
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ms_lr_callbacks import schedules as S


def test_values_and_list() -> None:
    schedule = S.CosineAnnealingLR(20, 1e-3)
    values = S.values(schedule, 0.1, 50)
    assert values.dtype == np.float64 and values.shape == (50,)
    assert S.to_list(schedule, 0.1, 50) == values.tolist()
    assert [type(value) for value in S.to_list(schedule, 0.1, 2)] == [float, float]
    assert S.values(schedule, 0.1, 0).shape == (0,)


def test_a_plain_function_will_do() -> None:
    assert S.to_list(lambda t, base: base / (1 + t), 1.0, 3) == [1.0, 0.5, 1 / 3]


@pytest.mark.parametrize("log", [False, True])
def test_plot(tmp_path: Path, log: bool) -> None:
    path = S.plot({"cosine": S.CosineAnnealingLR(20), "function": lambda t, base: base}, 0.1, 50,
                  tmp_path / "sub" / "lr.png", log=log)
    assert path == tmp_path / "sub" / "lr.png" and path.read_bytes().startswith(b"\x89PNG")


def test_plot_names_the_extra_when_matplotlib_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'ms_lr_callbacks\[plot\]'"):
        S.plot({"a": S.StepLR(3)}, 0.1, 5, tmp_path / "lr.png")


def test_schedules_import_numpy_only() -> None:
    script = ("import sys; import ms_lr_callbacks.schedules; "
              "assert not {'mindspore', 'matplotlib', 'torch'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).resolve().parents[2])
