"""What holds for every schedule, whatever its arguments."""
from __future__ import annotations

import copy
import json
import math
import pickle
import random
import threading
import warnings
from typing import Any, List

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ms_lr_callbacks import schedules as S
from schedule_examples import ALL, PLAIN, WITH_FUNCTION

COUNTS = st.integers(1, 400)
FACTORS = st.floats(0.0, 1.0)
SHRINKING = st.floats(0.01, 1.0)
RATES = st.floats(0.0, 3.0)

LEAVES = st.one_of(
    st.builds(S.StepLR, COUNTS, FACTORS),
    st.builds(S.MultiStepLR, st.lists(st.integers(0, 500), max_size=5), FACTORS),
    st.builds(S.ConstantLR, FACTORS, st.integers(0, 400)),
    st.builds(S.LinearLR, SHRINKING, FACTORS, st.integers(0, 400)),
    st.builds(S.ExponentialLR, FACTORS),
    st.builds(S.PolynomialLR, st.integers(0, 400), st.floats(0.0, 5.0)),
    st.builds(S.CosineAnnealingLR, COUNTS, RATES),
    st.builds(S.CosineAnnealingWarmRestarts, COUNTS, st.integers(1, 4), RATES),
    st.builds(S.CyclicLR, RATES, RATES, COUNTS, st.none() | COUNTS,
              st.sampled_from(["triangular", "triangular2", "exp_range"]), FACTORS),
    st.builds(S.OneCycleLR, RATES, st.integers(1, 600), pct_start=FACTORS,
              anneal_strategy=st.sampled_from(["cos", "linear"]), div_factor=st.floats(1.0, 100.0),
              final_div_factor=st.floats(1.0, 1e5), three_phase=st.booleans()),
    st.builds(S.OneCycleMomentum, st.integers(1, 600), FACTORS),
    st.builds(S.SWALR, RATES, st.integers(0, 400), st.sampled_from(["cos", "linear"])),
    st.builds(S.InverseSqrtLR, st.integers(0, 400), st.none() | COUNTS),
    st.builds(S.NoamLR, COUNTS, COUNTS, SHRINKING),
    st.builds(S.WarmupStableDecayLR, st.integers(0, 99), st.integers(0, 99), st.integers(0, 99),
              st.sampled_from(["linear", "cosine", "1-sqrt"]), FACTORS),
)


def _sequence(parts: List[S.Schedule], seed: int) -> S.Schedule:
    rng = random.Random(seed)
    return S.SequentialLR(parts, sorted(rng.randint(0, 300) for _ in parts[1:]))


def _compositions(parts: Any) -> Any:
    several = st.lists(parts, min_size=1, max_size=3)
    return st.one_of(st.builds(_sequence, several, st.integers(0, 999)), st.builds(S.ChainedScheduler, several),
                     st.builds(S.ProductLR, several), st.builds(S.warmup, parts, COUNTS, FACTORS))


SCHEDULES = st.recursive(LEAVES, _compositions, max_leaves=5)
STEPS = st.lists(st.integers(0, 500), min_size=1, max_size=20)
BASES = st.floats(1e-4, 10.0)


@pytest.fixture(autouse=True)
def _silent() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@settings(max_examples=300, deadline=None)
@given(SCHEDULES, STEPS, BASES)
def test_array_call_equals_scalar_calls(schedule: S.Schedule, steps: List[int], base: float) -> None:
    array = schedule(np.array(steps), base)
    assert array.dtype == np.float64 and array.shape == (len(steps),)
    scalars = [schedule(t, base) for t in steps]
    assert all(type(value) is float for value in scalars)
    np.testing.assert_allclose(array, scalars, rtol=1e-12, atol=1e-15 * base)


@settings(max_examples=300, deadline=None)
@given(SCHEDULES, STEPS, st.lists(BASES, min_size=1, max_size=5))
def test_table_of_many_bases_equals_one_base_after_the_other(schedule: S.Schedule, steps: List[int],
                                                             bases: List[float]) -> None:
    table = schedule.table(np.array(steps), bases)
    assert table.dtype == np.float64 and table.shape == (len(steps), len(bases))
    np.testing.assert_array_equal(table, np.stack([schedule(np.array(steps), base) for base in bases], axis=1))


@pytest.mark.parametrize("name", ALL)
def test_table_of_every_example(name: str) -> None:
    steps, bases = np.arange(0, 300, 7), [0.5, 0.1, 3e-4]
    expected = np.stack([ALL[name](steps, base) for base in bases], axis=1)
    np.testing.assert_array_equal(ALL[name].table(steps, bases), expected)


@settings(max_examples=200, deadline=None)
@given(SCHEDULES, STEPS, BASES, st.randoms())
def test_value_does_not_depend_on_earlier_calls(schedule: S.Schedule, steps: List[int], base: float,
                                                rng: random.Random) -> None:
    fresh = [copy.deepcopy(schedule)(t, base) for t in steps]
    order = list(range(len(steps)))
    rng.shuffle(order)
    seen = {i: schedule(steps[i], base) for i in order}
    assert [seen[i] for i in range(len(steps))] == fresh


def _pushes_below_zero(schedule: Any) -> bool:
    """Whether it holds a chain in which torch's recursions can throw the value below 0."""
    if isinstance(schedule, S.ChainedScheduler) and not schedule.closed_form:
        return True
    parts = [*getattr(schedule, "schedules", ()), getattr(schedule, "schedule", None)]
    return any(_pushes_below_zero(part) for part in parts if part is not None)


@settings(max_examples=300, deadline=None)
@given(SCHEDULES.filter(lambda schedule: not _pushes_below_zero(schedule)), STEPS, BASES)
def test_finite_and_not_negative(schedule: S.Schedule, steps: List[int], base: float) -> None:
    values = schedule(np.array(steps), base)
    assert np.isfinite(values).all() and values.min() >= 0


@settings(max_examples=200, deadline=None)
@given(SCHEDULES)
def test_round_trips(schedule: S.Schedule) -> None:
    config = json.loads(json.dumps(schedule.to_config()))
    for twin in (S.from_config(config), pickle.loads(pickle.dumps(schedule)), eval(repr(schedule), vars(S)),
                 copy.copy(schedule)):
        assert twin == schedule and hash(twin) == hash(schedule) and repr(twin) == repr(schedule)
        assert twin(7, 0.1) == schedule(7, 0.1)


@pytest.mark.parametrize("name", ALL)
def test_any_integer_and_any_shape(name: str) -> None:
    schedule = ALL[name]
    steps = np.array([[0, 5, 9], [200, 1, 120]])
    grid = schedule(steps, 0.1)
    assert grid.shape == (2, 3)
    np.testing.assert_allclose(schedule(steps.astype(np.uint8), 0.1), grid, rtol=1e-12, atol=1e-16)
    assert schedule(np.int32(200), np.float32(0.5)) == schedule(200, 0.5)
    assert schedule(np.array(200), 0.5).shape == ()
    assert schedule(np.array([], dtype=np.int64), 0.5).shape == (0,)
    assert type(schedule(np.int64(3), 1)) is float


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("t, error", [(-1, ValueError), (1.0, TypeError), (True, TypeError), (None, TypeError),
                                      ("1", TypeError), (np.array([0, -3]), ValueError),
                                      (np.array([0.5]), TypeError), (np.array([True]), TypeError)])
def test_bad_step(name: str, t: Any, error: type) -> None:
    with pytest.raises(error, match="t "):
        ALL[name](t, 0.1)


@pytest.mark.parametrize("base", [None, "0.1", True, [0.1]])
def test_bad_base(base: Any) -> None:
    with pytest.raises(TypeError, match="base must be a number"):
        S.StepLR(3)(0, base)


@pytest.mark.parametrize("name", ALL)
def test_immutable(name: str) -> None:
    with pytest.raises(AttributeError):
        ALL[name].gamma = 0.5  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", PLAIN)
def test_examples_round_trip(name: str) -> None:
    schedule = PLAIN[name]
    assert S.from_config(json.loads(json.dumps(schedule.to_config()))) == schedule
    assert eval(repr(schedule), vars(S)) == schedule
    assert pickle.loads(pickle.dumps(schedule)) == schedule


@pytest.mark.parametrize("name", WITH_FUNCTION)
def test_functions_compare_by_identity_and_have_no_config(name: str) -> None:
    schedule = WITH_FUNCTION[name]
    assert copy.copy(schedule) == schedule
    assert not schedule.closed_form
    with pytest.raises(ValueError, match="Python function .* JSON cannot hold; use"):
        schedule.to_config()


def test_equal_by_value_only() -> None:
    assert S.StepLR(3, 0.1) == S.StepLR(step_size=np.int64(3), gamma=0.1)
    assert S.StepLR(3, 0.1) != S.StepLR(3, 0.2)
    assert S.StepLR(3) != S.ExponentialLR(3.0)
    assert S.MultiStepLR([5, 3]) == S.MultiStepLR((3, 5))
    assert len({S.StepLR(3), S.StepLR(3), S.StepLR(4)}) == 2


def test_a_picklable_function_pickles() -> None:
    schedule = S.SequentialLR([S.LambdaLR(math.cos), S.MultiplicativeLR(math.cos)], [3])
    assert schedule(5, 0.1) == pickle.loads(pickle.dumps(schedule))(5, 0.1)


@pytest.mark.parametrize("schedule", [WITH_FUNCTION["MultiplicativeLR"], PLAIN["ChainedScheduler cosine"]])
def test_kept_values_are_safe_in_threads(schedule: S.Schedule) -> None:
    want = [schedule(t, 0.3) for t in range(2000)]
    shared = copy.deepcopy(schedule)
    seen: List[List[float]] = []
    threads = [threading.Thread(target=lambda: seen.append([shared(t, 0.3) for t in range(2000)]))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [want] * 8


def test_a_chain_keeps_the_history_of_a_limited_number_of_bases() -> None:
    schedule = S.ChainedScheduler([S.ExponentialLR(0.9), S.CosineAnnealingLR(30)])
    first = schedule(20, 1.0)
    assert [schedule(20, float(base)) for base in range(1, 200)][0] == first == schedule(20, 1.0)
