"""What LRScheduler refuses: when, in which words, and before any weight is harmed."""
from __future__ import annotations

import math
import re
from typing import Any, Callable

import numpy as np
import pytest
from mindspore import nn
from mindspore.train import Callback
from train_cells import TrainCell, UserSGD, float32_values
from training import ConstantGradient, applied_rates, dataset, model, weights

from ms_lr_callbacks import LRScheduler, get_lr
from ms_lr_callbacks import schedules as S

COSINE = S.CosineAnnealingLR(T_max=10)


class Watch(Callback):
    """Counts the steps that began and keeps the weight as it was then."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self._network = network
        self.steps: list[dict[str, np.ndarray]] = []

    def on_train_step_end(self, run_context: Any) -> None:
        self.steps.append(weights(self._network))


def grouped(network: Any, first: Any = 0.3, second: Any = 0.7) -> Any:
    return UserSGD([{"params": [network.a], "lr": first}, {"params": [network.b], "lr": second}], 0.1)


def assert_refused(error: type[Exception], words: str, target: Any, network: Any, callbacks: Any) -> None:
    """Assert that training raises before its first step."""
    watch = Watch(network)
    with pytest.raises(error, match=words):
        target.train(1, dataset(2), [watch, *callbacks])
    assert not watch.steps


@pytest.mark.parametrize("rate, words", [
    ([0.1] * 5, "a list"),
    (np.full(5, 0.1, np.float32).tolist(), "a list"),
    (nn.CosineDecayLR(0.0, 0.1, 5), "CosineDecayLR"),
    (S.to_cell(COSINE, 0.1), "Schedule|Cell"),
], ids=["list", "list of float32", "cell", "cell of a schedule"])
class TestDynamicRate:
    def test_flat(self, rate: Any, words: str) -> None:
        network = ConstantGradient("ab")
        optimizer = UserSGD(network.trainable_params(), rate)
        assert_refused(ValueError, f"drives static learning rates, but this UserSGD was built with .*({words}).*float",
                       model(network, optimizer), network, [LRScheduler(COSINE)])

    def test_in_a_group(self, rate: Any, words: str) -> None:
        network = ConstantGradient("ab")
        assert_refused(ValueError, f"group 1 was built with .*({words}).*pass a float, or drop .*None",
                       model(network, grouped(network, second=rate)), network, [LRScheduler(COSINE)])

    def test_is_fine_in_a_group_that_is_left_alone(self, rate: Any, words: str) -> None:
        network = ConstantGradient("ab")
        optimizer = grouped(network, second=rate)
        moves = applied_rates(network, [LRScheduler([COSINE, None])],
                              lambda callbacks: model(network, optimizer).train(1, dataset(3), callbacks))
        np.testing.assert_array_equal(moves[:, 0], float32_values(COSINE, 0.3, 3))


class TestOptimizer:
    def test_none(self) -> None:
        network = ConstantGradient()
        assert_refused(ValueError, "No optimizer found.*Pass optimizer= to Model.*attribute of the train cell",
                       model(network, None), network, [LRScheduler(COSINE)])

    def test_two(self) -> None:
        network = ConstantGradient("ab")

        class TwoOptimizers(TrainCell):
            def __init__(self, network: Any) -> None:
                super().__init__(network, UserSGD([network.a], 0.1))
                self.second = nn.SGD([network.b], 0.1)

        assert_refused(ValueError, r"TwoOptimizers holds 2 optimizers \(UserSGD, SGD\).*which one is meant",
                       model(TwoOptimizers(network), None), network, [LRScheduler(COSINE)])


@pytest.mark.parametrize("schedules, groups", [([COSINE], 2), ([COSINE] * 3, 2), ([COSINE, None], 1)], ids=str)
def test_wrong_number_of_schedules(schedules: Any, groups: int) -> None:
    network = ConstantGradient("ab")
    optimizer = grouped(network) if groups == 2 else UserSGD(network.trainable_params(), 0.1)
    words = rf"LRScheduler got {len(schedules)} schedules?, but the optimizer has {groups} parameter group"
    assert_refused(ValueError, words,
                   model(network, optimizer), network, [LRScheduler(schedules)])


BAD_VALUES: list[tuple[Any, type[Exception], str]] = [
    (math.nan, ValueError, "gives nan .*at t=2.*finite"),
    (math.inf, ValueError, "gives inf .*at t=2.*finite"),
    (-math.inf, ValueError, "gives -inf .*at t=2.*finite"),
    (2.0 ** 128 - 2.0 ** 103, ValueError, "at t=2.*finite float32"),
    (1e39, ValueError, r"gives 1e\+39 .*at t=2.*finite float32"),
    (-1e-9, ValueError, "gives -1e-09 .*at t=2.*>= 0"),
    ("0.1", TypeError, "returns a str at t=2.*float"),
    (None, TypeError, "returns a NoneType at t=2.*float"),
    (True, TypeError, "returns a bool at t=2.*float"),
    (np.ones(2), TypeError, "returns a ndarray at t=2.*float"),
    (ZeroDivisionError("mine"), ZeroDivisionError, "mine"),
]
bad_values = pytest.mark.parametrize("bad, error, words", BAD_VALUES,
                                     ids=lambda each: "" if callable(each) else str(each))


def bad_from(bad: Any, first: int) -> Callable[[int, float], Any]:
    """A schedule whose value is `bad`, or raises it, from t = `first` on."""
    def schedule(t: int, base: float) -> Any:
        if t < first:
            return base
        if isinstance(bad, Exception):
            raise bad
        return bad
    return schedule


@pytest.mark.parametrize("lookahead", [None, 4])
@bad_values
class TestBadValue:
    def test_raises_before_the_update_it_would_harm(self, bad: Any, error: type[Exception], words: str,
                                                    lookahead: Any) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        watch = Watch(network)
        with pytest.raises(error, match=words):
            model(network, optimizer).train(2, dataset(3), [LRScheduler(bad_from(bad, 2), lookahead=lookahead), watch])
        assert len(watch.steps) == 2
        np.testing.assert_array_equal(network.w.asnumpy(), np.float32([-1.0]))

    def test_behind_the_end_of_the_run_raises_nothing(self, bad: Any, error: type[Exception], words: str,
                                                      lookahead: Any) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        model(network, optimizer).train(1, dataset(2), LRScheduler(bad_from(bad, 2), lookahead=lookahead))
        np.testing.assert_array_equal(network.w.asnumpy(), np.float32([-1.0]))


@bad_values
def test_bad_value_of_an_epoch(bad: Any, error: type[Exception], words: str) -> None:
    network = ConstantGradient()
    callback = LRScheduler(bad_from(bad, 2), interval="epoch")
    watch = Watch(network)
    with pytest.raises(error, match=words):
        model(network, nn.SGD(network.trainable_params(), 0.5)).train(4, dataset(2), [callback, watch])
    assert len(watch.steps) == 4
    np.testing.assert_array_equal(network.w.asnumpy(), np.float32([-2.0]))
    # Two epochs do not need it.
    other = ConstantGradient()
    callback = LRScheduler(bad_from(bad, 2), interval="epoch")
    model(other, nn.SGD(other.trainable_params(), 0.5)).train(2, dataset(2), callback)


def test_the_message_names_the_group(mode: str) -> None:
    network = ConstantGradient("ab")
    assert_refused(ValueError, "gives nan for group 1 at t=0 with base 0.7", model(network, grouped(network)), network,
                   [LRScheduler([COSINE, bad_from(math.nan, 0)])])


class TestTwoSchedulers:
    def test_of_one_group(self) -> None:
        network = ConstantGradient("ab")
        assert_refused(ValueError, "both drive the lr of group 0.*ChainedScheduler or SequentialLR",
                       model(network, grouped(network)), network, [LRScheduler(COSINE), LRScheduler([COSINE, None])])

    def test_the_first_lets_go_again(self) -> None:
        """The refused training leaves an optimizer that can be trained."""
        network = ConstantGradient("ab")
        optimizer = grouped(network)
        target = model(network, optimizer)
        assert_refused(ValueError, "both drive", target, network, [LRScheduler(COSINE), LRScheduler(COSINE)])
        moves = applied_rates(network, [LRScheduler(COSINE)],
                              lambda callbacks: target.train(1, dataset(3), callbacks))
        np.testing.assert_array_equal(moves[:, 1], float32_values(COSINE, 0.7, 3))


@pytest.mark.parametrize("arguments, error, words", [
    ({"schedule": 0.1}, TypeError, "LRScheduler takes a schedule.*got float 0.1"),
    ({"schedule": None}, TypeError, "takes a schedule.*got NoneType None"),
    ({"schedule": [COSINE, "cosine"]}, TypeError, "got str 'cosine'"),
    ({"schedule": [None, None]}, ValueError, "drives no group"),
    ({"schedule": []}, ValueError, "drives no group"),
    ({"schedule": S.StepLR}, TypeError, r"LRScheduler got the class StepLR; write StepLR\(...\) with its arguments"),
    ({"schedule": lambda epoch: 0.5 ** epoch}, TypeError,
     r"takes a callable f\(t, base\) -> float, but <lambda> takes other arguments; .*write LambdaLR\(...\)"),
    ({"schedule": [COSINE, lambda: 0.1]}, TypeError, r"takes a callable f\(t, base\) -> float, but <lambda>"),
    ({"schedule": nn.CosineDecayLR(0.0, 0.1, 10)}, TypeError,
     "LRScheduler got the MindSpore cell CosineDecayLR, which is for the optimizer's constructor"),
    ({"schedule": COSINE, "interval": "batch"}, ValueError, "interval must be 'step' or 'epoch', but got 'batch'"),
    ({"schedule": COSINE, "start_step": -1}, ValueError, "start_step must be a whole number >= 0.*got -1"),
    ({"schedule": COSINE, "start_step": 1.5}, ValueError, "start_step must be a whole number >= 0.*got 1.5"),
    ({"schedule": COSINE, "start_step": True}, ValueError, "start_step .*got True"),
    ({"schedule": COSINE, "lookahead": 0}, ValueError, "lookahead must be a whole number >= 1.*got 0"),
    ({"schedule": COSINE, "interval": "epoch", "lookahead": 4}, ValueError, "lookahead=4 has no effect with .*epoch"),
], ids=lambda value: re.sub(r" at 0x\w+", "", str(value)))  # each process of the tests has to give the same
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        LRScheduler(**arguments)


class Interrupt(Callback):
    """Raises at the end of step number `after`."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._after = after

    def on_train_step_end(self, run_context: Any) -> None:
        if run_context.original_args().cur_step_num == self._after:
            raise KeyboardInterrupt


@pytest.mark.parametrize("lookahead", [None, 4])
@pytest.mark.parametrize("is_grouped", [False, True], ids=["flat", "grouped"])
def test_a_training_that_dies_leaves_an_ordinary_optimizer(mode: str, is_grouped: bool, lookahead: Any) -> None:
    network = ConstantGradient("ab")
    optimizer = grouped(network) if is_grouped else UserSGD(network.trainable_params(), 0.3)
    attributes = {name: getattr(optimizer, name) for name in ("learning_rate", "is_group_lr", "dynamic_lr")}
    halving = LRScheduler(lambda t, base: base * 0.5 ** t, lookahead=lookahead)
    with pytest.raises(KeyboardInterrupt):
        model(network, optimizer).train(1, dataset(6), [halving, Interrupt(after=2)])
    for name, value in attributes.items():
        assert getattr(optimizer, name) is value
    # Without the callback the rate stays where the training left it; the user may set it again.
    left = np.array(get_lr(optimizer), np.float32)
    moves = applied_rates(network, [], lambda callbacks: model(network, optimizer).train(1, dataset(2), callbacks))
    np.testing.assert_array_equal(moves[:, 0], [left[0], left[0]])
    np.testing.assert_array_equal(moves[:, 1], [left[-1], left[-1]])


def test_bad_value_leaves_an_ordinary_optimizer(mode: str) -> None:
    network = ConstantGradient("ab")
    optimizer = grouped(network)
    attributes = {name: getattr(optimizer, name) for name in ("learning_rate", "is_group_lr", "dynamic_lr")}
    with pytest.raises(ValueError, match="nan"):
        model(network, optimizer).train(1, dataset(4), LRScheduler(bad_from(math.nan, 2)))
    for name, value in attributes.items():
        assert getattr(optimizer, name) is value


@pytest.mark.parametrize("state", [{}, {"offset": "3"}, {"offset": float("nan")}, {"offset": True}], ids=str)
def test_a_state_that_is_none(state: dict[str, Any]) -> None:
    scheduler = LRScheduler(S.StepLR(2))
    with pytest.raises(ValueError, match="'offset' in the state of LRScheduler must be a whole number or None"):
        scheduler.load_state_dict(state)
    assert scheduler.state_dict() == {"offset": None}
