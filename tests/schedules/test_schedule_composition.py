"""What compositions mean where torch gives no numbers, and where it gives surprising ones."""
from __future__ import annotations

import warnings
from typing import Any, List

import numpy as np
import pytest

from ms_lr_callbacks import schedules as S

STEPS = np.arange(300)
RAMP = S.LinearLR(0.1, total_iters=20)
COSINE = S.CosineAnnealingLR(50, 1e-3)
EXP = S.ExponentialLR(0.99)
STEP = S.StepLR(30)


def test_a_sequence_of_sequences_is_the_flat_sequence() -> None:
    flat = S.SequentialLR([RAMP, COSINE, EXP, STEP], [20, 70, 120])
    first = S.SequentialLR([S.SequentialLR([RAMP, COSINE], [20]), EXP, STEP], [70, 120])
    last = S.SequentialLR([RAMP, S.SequentialLR([COSINE, S.SequentialLR([EXP, STEP], [50])], [50])], [20])
    alone = S.SequentialLR([S.SequentialLR([flat], [])], [])
    for nested in (first, last, alone):
        np.testing.assert_array_equal(nested(STEPS, 0.3), flat(STEPS, 0.3))
        assert nested.closed_form


def test_what_goes_on_from_the_value_it_finds_does_so_inside_a_sequence_too() -> None:
    tail = [S.SWALR(0.01, 20), S.MultiplicativeLR(lambda t: 0.99)]
    flat = S.SequentialLR([EXP, *tail], [40, 80])
    nested = S.SequentialLR([EXP, S.SequentialLR(tail, [40])], [40])
    np.testing.assert_array_equal(nested(STEPS, 0.3), flat(STEPS, 0.3))
    assert nested != flat and [nested(t, 0.3) for t in (39, 40, 80)] == [flat(t, 0.3) for t in (39, 40, 80)]


@pytest.mark.parametrize("inner", [S.ChainedScheduler([EXP, COSINE]), S.SequentialLR([EXP, STEP], [7]),
                                   S.warmup(COSINE, 9), EXP * COSINE])
def test_a_sequence_does_not_change_what_it_holds(inner: S.Schedule) -> None:
    outer = S.SequentialLR([inner, inner], [40])
    np.testing.assert_array_equal(outer(STEPS[:40], 0.3), inner(STEPS[:40], 0.3))
    np.testing.assert_array_equal(outer(STEPS[40:], 0.3), inner(STEPS[:-40], 0.3))


def test_milestone_zero_skips_a_schedule() -> None:
    np.testing.assert_array_equal(S.SequentialLR([STEP, EXP], [0])(STEPS, 0.3), EXP(STEPS, 0.3))
    np.testing.assert_array_equal(S.SequentialLR([RAMP, STEP, EXP], [9, 9])(STEPS[9:], 0.3), EXP(STEPS[:-9], 0.3))


def test_swa_goes_on_from_the_value_it_finds() -> None:
    schedule = S.SequentialLR([EXP, S.SWALR(0.01, anneal_epochs=10, anneal_strategy="linear")], [100])
    assert schedule(100, 0.3) == schedule(99, 0.3) == EXP(99, 0.3)
    assert schedule(105, 0.3) == pytest.approx((EXP(99, 0.3) + 0.01) / 2, rel=1e-12)
    assert schedule(110, 0.3) == schedule(10 ** 9, 0.3) == 0.01


def test_a_chain_of_factors_is_their_product() -> None:
    chain = S.ChainedScheduler([RAMP, EXP, S.ChainedScheduler([STEP, S.MultiplicativeLR(lambda t: 0.999)])])
    product = RAMP * EXP * STEP * S.MultiplicativeLR(lambda t: 0.999)
    np.testing.assert_allclose(chain(STEPS, 0.3), product(STEPS, 0.3), rtol=1e-13)
    assert S.ChainedScheduler([RAMP, EXP]).closed_form


def test_a_schedule_that_ignores_the_current_value_replaces_it_in_a_chain_as_in_torch() -> None:
    restarts = S.CosineAnnealingWarmRestarts(10)
    np.testing.assert_array_equal(S.ChainedScheduler([EXP, restarts])(STEPS, 0.3), restarts(STEPS, 0.3))
    assert (restarts * EXP)(25, 0.3) == restarts(25, 0.3) * 0.99 ** 25


def test_product_scales_only_its_first_schedule_by_base() -> None:
    product = S.CyclicLR(0.1, 0.3, 5) * EXP
    assert product(4, 123.0) == S.CyclicLR(0.1, 0.3, 5)(4, 1.0) * 0.99 ** 4
    np.testing.assert_allclose((EXP * STEP)(STEPS, 0.3), (STEP * EXP)(STEPS, 0.3), rtol=1e-14)
    assert S.ProductLR([EXP, lambda t, base: base])(3, 0.3) == EXP(3, 0.3)


@pytest.mark.parametrize("inner", [COSINE, EXP, S.OneCycleLR(0.4, 300), S.SequentialLR([RAMP, EXP], [9]),
                                   S.warmup(EXP, 5), lambda t, base: base / (1 + t)])
@pytest.mark.parametrize("start", [0.0, 0.25])
def test_warmup_in_front_of_anything(inner: Any, start: float) -> None:
    warm = S.warmup(inner, 40, start_factor=start)
    want = S.values(inner, 0.3, 260)
    np.testing.assert_array_equal(warm(STEPS[40:], 0.3), want)
    np.testing.assert_allclose(warm(STEPS[:40], 0.3), want[0] * (start + (1 - start) * STEPS[:40] / 40), rtol=1e-14)
    np.testing.assert_allclose([warm(t, 0.3) for t in range(50)], warm(STEPS[:50], 0.3), rtol=1e-14)
    assert S.warmup(inner, 0)(7, 0.3) == pytest.approx(want[7], rel=1e-14)


def test_a_subclass_that_is_only_called_composes_like_a_function() -> None:
    class Halving(S.Schedule):
        def __call__(self, t: Any, base: float) -> Any:
            return base / 2 ** t

    assert S.to_list(Halving(), 0.8, 3) == [0.8, 0.4, 0.2]
    assert S.values(S.warmup(Halving(), 2), 0.8, 4).tolist() == [0.0, 0.4, 0.8, 0.4]
    assert S.SequentialLR([S.StepLR(1), Halving()], [1])(2, 0.8) == 0.4


def test_a_subclass_without_the_decorator_equals_itself_only() -> None:
    class Power(S.Schedule):
        def __init__(self, exponent: float) -> None:
            object.__setattr__(self, "exponent", exponent)

        def __call__(self, t: Any, base: float) -> Any:
            return base * (t + 1.0) ** self.exponent  # type: ignore[attr-defined]

    half = Power(-0.5)
    assert half == half and half != Power(-1.0)
    assert len({half, Power(-1.0)}) == 2


def test_warmup_lets_an_object_make_its_own() -> None:
    class Plateau:
        def with_warmup(self, steps: int, start_factor: float) -> List[Any]:
            return [self, steps, start_factor]

    plateau = Plateau()
    assert S.warmup(plateau, 100) == [plateau, 100, 0.0]
    assert S.warmup(plateau, 100, start_factor=0.5) == [plateau, 100, 0.5]


def test_one_list_with_a_schedule_per_group_round_trips() -> None:
    groups = [STEP, None, S.SequentialLR([RAMP, COSINE], [20])]
    assert S.from_config(S.to_config(groups)) == groups
    assert S.to_config(STEP) == STEP.to_config() == {"name": "StepLR", "step_size": 30, "gamma": 0.1}


@pytest.mark.parametrize("schedule", [S.OneCycleLR(0.4, 20), S.OneCycleLR(0.4, epochs=4, steps_per_epoch=5),
                                      S.OneCycleLR(0.4, 20, anneal_strategy="linear", three_phase=True),
                                      S.OneCycleLR(0.4, 20).momentum_schedule()])
@pytest.mark.parametrize("array", [False, True])
def test_one_cycle_holds_its_last_value_with_one_warning(schedule: S.Schedule, array: bool) -> None:
    fresh = S.from_config(schedule.to_config())
    last = fresh(19, 0.1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        past = fresh(np.arange(20, 60), 0.1).tolist() if array else [fresh(t, 0.1) for t in range(20, 60)]
        fresh(99, 0.1)
    assert past == [last] * 40
    assert len(caught) == 1
    assert "20 steps in total" in str(caught[0].message) and "holds its last value" in str(caught[0].message)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("total", [1, 2, 3, 10])
@pytest.mark.parametrize("pct", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("three_phase", [False, True])
def test_one_cycle_of_any_length(total: int, pct: float, three_phase: bool) -> None:
    """Torch divides by zero for some of these."""
    values = S.values(S.OneCycleLR(1.0, total, pct_start=pct, three_phase=three_phase), 0.1, total)
    assert np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1.0
    schedule = S.OneCycleLR(1.0, total, pct_start=pct, three_phase=three_phase)
    np.testing.assert_array_equal([schedule(t, 0.1) for t in range(total)], values)


def test_cosine_past_its_end_swings_back_as_in_torch() -> None:
    values = COSINE(np.arange(201), 0.3)
    assert values[50] == values[150] == 1e-3
    np.testing.assert_allclose(values[[0, 100, 200]], 0.3, rtol=1e-12)
    held = S.SequentialLR([COSINE, S.ConstantLR(1e-3 / 0.3, total_iters=10 ** 9)], [50])
    np.testing.assert_allclose(held(np.arange(50, 300), 0.3), 1e-3, rtol=1e-12)


@pytest.mark.parametrize("n", [100_000, 100_001, 2 ** 30 + 1])
def test_a_very_long_cosine_stays_a_cosine(n: int) -> None:
    """Torch's recursion loses all digits at the minimum of such a one."""
    schedule = S.CosineAnnealingLR(n)
    late = [n, n + 1, n + n // 2, 2 * n]
    want = [0.5 + 0.5 * np.cos(np.pi * t / n) for t in late]
    np.testing.assert_allclose(schedule(np.array(late), 1.0), want, rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose([schedule(t, 1.0) for t in late], want, rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("n", [1, 2, 3, 37, 400])
def test_a_cosine_up_from_zero_never_falls_below_it(n: int) -> None:
    """A group with the rate 0 beside others: rounding must not make its rate negative."""
    schedule = S.CosineAnnealingLR(n, eta_min=0.65)
    values = schedule(np.arange(10 * n + 1), 0.0)
    assert values.min() >= 0.0 and min(schedule(t, 0.0) for t in range(10 * n + 1)) >= 0.0
    np.testing.assert_allclose(values[::2 * n], 0.0, atol=1e-10)
    np.testing.assert_allclose(values[n::2 * n], 0.65, rtol=1e-12)
    assert schedule(0, 1e-5) == 1e-5
