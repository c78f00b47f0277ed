"""docs/schedules.md: every row of the get_scheduler table against the formula of that name."""
from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Tuple

import numpy as np
import pytest

from ms_lr_callbacks import schedules as S

DOCS = Path(__file__).resolve().parents[2] / "docs" / "schedules.md"
BASE = 0.3
GIVEN = {"N": 240, "W": 40, "D": 60, "num_cycles": 4, "power": 2.5, "lr_end": 0.03, "min_lr": 0.02,
         "min_lr_ratio": 0.2, "warmup_lr_rate": 0.1, "base": BASE, "S": S}
N, W, D = 240, 40, 60


def _progress(t: int) -> float:
    return (t - W) / (N - W)


def _cosine(progress: float, low: float) -> float:
    return low + (1 - low) * 0.5 * (1 + math.cos(math.pi * progress))


def _wsd(t: int) -> float:
    if t < N - D:
        return 1.0 if t >= W else 0.2 + 0.8 * t / W
    return _cosine((t - (N - D)) / D, 0.2) if t < N else 0.2


def _polynomial(power: float, end: float) -> Callable[[int], float]:
    return lambda t: end if t > N else (1 - end) * (1 - _progress(t)) ** power + end


def _restarts(t: int) -> float:
    return 0.0 if t >= N else _cosine(4 * _progress(t) % 1.0, 0.0)


def _warm_minimum(t: int) -> float:
    if t < W:
        return 0.1 + 0.9 * t / (W - 1)
    return _cosine((t - W + 1) / (N - W), 0.02 / BASE)


# As described in the documentation of transformers: the factor of the base value after the warm-up,
# or, with True, of all steps.
FORMULAS: Dict[str, Tuple[Callable[[int], float], bool]] = {
    "constant": (lambda t: 1.0, True),
    "constant_with_warmup": (lambda t: 1.0, False),
    "linear": (lambda t: max(0.0, 1 - _progress(t)), False),
    "cosine": (lambda t: _cosine(_progress(t), 0.0), False),
    "cosine_with_restarts, num_cycles a divisor of N - W": (_restarts, False),
    "polynomial, lr_end=0": (_polynomial(2.5, 0.0), False),
    "polynomial, power=1": (_polynomial(1.0, 0.1), False),
    "polynomial": (_polynomial(2.5, 0.1), False),
    "inverse_sqrt": (lambda t: math.sqrt(W / t), False),
    "cosine_with_min_lr": (lambda t: _cosine(_progress(t), 0.02 / BASE), False),
    "cosine_warmup_with_min_lr, with warmup_lr_rate": (_warm_minimum, True),
    "warmup_stable_decay": (_wsd, True),
}


def _rows() -> Iterator[Tuple[str, str]]:
    table = DOCS.read_text(encoding="utf-8").split("## The names of `get_scheduler`")[1]
    for name, code in re.findall(r"^\| (`.*?) \| (.*) \|$", table, re.M):
        yield name.replace("`", ""), code


def test_every_row_is_here() -> None:
    assert [name for name, _ in _rows()] == [*FORMULAS, "reduce_lr_on_plateau"]


@pytest.mark.parametrize("name, code", [row for row in _rows() if row[0] in FORMULAS])
def test_row(name: str, code: str) -> None:
    formula, from_start = FORMULAS[name]
    schedule = eval(code.strip("`"), dict(GIVEN))
    want = [BASE * (formula(t) if from_start or t >= W else t / W) for t in range(300)]
    np.testing.assert_allclose(S.values(schedule, BASE, 300), want, rtol=1e-12, atol=1e-15)


def test_code_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: Dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)[0], names)
    assert (tmp_path / "lr.png").exists()


def test_relative_minimum_sentence() -> None:
    code = re.findall(r"after a warm-up: `(.*?)`;", DOCS.read_text(encoding="utf-8"), re.S)[0]
    schedule = eval(code.replace("\n", " "), dict(GIVEN))
    want = [BASE * (t / W if t < W else _cosine(min(1.0, _progress(t)), 0.1)) for t in range(300)]
    np.testing.assert_allclose(S.values(schedule, BASE, 300), want, rtol=1e-12, atol=1e-15)


def test_every_schedule_is_named() -> None:
    text = DOCS.read_text(encoding="utf-8")
    public = {name for name in S.__all__ if isinstance(getattr(S, name), type)}
    missing = {name for name in public if name not in text} - {"Schedule", "Warmup", "OneCycleMomentum", "ProductLR"}
    assert not missing
