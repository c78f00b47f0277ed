"""The range test: what it finds, and that it leaves no trace."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterator

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops
from mindspore.train import Callback
from ranks import run_ranks
from train_cells import AccumulatingTrainCell, NotCountingSGD
from training import ConstantGradient, Regression, assert_same_weights, dataset, model, weights

from ms_lr_callbacks import LRFinder, LRMonitor, LRScheduler, find_lr, get_last_lr, get_lr
from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.callbacks.range_test import RangeTest
from ms_lr_callbacks.optimizers import access_to


class Bowl(nn.Cell):  # type: ignore[misc]
    """Loss = curvature / 2 * |w|^2: gradient descent needs one step with a rate of 1 / curvature."""

    def __init__(self, curvature: float) -> None:
        super().__init__()
        self.w = Parameter(Tensor(np.full(3, 2.0, np.float32)), name="w")
        self.curvature = curvature

    def construct(self, x: Any, y: Any) -> Any:
        return 0.5 * self.curvature * ops.square(self.w).sum() + 0.0 * x.sum()


def momentum(network: Any) -> Any:
    return nn.Momentum(network.trainable_params(), 0.05, 0.9, weight_decay=1e-3)


def grouped(network: Any) -> Any:
    return nn.Momentum([{"params": network.body.trainable_params(), "lr": 0.02},
                        {"params": network.head.trainable_params(), "lr": 0.1}], 0.05, 0.9)


def adam(network: Any) -> Any:
    return nn.Adam(network.trainable_params(), 0.05)


def not_counting(network: Any) -> Any:
    return NotCountingSGD(network.trainable_params(), 0.05)


BUILDERS: list[Callable[[Any], Any]] = [momentum, grouped, adam, not_counting]


@pytest.mark.parametrize("curvature", [0.1, 1.0, 40.0])
def test_suggestion_on_a_bowl_is_the_best_rate(mode: str, curvature: float) -> None:
    network = Bowl(curvature)
    result = find_lr(model(network, nn.SGD(network.trainable_params(), 0.1)), dataset(10), 1e-5, 1e3, 100)
    best = 1 / curvature
    assert result.suggestion is not None and best / 1.5 < result.suggestion < best * 1.5
    # It ends behind 2 / curvature, where gradient descent begins to diverge.
    assert result.diverged and 2 * best < result.rates[-1] < 1e3


class TestNoTrace:
    @pytest.mark.parametrize("build", BUILDERS)
    def test_state_is_bit_identical(self, mode: str, build: Any) -> None:
        network = Regression()
        optimizer = build(network)
        trained = model(network, optimizer)
        trained.train(1, dataset(5))
        before, rates, last = weights(trained.train_network), get_lr(optimizer), get_last_lr(optimizer)
        progress = dict(vars(access_to(optimizer).progress))
        find_lr(trained, dataset(5), 1e-4, 10.0, 12)
        after = weights(trained.train_network)
        assert before.keys() == after.keys()
        assert all(before[name].tobytes() == after[name].tobytes() for name in before)
        assert (get_lr(optimizer), get_last_lr(optimizer)) == (rates, last)
        assert dict(vars(access_to(optimizer).progress)) == progress

    @pytest.mark.parametrize("build", BUILDERS)
    @pytest.mark.parametrize("interrupted, trained_before", [(False, False), (True, True)])
    def test_a_training_afterwards_is_that_without(self, mode: str, build: Any, interrupted: bool,
                                                   trained_before: bool) -> None:
        networks = []
        for with_test in (False, True):
            network = Regression()
            optimizer = build(network)
            trained = model(network, optimizer)
            scheduler = LRScheduler(S.CosineAnnealingLR(20))
            if trained_before:
                trained.train(1, dataset(5), [scheduler])
            if with_test and interrupted:
                with pytest.raises(KeyboardInterrupt):
                    trained.train(3, dataset(5), [LRFinder(1e-4, 10.0, 12), DieAt(7)])
            elif with_test:
                find_lr(trained, dataset(5), 1e-4, 10.0, 12)
            trained.train(2, dataset(5), [scheduler])
            networks.append((network, optimizer))
        assert_same_weights(networks[0][0], networks[1][0])
        assert_same_weights(networks[0][1], networks[1][1])

    def test_a_schedule_starts_where_it_would(self, mode: str) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        trained = model(network, optimizer)
        find_lr(trained, dataset(5), 1e-4, 1.0, 10)
        monitor = LRMonitor()
        trained.train(1, dataset(5), [LRScheduler(S.ExponentialLR(0.5)), monitor])
        assert monitor.history["lr"].values.tolist() == [0.5, 0.25, 0.125, 0.0625, 0.03125]
        assert monitor.history["lr"].steps.tolist() == [1, 2, 3, 4, 5]

    def test_loss_scale_and_train_flags(self) -> None:
        network = Regression()
        manager = ms.FixedLossScaleManager(64.0, False)
        optimizer = nn.Momentum(network.trainable_params(), 0.05, 0.9, loss_scale=64.0)
        trained = model(network, optimizer, loss_scale_manager=manager)
        network.set_train(False)
        find_lr(trained, dataset(5), 1e-4, 1.0, 5)
        assert manager.get_loss_scale() == 64.0 and not network.training

    def test_dynamic_rates_are_refused_and_nothing_changes(self) -> None:
        network = Regression()
        optimizer = nn.SGD(network.trainable_params(), [0.1] * 10)
        before = weights(optimizer)
        with pytest.raises(ValueError, match="A range test drives static .* this SGD was built with a list; build the"):
            find_lr(model(network, optimizer), dataset(5))
        after = weights(optimizer)
        assert all(before[name].tobytes() == after[name].tobytes() for name in before)


class DieAt(Callback):  # type: ignore[misc]
    def __init__(self, step: int) -> None:
        super().__init__()
        self._step = step

    def on_train_step_end(self, run_context: Any) -> None:
        if run_context.original_args().cur_step_num == self._step:
            raise KeyboardInterrupt


def test_one_dynamic_group_among_static_ones_is_refused() -> None:
    network = Regression()
    groups = [{"params": network.body.trainable_params(), "lr": 0.1},
              {"params": network.head.trainable_params(), "lr": nn.CosineDecayLR(0.01, 0.1, 10)}]
    with pytest.raises(ValueError, match="A range test drives static .* group 1 was built with CosineDecayLR"):
        find_lr(model(network, nn.SGD(groups, 0.1)), dataset(5))


def test_ranks_end_at_the_same_step(tmp_path: Path) -> None:
    logs = run_ranks(Path(__file__).with_name("finder_ranks.py"), folder=tmp_path)
    results = {line.split(":", 1)[1] for line in logs.splitlines() if line.startswith("rank ")}
    assert len(results) == 1 and "True" in results.pop()
    assert "rank 0:" in logs and "rank 1:" in logs


class TestWhatIsMeasured:
    @pytest.mark.parametrize("spacing, rates", [("exp", np.geomspace(0.01, 1, 9)), ("linear", np.linspace(0.01, 1, 9))])
    def test_rates_and_losses(self, mode: str, spacing: str, rates: np.ndarray) -> None:
        network = Bowl(0.01)
        result = find_lr(model(network, nn.SGD(network.trainable_params(), 0.1)), dataset(4), 0.01, 1.0, 9, spacing)
        np.testing.assert_allclose(result.rates, rates)
        w, losses = 2.0, []
        for rate in rates:
            losses.append(0.005 * 3 * w ** 2)
            w -= rate * 0.01 * w
        np.testing.assert_allclose(result.losses, losses, rtol=1e-5)
        assert not result.diverged and result.smoothed.shape == (9,)

    def test_groups_keep_their_ratio(self, mode: str) -> None:
        network = ConstantGradient("abc")
        groups = [{"params": [network.a], "lr": 0.1}, {"params": [network.b], "lr": 0.4}, {"params": [network.c]}]
        monitor = LRMonitor()
        finder = LRFinder(0.01, 1.0, 5)
        model(network, nn.SGD(groups, 0.2)).train(1, dataset(9), [finder, monitor])
        assert finder.result is not None
        for group, ratio in enumerate((0.25, 1.0, 0.5)):
            np.testing.assert_array_equal(monitor.history[f"lr/group_{group}"].values,
                                          (finder.result.rates * ratio).astype(np.float32))

    def test_accumulated_gradients_count_updates(self) -> None:
        network = Bowl(1.0)
        cell = AccumulatingTrainCell(network, nn.SGD(network.trainable_params(), 0.1), every=3)
        result = find_lr(model(cell, None), dataset(4), 1e-4, 1e-2, 6)
        assert len(result.rates) == 6

    def test_a_loss_that_is_not_finite_ends_it(self, mode: str) -> None:
        class Breaks(nn.Cell):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.w = Parameter(Tensor(np.ones(1, np.float32)), name="w")

            def construct(self, x: Any, y: Any) -> Any:
                return ops.log(self.w).sum() + 0.0 * x.sum()

        network = Breaks()
        before = network.w.asnumpy().copy()
        result = find_lr(model(network, nn.SGD(network.trainable_params(), 0.1)), dataset(5), 0.1, 10.0, 20)
        assert result.diverged and not np.isfinite(result.losses[-1]) and np.isfinite(result.losses[:-1]).all()
        assert np.isnan(result.smoothed[-1]) and network.w.asnumpy() == before

    def test_a_loss_that_is_nan_from_the_start(self, mode: str, tmp_path: Path) -> None:
        network = Bowl(float("nan"))
        result = find_lr(model(network, nn.SGD(network.trainable_params(), 0.1)), dataset(5), 0.1, 10.0, 20)
        assert result.diverged and result.suggestion is None and len(result.losses) == 1
        assert network.w.asnumpy().tolist() == [2.0, 2.0, 2.0]
        assert result.plot(tmp_path / "nan.png").exists()

    def test_negative_losses(self) -> None:
        network = ConstantGradient(start=-1.0)
        result = find_lr(model(network, nn.SGD(network.trainable_params(), 0.1)), dataset(5), 1e-3, 1.0, 30)
        assert len(result.losses) == 30 and result.suggestion == pytest.approx(1.0, rel=0.5)


@pytest.mark.parametrize("spacing", ["exp", "linear"])
def test_plot(spacing: str, tmp_path: Path) -> None:
    rates = np.geomspace(1e-3, 1, 30)
    losses = np.append(np.linspace(2, 1, 28), [50.0, np.inf])
    path = RangeTest(rates, losses, spacing, True).plot(tmp_path / "new" / "range.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="must end in .png"):
        RangeTest(rates, losses, spacing, True).plot(tmp_path / "range.pdf")


@pytest.mark.parametrize("arguments, words", [
    ({"start": 0.0}, "start must be a finite number > 0"), ({"start": float("nan")}, "start must be"),
    ({"end": 1e-8}, "end must be a finite number > start"), ({"end": float("inf")}, "end must be"),
    ({"steps": 2}, "steps must be a whole number >= 3"), ({"steps": 10.0}, "steps must be"),
    ({"start": "a"}, "start must be a finite number > 0, but got 'a'"), ({"end": None}, "end must be"),
    ({"explosion": "a"}, "explosion must be"), ({"mode": ["exp"]}, "mode must be"),
    ({"mode": "log"}, "mode must be 'exp' or 'linear'"), ({"explosion": 1.0}, "explosion must be a number > 1")])
def test_bad_arguments(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LRFinder(**arguments)


def test_whole_numbers_of_numpy() -> None:
    network = Bowl(1.0)
    trained = model(network, nn.SGD(network.trainable_params(), 0.1))
    assert len(find_lr(trained, dataset(5), np.float32(1e-4), np.float64(0.01), np.int64(5)).rates) == 5


def test_neither_model_nor_dataset() -> None:
    with pytest.raises(TypeError, match="model must be a mindspore.train.Model, but got Bowl"):
        find_lr(Bowl(1.0), dataset(5))
    network = Bowl(1.0)
    with pytest.raises(TypeError, match="dataset must be a dataset of mindspore.dataset.*list"):
        find_lr(model(network, nn.SGD(network.trainable_params(), 0.1)), [1, 2])


def test_an_exception_in_the_dataset_leaves_no_trace(mode: str) -> None:
    def rows() -> Iterator[Any]:
        for row in range(12):
            if row == 7:
                raise OSError("the data are gone")
            yield np.ones(3, np.float32), np.ones(1, np.float32)

    network = Regression()
    trained = model(network, momentum(network))
    trained.train(1, dataset(3))
    before = weights(trained.train_network)
    broken = ds.GeneratorDataset(rows, ["x", "y"], python_multiprocessing=False).batch(2)
    with pytest.raises(RuntimeError, match="the data are gone"):
        find_lr(trained, broken, 1e-4, 1.0, 10)
    after = weights(trained.train_network)
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)


def test_monitor_plot(tmp_path: Path) -> None:
    monitor = LRMonitor(group_names=["body", "head"])
    with pytest.raises(ValueError, match="nothing to draw"):
        monitor.plot(tmp_path / "run.png")
    network = Regression()
    model(network, grouped(network)).train(2, dataset(10), [monitor, LRScheduler(S.CosineAnnealingLR(20))])
    assert monitor.plot(tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
