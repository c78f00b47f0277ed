"""to_cell: values inside the graph in both modes, and training with them."""
from __future__ import annotations

from typing import Any, List

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn
from mindspore.nn.learning_rate_schedule import LearningRateSchedule

from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.optimizers.numpy2 import settle_numpy
from schedule_examples import CLOSED, OPEN, WITH_FUNCTION
from training import ConstantGradient, Regression, applied_rates, assert_same_weights, dataset, model

BASE = 0.1
# float32 has a rounding unit of 6e-8; a value takes a handful of operations.
ROUNDING = 6e-7
FAR = [2 ** 24 - 1, 2 ** 24 + 1, 2 ** 24 + 3, 2 ** 30 + 7, 2 ** 31 - 2]


@pytest.fixture(scope="module", autouse=True)
def _numpy_2() -> None:
    settle_numpy()


def _close(got: Any, want: Any, rtol: float = ROUNDING) -> None:
    np.testing.assert_allclose(got.asnumpy(), want, rtol=rtol, atol=1e-37)
    assert got.dtype == ms.float32


@pytest.mark.filterwarnings("ignore:OneCycle")
@pytest.mark.parametrize("name", CLOSED)
def test_equals_the_schedule(name: str, mode: str) -> None:
    schedule = CLOSED[name]
    cell = S.to_cell(schedule, BASE)
    assert isinstance(cell, LearningRateSchedule)
    steps = np.arange(400)
    _close(cell(Tensor(steps, ms.int32)), schedule(steps, BASE))
    _close(cell(Tensor([7], ms.int32)), [schedule(7, BASE)])
    assert not [p for p in cell.get_parameters()], "a cell in an optimizer must add no parameters"


@pytest.mark.filterwarnings("ignore:OneCycle")
@pytest.mark.parametrize("name", [name for name in CLOSED if name != "CyclicLR momentum"])
def test_steps_that_float32_cannot_count(name: str) -> None:
    ms.set_context(mode=ms.PYNATIVE_MODE)
    schedule = CLOSED[name]
    got = S.to_cell(schedule, BASE)(Tensor(FAR, ms.int32))
    np.testing.assert_allclose(got.asnumpy(), schedule(np.array(FAR), BASE), rtol=2e-6, atol=1e-12)
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
@pytest.mark.parametrize("name", ["ConstantLR for ever", "SequentialLR nested", "MultiStepLR", "StepLR",
                                  "CosineAnnealingWarmRestarts growing"])
def test_any_shape_of_steps(name: str, shape: Any, mode: str) -> None:
    steps = np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape) * 9
    got = S.to_cell(CLOSED[name], BASE)(Tensor(steps))
    assert got.shape == shape
    _close(got, CLOSED[name](steps, BASE))


def test_arguments_that_int32_cannot_hold() -> None:
    huge = 10 ** 10
    steps = np.array([0, 5, 10 ** 6, 2 ** 31 - 2])
    for schedule in (S.StepLR(huge), S.MultiStepLR([5, huge]), S.ConstantLR(0.5, huge), S.LinearLR(0.5, 1.0, huge),
                     S.PolynomialLR(huge), S.CosineAnnealingLR(huge), S.CosineAnnealingLR(2 ** 30 + 1),
                     S.CosineAnnealingWarmRestarts(huge, 2), S.CosineAnnealingWarmRestarts(huge),
                     S.CyclicLR(0.1, 0.2, huge), S.OneCycleLR(0.1, huge), S.SWALR(0.1, huge),
                     S.InverseSqrtLR(huge), S.NoamLR(8, huge), S.WarmupStableDecayLR(huge, 1, 1),
                     S.WarmupStableDecayLR(1, 1, huge), S.warmup(S.StepLR(3), huge),
                     S.SequentialLR([S.ConstantLR(), S.StepLR(3)], [huge])):
        got = S.to_cell(schedule, BASE)(Tensor(steps, ms.int32)).asnumpy()
        np.testing.assert_allclose(got, schedule(steps, BASE), rtol=2e-6, atol=1e-9, err_msg=repr(schedule))


def test_no_table_of_all_steps() -> None:
    """A million steps take no more memory than a hundred."""
    def constants(cell: Any) -> int:
        inner = [value for _, item in cell.cells_and_names() for value in vars(item).values()]
        return sum(value.size for value in inner if isinstance(value, Tensor))

    def cell(n: int) -> Any:
        return S.to_cell(S.warmup(S.CosineAnnealingLR(n), n // 10) * S.ExponentialLR(0.999999), BASE)

    assert constants(cell(10 ** 6)) == constants(cell(100)) < 10_000


@pytest.mark.parametrize("name", [*OPEN, *WITH_FUNCTION])
def test_without_a_closed_form_it_holds_total_steps_values(name: str) -> None:
    schedule = {**OPEN, **WITH_FUNCTION}[name]
    with pytest.raises(ValueError, match="no closed form .* total_steps=<number of updates>.*LRScheduler"):
        S.to_cell(schedule, BASE)
    got = S.to_cell(schedule, BASE, total_steps=50)(Tensor([0, 20, 49, 60], ms.int32))
    _close(got, [schedule(t, BASE) for t in (0, 20, 49, 49)])


def test_a_plain_function_needs_total_steps() -> None:
    _close(S.to_cell(lambda t, base: base / (1 + t), BASE, total_steps=9)(Tensor([3], ms.int32)), [0.025])


TRAINED = S.SequentialLR([S.LinearLR(0.1, total_iters=5), S.CosineAnnealingWarmRestarts(4, 2),
                          S.MultiStepLR([3, 6], 0.5) * S.ExponentialLR(0.9)], [5, 17])


def _move(rate: Any, count: int) -> List[float]:
    network = ConstantGradient()
    trainer = model(network, nn.SGD(network.trainable_params(), rate))
    moves = applied_rates(network, [], lambda callbacks: trainer.train(1, dataset(count), callbacks=callbacks))
    return moves[:, 0].tolist()


def test_every_update_uses_its_value(mode: str) -> None:
    want = S.values(TRAINED, BASE, 30)
    np.testing.assert_allclose(_move(S.to_cell(TRAINED, BASE), 30), want, rtol=ROUNDING)
    np.testing.assert_array_equal(_move(S.to_list(TRAINED, BASE, 31), 30), want.astype(np.float32))


def test_one_cell_for_each_group(mode: str) -> None:
    network = ConstantGradient(("a", "b"))
    second = S.OneCycleLR(0.3, 12)
    groups = [{"params": [network.a], "lr": S.to_cell(TRAINED, BASE)},
              {"params": [network.b], "lr": S.to_cell(second, BASE)}]
    trainer = model(network, nn.SGD(groups, 0.1))
    moves = applied_rates(network, [], lambda callbacks: trainer.train(1, dataset(12), callbacks=callbacks))
    np.testing.assert_allclose(moves, np.stack([S.values(TRAINED, BASE, 12), S.values(second, BASE, 12)], 1),
                               rtol=ROUNDING)


@pytest.mark.parametrize("optimizer", [nn.Momentum, nn.Adam])
def test_trains_like_a_list_of_the_same_float32_values(mode: str, optimizer: Any) -> None:
    """A StepLR by powers of two is exact in float32, so the weights must be bit-identical."""
    schedule = S.StepLR(4, 0.5)
    networks = [Regression(), Regression()]
    for network, rate in zip(networks, [S.to_cell(schedule, 0.125), S.to_list(schedule, 0.125, 21)]):
        more = {"momentum": 0.9} if optimizer is nn.Momentum else {}
        model(network, optimizer(network.trainable_params(), rate, **more)).train(1, dataset(20))
    assert_same_weights(*networks)
