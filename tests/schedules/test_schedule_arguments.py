"""Bad arguments: every call and the words its message must hold."""
from __future__ import annotations

import functools
from typing import Any, Callable, List, Tuple, Type

import numpy as np
import pytest

from ms_lr_callbacks import schedules as S

STEP = S.StepLR(3)
Row = Tuple[Callable[[], Any], Type[Exception], str]

BAD: List[Row] = [
    (lambda: S.LambdaLR(0.5), TypeError, "LambdaLR: lr_lambda must be a function, got 0.5"),
    (lambda: S.LambdaLR([abs]), TypeError, "for one value per group give a list of schedules"),
    (lambda: S.LambdaLR(lambda t, base: base), TypeError,
     "LambdaLR: lr_lambda must be a function f(t), got <function .* which takes other arguments"),
    (lambda: S.MultiplicativeLR(lambda: 0.9), TypeError, "MultiplicativeLR: lr_lambda must be a function f(t)"),
    (lambda: S.MultiplicativeLR("0.9"), TypeError,
     "MultiplicativeLR: lr_lambda must be a function, got '0.9'"),
    (lambda: S.StepLR(0), ValueError, "StepLR: step_size must be an int >= 1, got 0"),
    (lambda: S.StepLR(3.0), TypeError,
     "StepLR: step_size must be an int >= 1, got 3.0 of type float; write 3"),
    (lambda: S.StepLR(True), TypeError, "StepLR: step_size must be an int >= 1, got True of type bool"),
    (lambda: S.StepLR(3, -0.1), ValueError, "StepLR: gamma must be a finite number >= 0, got -0.1"),
    (lambda: S.StepLR(3, float("nan")), ValueError, "StepLR: gamma must be a finite number >= 0, got nan"),
    (lambda: S.StepLR(3, "0.1"), TypeError,
     "StepLR: gamma must be a finite number >= 0, got '0.1' of type str"),
    (lambda: S.MultiStepLR(30), TypeError, "MultiStepLR: milestones must be a list of ints, got 30"),
    (lambda: S.MultiStepLR([3, -1]), ValueError, "MultiStepLR: milestones[1] must be an int >= 0, got -1"),
    (lambda: S.MultiStepLR([3, 1.5]), TypeError, "MultiStepLR: milestones[1] must be an int >= 0, got 1.5"),
    (lambda: S.MultiStepLR([3], -1), ValueError, "MultiStepLR: gamma must be"),
    (lambda: S.ConstantLR(1.5), ValueError, "ConstantLR: factor must be a number in [0, 1], got 1.5"),
    (lambda: S.ConstantLR(0.5, -1), ValueError, "ConstantLR: total_iters must be an int >= 0, got -1"),
    (lambda: S.LinearLR(0.0), ValueError,
     "LinearLR: start_factor must be a number in (0, 1], got 0.0; warmup("),
    (lambda: S.LinearLR(1.1), ValueError, "LinearLR: start_factor must be a number in (0, 1], got 1.1"),
    (lambda: S.LinearLR(0.5, -0.1), ValueError, "LinearLR: end_factor must be a number in [0, 1], got -0.1"),
    (lambda: S.LinearLR(0.5, total_iters=None), TypeError,
     "LinearLR: total_iters must be an int >= 0, got None"),
    (lambda: S.ExponentialLR(-1), ValueError, "ExponentialLR: gamma must be a finite number >= 0, got -1"),
    (lambda: S.ExponentialLR([0.9, 0.8]), TypeError, "for one value per group give a list of schedules"),
    (lambda: S.PolynomialLR(-1), ValueError, "PolynomialLR: total_iters must be an int >= 0, got -1"),
    (lambda: S.PolynomialLR(5, -1), ValueError, "PolynomialLR: power must be a finite number >= 0, got -1"),
    (lambda: S.CosineAnnealingLR(0), ValueError, "CosineAnnealingLR: T_max must be an int >= 1, got 0"),
    (lambda: S.CosineAnnealingLR(5, -1.0), ValueError,
     "CosineAnnealingLR: eta_min must be a finite number >= 0"),
    (lambda: S.CosineAnnealingWarmRestarts(0), ValueError,
     "CosineAnnealingWarmRestarts: T_0 must be an int >= 1, got 0"),
    (lambda: S.CosineAnnealingWarmRestarts(5, 1.5), TypeError,
     "CosineAnnealingWarmRestarts: T_mult must be an int >= 1, got 1.5"),
    (lambda: S.CosineAnnealingWarmRestarts(5, eta_min=-1), ValueError,
     "eta_min must be a finite number >= 0"),
    (lambda: S.CyclicLR(-0.1, 1.0), ValueError, "CyclicLR: base_lr must be a finite number >= 0, got -0.1"),
    (lambda: S.CyclicLR(0.1, [1.0]), TypeError, "CyclicLR: max_lr must be a finite number >= 0, got [1.0]"),
    (lambda: S.CyclicLR(0.1, 1.0, 0), ValueError, "CyclicLR: step_size_up must be an int >= 1, got 0"),
    (lambda: S.CyclicLR(0.1, 1.0, step_size_down=0), ValueError,
     "CyclicLR: step_size_down must be an int >= 1"),
    (lambda: S.CyclicLR(0.1, 1.0, mode="square"), ValueError,
     "CyclicLR: mode must be one of 'triangular', 'triangular2', 'exp_range', got 'square'"),
    (lambda: S.CyclicLR(0.1, 1.0, gamma=-1), ValueError, "CyclicLR: gamma must be"),
    (lambda: S.CyclicLR(0.1, 1.0, scale_fn=0.5), TypeError, "CyclicLR: scale_fn must be a function, got 0.5"),
    (lambda: S.CyclicLR(0.1, 1.0, scale_fn=lambda: 1.0), TypeError, "CyclicLR: scale_fn must be a function f(x)"),
    (lambda: S.CyclicLR(0.1, 1.0, scale_mode="steps"), ValueError,
     "scale_mode must be one of 'cycle', 'iterations'"),
    (lambda: S.CyclicLR(0.1, 1.0, cycle_momentum=1), TypeError,
     "CyclicLR: cycle_momentum must be True or False"),
    (lambda: S.CyclicLR(0.1, 1.0, base_momentum=2), ValueError,
     "CyclicLR: base_momentum must be a number in [0, 1]"),
    (lambda: S.CyclicLR(0.1, 1.0, max_momentum=2), ValueError,
     "CyclicLR: max_momentum must be a number in [0, 1]"),
    (lambda: S.CyclicLR(0.1, 1.0, cycle_momentum=False).momentum_schedule(), ValueError,
     "cycle_momentum=False and has no momentum schedule; leave"),
    (lambda: S.OneCycleLR(0.1), ValueError, "OneCycleLR: give total_steps, or epochs and steps_per_epoch"),
    (lambda: S.OneCycleLR(0.1, epochs=3), ValueError, "got total_steps=None, epochs=3, steps_per_epoch=None"),
    (lambda: S.OneCycleLR(0.1, 0), ValueError, "OneCycleLR: total_steps must be an int >= 1, got 0"),
    (lambda: S.OneCycleLR(0.1, epochs=0, steps_per_epoch=1), ValueError,
     "OneCycleLR: epochs must be an int >= 1"),
    (lambda: S.OneCycleLR(0.1, epochs=1, steps_per_epoch=1.0), TypeError,
     "steps_per_epoch must be an int >= 1"),
    (lambda: S.OneCycleLR(-0.1, 9), ValueError, "OneCycleLR: max_lr must be a finite number >= 0, got -0.1"),
    (lambda: S.OneCycleLR(0.1, 9, pct_start=30), ValueError, "pct_start must be a number in [0, 1], got 30"),
    (lambda: S.OneCycleLR(0.1, 9, anneal_strategy="sin"), ValueError,
     "OneCycleLR: anneal_strategy must be one of 'cos', 'linear', got 'sin'"),
    (lambda: S.OneCycleLR(0.1, 9, cycle_momentum=None), TypeError,
     "cycle_momentum must be True or False, got None"),
    (lambda: S.OneCycleLR(0.1, 9, base_momentum=-1), ValueError, "OneCycleLR: base_momentum must be"),
    (lambda: S.OneCycleLR(0.1, 9, max_momentum=9), ValueError, "OneCycleLR: max_momentum must be"),
    (lambda: S.OneCycleLR(0.1, 9, div_factor=0), ValueError, "div_factor must be a finite number > 0, got 0"),
    (lambda: S.OneCycleLR(0.1, 9, final_div_factor=0), ValueError,
     "final_div_factor must be a finite number > 0"),
    (lambda: S.OneCycleLR(0.1, 9, three_phase=1), TypeError, "three_phase must be True or False, got 1"),
    (lambda: S.OneCycleLR(0.1, 9, cycle_momentum=False).momentum_schedule(), ValueError,
     "leave cycle_momentum"),
    (lambda: S.OneCycleMomentum(0), ValueError, "OneCycleMomentum: total_steps must be an int >= 1, got 0"),
    (lambda: S.SequentialLR([], []), ValueError, "SequentialLR: schedules must hold at least one schedule"),
    (lambda: S.SequentialLR(STEP, []), TypeError, "schedules must be a list of schedules, got one StepLR"),
    (lambda: S.SequentialLR([STEP, S.StepLR], [3]), TypeError,
     "schedules[1] must be a schedule .* write StepLR("),
    (lambda: S.SequentialLR([STEP, 0.1], [3]), TypeError,
     "SequentialLR: schedules[1] must be a schedule or a function"),
    (lambda: S.SequentialLR([STEP, STEP], []), ValueError,
     "milestones must be one fewer than schedules, got 0 milestones for 2 schedules"),
    (lambda: S.SequentialLR([STEP] * 3, [5, 3]), ValueError,
     "milestones must be in ascending order, got [5, 3]"),
    (lambda: S.SequentialLR([STEP] * 2, [-1]), ValueError, "milestones[0] must be an int >= 0, got -1"),
    (lambda: S.SequentialLR([STEP] * 2, 5), TypeError,
     "SequentialLR: milestones must be a list of ints, got 5"),
    (lambda: S.ChainedScheduler([]), ValueError,
     "ChainedScheduler: schedules must hold at least one schedule"),
    (lambda: S.ChainedScheduler("StepLR"), TypeError,
     "ChainedScheduler: schedules must be a list of schedules"),
    (lambda: S.ProductLR([None]), TypeError, "ProductLR: schedules[0] must be a schedule or a function"),
    (lambda: STEP * 2, TypeError, "unsupported operand"),
    (lambda: S.SWALR(-1), ValueError, "SWALR: swa_lr must be a finite number >= 0, got -1"),
    (lambda: S.SWALR(0.1, -1), ValueError, "SWALR: anneal_epochs must be an int >= 0, got -1"),
    (lambda: S.SWALR(0.1, 5, "cosine"), ValueError,
     "anneal_strategy must be one of 'cos', 'linear', got 'cosine'"),
    (lambda: S.InverseSqrtLR(-1), ValueError, "InverseSqrtLR: warmup_steps must be an int >= 0, got -1"),
    (lambda: S.InverseSqrtLR(5, 0), ValueError, "InverseSqrtLR: timescale must be an int >= 1, got 0"),
    (lambda: S.NoamLR(0, 5), ValueError, "NoamLR: model_size must be an int >= 1, got 0"),
    (lambda: S.NoamLR(5, 0), ValueError, "NoamLR: warmup_steps must be an int >= 1, got 0"),
    (lambda: S.NoamLR(5, 5, 0.0), ValueError, "NoamLR: factor must be a finite number > 0, got 0.0"),
    (lambda: S.WarmupStableDecayLR(-1, 1, 1), ValueError, "WarmupStableDecayLR: warmup_steps must be"),
    (lambda: S.WarmupStableDecayLR(1, -1, 1), ValueError, "WarmupStableDecayLR: stable_steps must be"),
    (lambda: S.WarmupStableDecayLR(1, 1, -1), ValueError, "WarmupStableDecayLR: decay_steps must be"),
    (lambda: S.WarmupStableDecayLR(1, 1, 1, "sqrt"), ValueError,
     "decay_type must be one of 'linear', 'cosine', '1-sqrt', got 'sqrt'"),
    (lambda: S.WarmupStableDecayLR(1, 1, 1, min_lr_ratio=2), ValueError,
     "min_lr_ratio must be a number in [0, 1]"),
    (lambda: S.warmup(STEP, -1), ValueError, "warmup: steps must be an int >= 0, got -1"),
    (lambda: S.warmup(STEP, 5, 2.0), ValueError, "warmup: start_factor must be a number in [0, 1], got 2.0"),
    (lambda: S.warmup(5, STEP), TypeError,
     "warmup: schedule must be a schedule or a function f(t, base), got 5"),
    (lambda: S.warmup(lambda t: 0.5, 5), TypeError,
     "warmup: schedule must be a function f(t, base), got .* for a function of t alone, a factor of base, write "
     "LambdaLR("),
    (lambda: S.ChainedScheduler([STEP, lambda t: 0.5]), TypeError,
     "ChainedScheduler: schedules[1] must be a function f(t, base), got"),
    (lambda: S.values(lambda: 0.5, 0.1, 5), TypeError, "values: schedule must be a function f(t, base), got"),
    (lambda: S.values(STEP, 0.1, -1), ValueError, "values: n must be an int >= 0, got -1"),
    (lambda: S.values(0.1, STEP, 5), TypeError, "values: schedule must be a schedule or a function"),
    (lambda: S.to_list(STEP, 0.1, 5.0), TypeError, "n must be an int >= 0, got 5.0 of type float; write 5"),
    (lambda: S.plot([STEP], 0.1, 5, "a.png"), TypeError,
     "plot: schedules must be a dict from name to schedule"),
    (lambda: S.plot({}, 0.1, 5, "a.png"), ValueError, "plot: nothing to draw, got 0 schedules and n=5"),
    (lambda: S.plot({"a": STEP}, 0.1, 0, "a.png"), ValueError,
     "plot: nothing to draw, got 1 schedules and n=0"),
    (lambda: S.plot({"a": STEP}, 0.1, 5, "a.pdf"), ValueError, "plot: path must end in .png, got 'a.pdf'"),
    (lambda: S.to_config([0.1]), TypeError,
     "to_config: schedules[0] must be a schedule or a function f(t, base), got 0.1"),
    (lambda: S.from_config("StepLR"), TypeError,
     "config must be a dict with a 'name', or a list of such dicts"),
    (lambda: S.from_config({}), ValueError, "config has no 'name'"),
    (lambda: S.from_config({"name": "CosineLR"}), ValueError,
     "there is no schedule 'CosineLR'; the nearest is 'CosineAnnealingLR'"),
    (lambda: S.from_config({"name": "steplr"}), ValueError,
     "there is no schedule 'steplr'; the nearest is 'StepLR'"),
    (lambda: S.from_config({"name": "StepLR", "stepsize": 3}), ValueError,
     "StepLR has no argument 'stepsize'; the nearest is 'step_size', of step_size, gamma"),
    (lambda: S.from_config({"name": "StepLR", 3: 3}), ValueError, "StepLR has no argument 3; the nearest is"),
    (lambda: S.from_config({"name": "StepLR"}), ValueError, "StepLR needs the argument 'step_size'"),
    (lambda: S.from_config({"name": "StepLR", "step_size": 0}), ValueError,
     "step_size must be an int >= 1, got 0"),
    (lambda: S.from_config({"name": "StepLR", "step_size": "3"}), TypeError, "step_size must be an int >= 1"),
    (lambda: S.from_config({"name": "LambdaLR"}), ValueError, "LambdaLR needs a Python function"),
    (lambda: S.from_config({"name": ["StepLR"]}), ValueError, "there is no schedule ['StepLR']"),
    (lambda: S.from_config({"name": "Warmup", "steps": 3, "schedule": {"name": "StepLr"}}), ValueError,
     "the nearest is 'StepLR'"),
    (lambda: S.to_cell(STEP, "0.1"), TypeError, "to_cell: base must be a finite number, got '0.1'"),
    (lambda: S.to_cell(S.LambdaLR(abs), 0.1), ValueError, "LambdaLR has no closed form .* pass total_steps="),
    (lambda: S.to_cell(S.LambdaLR(abs), 0.1, total_steps=0), ValueError,
     "total_steps must be an int >= 1, got 0"),
]


@pytest.mark.parametrize("row", range(len(BAD)))
def test_message(row: int) -> None:
    call, error, words = BAD[row]
    with pytest.raises(error) as caught:
        call()
    message, at = str(caught.value), 0
    for part in words.split(" .* "):
        at = message.find(part, at)
        assert at >= 0, f"{part!r} is not in {message!r}"


def test_every_public_class_has_a_row() -> None:
    called = {name for call, _, _ in BAD for name in call.__code__.co_names}
    # Warmup is what warmup() makes; Schedule is the base of all.
    public = set(S.__all__) - {"Schedule", "Warmup"}
    assert public <= called, public - called


def test_what_can_be_called_is_taken_whatever_it_looks_like() -> None:
    def factor(t: int) -> float:
        return 0.5

    @functools.wraps(factor)
    def wrapper(*arguments: Any) -> float:
        return factor(arguments[0])

    class Called:
        def __call__(self, t: int, base: float, scale: float = 0.5) -> float:
            return base * scale

        def method(self, t: int, base: float) -> float:
            return base * 0.5

    for function in (wrapper, Called(), Called().method, functools.partial(lambda scale, t, base: base * scale, 0.5),
                     np.vectorize(lambda t, base: base * 0.5), min):
        assert S.warmup(function, 0)(1, 1.0) in (0.5, 1.0)
