"""Torch's own numbers, called in a loop, for every class and for compositions two and three deep."""
from __future__ import annotations

import numpy as np
import pytest

import schedule_golden as golden

# Where the exact result is 0 torch's rounding leaves up to this much times the base value, of either sign.
ZERO = 1e-15
# Below this float64 itself loses digits.
TINY = 1e-290


@pytest.mark.parametrize("call", ["array", "scalar"])
@pytest.mark.parametrize("kind", golden.kinds())
def test_equals_torch(kind: str, call: str) -> None:
    cases = golden.cases(kind)
    assert len(cases) >= 40
    for config, base, torch_values in cases:
        schedule = golden.build(config)
        steps = np.arange(torch_values.size)
        ours = schedule(steps, base) if call == "array" else [schedule(t, base) for t in steps.tolist()]
        meant = np.where(np.equal(ours, 0.0) & (np.abs(torch_values) <= ZERO * base), 0.0, torch_values)
        np.testing.assert_allclose(ours, meant, rtol=1e-12, atol=TINY, err_msg=str(config))


@pytest.mark.parametrize("kind", ["CyclicLR", "OneCycleLR"])
def test_momentum_equals_torch(kind: str) -> None:
    for config, _, torch_values in golden.cases(kind, "momentum"):
        momentum = golden.build(config).momentum_schedule()
        np.testing.assert_allclose(momentum(np.arange(torch_values.size), 0.9), torch_values, rtol=1e-12)


def test_chained_restart_of_a_cosine_is_the_loop_and_not_the_closed_form() -> None:
    """Past T_max torch's recursion swings back; a chain keeps adding to what the others left."""
    seen = {config["name"] for kind in ("flat_chain", "nested_chain") for case in golden.cases(kind)
            for config in case[0]["schedules"]}
    assert {"CosineAnnealingLR", "CyclicLR", "MultiplicativeLR", "SWALR", "SequentialLR"} <= seen
