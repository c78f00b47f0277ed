"""Weight decay, momentum and betas while training: what the updates really did."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops
from mindspore.train import Callback, Model
from own_optimizers import DirectDecay, FloatDecay
from train_cells import AccumulatingTrainCell, TrainCell
from training import ConstantGradient, Regression, assert_same_weights, dataset, model, weights

from ms_lr_callbacks import HyperparameterScheduler, LRScheduler, WeightDecayScheduler, hyperparameters, one_cycle
from ms_lr_callbacks import schedules as S
from ms_lr_callbacks.optimizers import find_optimizer
from ms_lr_callbacks.optimizers.internals import jit_graph_keys

HALF = np.float32(0.5)


class Decayed(Callback):
    """Notes the decay that each update applied: with lr 1 and no gradient a weight of 1 loses exactly it."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self._network = network
        self.seen: list[list[float]] = []

    def on_train_step_begin(self, run_context: Any) -> None:
        for weight in self._network.weights:
            ops.assign(weight, Tensor(np.ones(1, np.float32)))

    def on_train_step_end(self, run_context: Any) -> None:
        self.seen.append([1.0 - float(weight.asnumpy()[0]) for weight in self._network.weights])


class NoGradient(ConstantGradient):
    """Its loss depends on its weights with a gradient of exactly 0."""

    def construct(self, x: Any, y: Any) -> Any:
        total = x.sum() * 0.0
        for weight in self.weights:
            total = total + weight.sum() * 0.0
        return total


def _decays(network: Any, optimizer: Any, callbacks: list[Any], steps: int = 4, epochs: int = 1,
            wrap: Callable[..., Any] = model) -> np.ndarray:
    recorder = Decayed(network)
    wrap(network, optimizer).train(epochs, dataset(steps), callbacks=[*callbacks, recorder])
    return np.array(recorder.seen, np.float32)


def _eighths(t: int, base: float) -> float:
    return (t + 1) / 8


class TestWeightDecay:
    @pytest.mark.parametrize("optimizer", [
        lambda params: nn.SGD(params, 1.0), lambda params: nn.Momentum(params, 1.0, 0.0),
        lambda params: DirectDecay(params, 1.0), lambda params: FloatDecay(params, 1.0, 0.0, 0.0)],
        ids=["SGD", "Momentum", "reads self.weight_decay", "keeps a float"])
    def test_starts_from_a_base_of_zero(self, optimizer: Any, mode: str) -> None:
        network = NoGradient()
        applied = _decays(network, optimizer(network.trainable_params()), [WeightDecayScheduler(_eighths)])
        np.testing.assert_array_equal(applied[:, 0], [0.125, 0.25, 0.375, 0.5])

    @pytest.mark.parametrize("kind", [nn.SGD, DirectDecay])
    def test_each_group_by_its_own_schedule(self, kind: Any, mode: str) -> None:
        network = NoGradient(["a", "b", "c"])
        groups = [{"params": [network.c], "weight_decay": 0.25}, {"params": [network.a], "weight_decay": 0.0},
                  {"params": [network.b], "weight_decay": 0.5}, {"order_params": network.trainable_params()}]
        optimizer = kind(groups, 1.0)
        applied = _decays(network, optimizer, [
            WeightDecayScheduler([lambda t, base: base * 2 ** t / 4, _eighths, None])], steps=3)
        np.testing.assert_array_equal(applied, [[0.125, 0.5, 0.0625], [0.25, 0.5, 0.125], [0.375, 0.5, 0.25]])

    def test_one_schedule_multiplies_every_groups_base(self, mode: str) -> None:
        network = NoGradient(["a", "b"])
        groups = [{"params": [network.a], "weight_decay": 0.25}, {"params": [network.b]}]
        optimizer = nn.SGD(groups, 1.0, weight_decay=0.5)
        applied = _decays(network, optimizer, [WeightDecayScheduler(S.ExponentialLR(0.5))], steps=2)
        np.testing.assert_array_equal(applied, [[0.25, 0.5], [0.125, 0.25]])

    def test_by_epoch(self, mode: str) -> None:
        network = NoGradient()
        applied = _decays(network, nn.SGD(network.trainable_params(), 1.0),
                          [WeightDecayScheduler(_eighths, interval="epoch")], steps=2, epochs=2)
        np.testing.assert_array_equal(applied[:, 0], [0.125, 0.125, 0.25, 0.25])

    @pytest.mark.parametrize("kind", [nn.SGD, DirectDecay])
    def test_loss_scale_is_our_business(self, kind: Any, mode: str) -> None:
        # MindSpore keeps decay * loss_scale and divides the decayed gradient by the scale.
        network = Regression()
        twin = Regression()
        value = 0.3
        ours = nn.Momentum(network.trainable_params(), 0.1, 0.9, weight_decay=0.1, loss_scale=1024.0)
        built_with_it = nn.Momentum(twin.trainable_params(), 0.1, 0.9, weight_decay=value, loss_scale=1024.0)
        model(network, ours).train(1, dataset(4), callbacks=[WeightDecayScheduler(lambda t, base: value)])
        model(twin, built_with_it).train(1, dataset(4))
        assert_same_weights(network, twin)
        assert hyperparameters(ours)["weight_decay"].values == pytest.approx((value,))
        assert hyperparameters(ours)["weight_decay"].bases == (0.1,)

    def test_exempt_parameters_stay_exempt(self, mode: str) -> None:
        network = NoGradient(["w", "norm_gamma", "norm_beta"])
        optimizer = nn.SGD(network.trainable_params(), 1.0)
        applied = _decays(network, optimizer, [WeightDecayScheduler(lambda t, base: 0.5)], steps=2)
        np.testing.assert_array_equal(applied, [[0.5, 0.0, 0.0]] * 2)

    def test_frozen_parameters_stay_as_they_are(self, mode: str) -> None:
        network = Regression()
        network.body.weight.requires_grad = False
        before = weights(network)
        optimizer = nn.Momentum(network.trainable_params(), 0.1, 0.9)
        model(network, optimizer).train(1, dataset(3), callbacks=[WeightDecayScheduler(lambda t, base: 0.5)])
        after = weights(network)
        assert np.array_equal(before["body.weight"], after["body.weight"])
        assert not np.array_equal(before["head.weight"], after["head.weight"])

    @pytest.mark.parametrize("arguments", [{}, {"scale_parameter": False}, {"beta1": None}])
    def test_adafactor_too_starts_from_a_base_of_zero(self, arguments: Any, mode: str) -> None:
        # Its operator is built for a weight decay or without one.
        def build(network: Any, **more: Any) -> Any:
            return nn.AdaFactor(network.trainable_params(), 0.05, relative_step=False, **arguments, **more)

        network, twin = Regression(), Regression()
        ours = model(network, build(network))
        ours.train(1, dataset(3), callbacks=[WeightDecayScheduler(lambda t, base: base + 0.3)])
        built_with_it = model(twin, build(twin, weight_decay=0.3))
        built_with_it.train(1, dataset(3))
        assert_same_weights(network, twin)
        for each in (ours, built_with_it):  # and afterwards, without the callback
            each.train(1, dataset(2))
        assert_same_weights(network, twin)

    def test_adafactors_base_is_the_one_it_uses(self) -> None:
        # It takes a weight decay for a group and never looks at it.
        network = Regression()
        optimizer = nn.AdaFactor([{"params": network.trainable_params(), "weight_decay": 0.5}], 0.05,
                                 relative_step=False, weight_decay=0.25)
        assert hyperparameters(optimizer)["weight_decay"].bases == (0.25,)

    def test_decay_given_as_a_cell_is_refused(self) -> None:
        class Decay(nn.Cell):
            def construct(self, step: Any) -> Any:
                return ops.ones_like(step) * 0.1

        network = Regression()
        optimizer = nn.Momentum(network.trainable_params(), 0.1, 0.9, weight_decay=Decay())
        with pytest.raises(ValueError, match="weight decay of group 0 was given as a cell"):
            model(network, optimizer).train(1, dataset(2), callbacks=[WeightDecayScheduler(_eighths)])

    @pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
    def test_invalid_values_are_refused_before_they_harm(self, value: float) -> None:
        network = Regression()
        before = weights(network)
        optimizer = nn.Momentum(network.trainable_params(), 0.1, 0.9)
        with pytest.raises(ValueError, match="a weight decay must be a finite float32 >= 0"):
            model(network, optimizer).train(1, dataset(2), callbacks=[WeightDecayScheduler(lambda t, base: value)])
        assert all(np.array_equal(before[name], each) for name, each in weights(network).items())


class TestRuns:
    def test_model_that_was_trained_before(self, mode: str) -> None:
        network = NoGradient()
        optimizer = nn.SGD(network.trainable_params(), 1.0, weight_decay=0.5)
        trained = model(network, optimizer)
        before, during, after = Decayed(network), Decayed(network), Decayed(network)
        trained.train(1, dataset(2), callbacks=[before])
        trained.train(1, dataset(2), callbacks=[WeightDecayScheduler(_eighths, start_step=0), during])
        trained.train(1, dataset(2), callbacks=[after])
        np.testing.assert_array_equal([before.seen, during.seen, after.seen],
                                      [[[0.5], [0.5]], [[0.125], [0.25]], [[0.375], [0.375]]])

    def test_goes_on_in_a_second_training_without_compiling_again(self, mode: str) -> None:
        network = NoGradient()
        optimizer = nn.SGD(network.trainable_params(), 1.0)
        trained = model(network, optimizer)
        callback, recorder = WeightDecayScheduler(_eighths), Decayed(network)
        stamps = []
        for _ in range(3):
            trained.train(1, dataset(2), callbacks=[callback, recorder])
            stamps.append((optimizer.create_time, trained.train_network.create_time))
        np.testing.assert_array_equal(np.array(recorder.seen)[:, 0], [0.125, 0.25, 0.375, 0.5, 0.625, 0.75])
        assert len(set(stamps)) == 1

    def test_a_stale_graph_under_the_identity_of_a_new_cell_compiles_nothing_again(self, mode: str) -> None:
        # Python gives the address of a cell that is gone to a new one; MindSpore's keys hold addresses.
        network = NoGradient()
        optimizer = nn.SGD(network.trainable_params(), 1.0)
        trained = model(network, optimizer)
        callback = WeightDecayScheduler(_eighths)
        keys = jit_graph_keys()
        assert keys is not None

        class OldKeys(Callback):  # type: ignore[misc]
            def on_train_begin(self, run_context: Any) -> None:
                keys.update(f"stale.{id(cell)}." for _, cell in optimizer.cells_and_names())

        before = set(keys)
        stamps = []
        for _ in range(2):
            trained.train(1, dataset(2), callbacks=[callback, OldKeys()])
            stamps.append((optimizer.create_time, trained.train_network.create_time))
        stale = {key for key in keys if key.startswith("stale.")} - before
        keys.difference_update(stale)
        assert len(stale) > 1, "the optimizer had a cell of ours"
        assert len(set(stamps)) == 1

    def test_another_model_around_the_same_optimizer_between_two_trainings(self, mode: str) -> None:
        network = NoGradient()
        optimizer = nn.SGD(network.trainable_params(), 1.0)
        callback = HyperparameterScheduler("weight_decay", _eighths)
        first, second = Decayed(network), Decayed(network)
        model(network, optimizer).train(1, dataset(2), callbacks=[callback])
        other = model(network, optimizer)
        other.train(1, dataset(2), callbacks=[first])  # compiled without the callback
        other.train(1, dataset(2), callbacks=[callback, second])
        np.testing.assert_array_equal(np.array(first.seen)[:, 0], [0.375, 0.375])
        np.testing.assert_array_equal(np.array(second.seen)[:, 0], [0.625, 0.75])

    def test_optimizer_is_an_ordinary_one_afterwards(self, mode: str, tmp_path: Path) -> None:
        network = Regression()
        optimizer = nn.Adam(network.trainable_params(), 0.1, weight_decay=0.1)
        kinds = {name: type(getattr(optimizer, name)) for name in ("weight_decay", "beta1", "learning_rate")}
        names = [parameter.name for parameter in optimizer.get_parameters()]
        callbacks = [WeightDecayScheduler(_eighths), HyperparameterScheduler("beta1", lambda t, base: base / 2),
                     LRScheduler(S.ConstantLR(0.5, 2))]
        model(network, optimizer).train(1, dataset(3), callbacks=callbacks)
        assert {name: type(getattr(optimizer, name)) for name in kinds} == kinds
        assert sorted(parameter.name for parameter in optimizer.get_parameters()) == sorted(names)
        ms.save_checkpoint(optimizer, str(tmp_path / "opt.ckpt"))
        fresh = nn.Adam(Regression().trainable_params(), 0.1, weight_decay=0.1)
        missing, _ = ms.load_param_into_net(fresh, ms.load_checkpoint(str(tmp_path / "opt.ckpt")), strict_load=True)
        assert missing == []

    def test_callbacks_for_different_hyperparameters_of_one_optimizer(self, mode: str) -> None:
        network, twin = Regression(), Regression()
        ours = nn.Momentum(network.trainable_params(), 0.1, 0.9, weight_decay=0.1)
        built_with_them = nn.Momentum(twin.trainable_params(), 0.05, 0.5, weight_decay=0.3)
        model(network, ours).train(1, dataset(4), callbacks=[
            HyperparameterScheduler("momentum", lambda t, base: 0.5), WeightDecayScheduler(lambda t, base: 0.3),
            LRScheduler(lambda t, base: 0.05)])
        model(twin, built_with_them).train(1, dataset(4))
        assert_same_weights(network, twin)

    def test_two_callbacks_for_one_hyperparameter_are_refused(self) -> None:
        network = Regression()
        optimizer = nn.Momentum(network.trainable_params(), 0.1, 0.9)
        with pytest.raises(ValueError, match="HyperparameterScheduler and WeightDecayScheduler both drive the weight"):
            model(network, optimizer).train(1, dataset(2), callbacks=[
                HyperparameterScheduler("weight_decay", _eighths), WeightDecayScheduler(_eighths)])

    def test_two_names_of_one_hyperparameter_are_one(self) -> None:
        network = Regression()
        with pytest.raises(ValueError, match="both drive the eps of group 0"):
            model(network, nn.Adam(network.trainable_params(), 0.1)).train(1, dataset(2), callbacks=[
                HyperparameterScheduler("epsilon", _eighths), HyperparameterScheduler("eps", _eighths)])

    def test_dies_by_an_exception_and_leaves_an_ordinary_optimizer(self, mode: str) -> None:
        class Dies(Callback):
            def on_train_step_end(self, run_context: Any) -> None:
                raise RuntimeError("it dies")

        network = Regression()
        optimizer = nn.Adam(network.trainable_params(), 0.1)
        with pytest.raises(RuntimeError, match="it dies"):
            model(network, optimizer).train(1, dataset(3), callbacks=[
                WeightDecayScheduler(_eighths), HyperparameterScheduler("beta2", lambda t, base: base), Dies()])
        assert not isinstance(optimizer.weight_decay, nn.Cell) and not isinstance(optimizer.beta2, Parameter)


class TestOneValueForAll:
    def test_adam_with_a_changing_beta_keeps_the_exact_bias_correction(self, mode: str) -> None:
        network = Regression()
        optimizer = nn.Adam(network.trainable_params(), 0.05)
        betas = [0.9, 0.8, 0.5, 0.7, 0.95]
        seen: list[Any] = []

        class Gradients(Callback):
            def on_train_step_end(self, run_context: Any) -> None:
                seen.append((float(optimizer.beta1_power.asnumpy()), weights(network)["head.bias"].copy(),
                             optimizer.moment1[3].asnumpy().copy(), optimizer.moment2[3].asnumpy().copy()))

        start = weights(network)["head.bias"].astype(np.float64)
        model(network, optimizer).train(1, dataset(5), callbacks=[
            HyperparameterScheduler("beta1", lambda t, base: betas[t]), Gradients()])
        # Reference: the gradient is recovered from the second moment's recursion, the rest is the update rule.
        names = [parameter.name for parameter in optimizer.parameters]
        assert names[3] == "head.bias"
        product, moment1, moment2, weight = 1.0, 0.0, 0.0, start
        for t, (power, applied, first, second) in enumerate(seen):
            square = (second - 0.999 * moment2) / 0.001
            product *= betas[t]
            gradient = (first - betas[t] * moment1) / (1 - betas[t])
            np.testing.assert_allclose(gradient ** 2, square, rtol=2e-3)
            step = 0.05 * np.sqrt(1 - 0.999 ** (t + 1)) / (1 - product)
            weight = weight - step * first / (np.sqrt(second) + 1e-8)
            np.testing.assert_allclose(applied, weight, rtol=1e-5)
            assert power == pytest.approx(product, rel=1e-6)
            moment1, moment2 = first, second

    def test_user_written_optimizer_shows_its_numbers(self, mode: str) -> None:
        network, twin = Regression(), Regression()
        ours = FloatDecay(network.trainable_params(), 0.1, decay=0.1, damping=0.5)
        assert {"lr", "weight_decay", "damping"} == set(hyperparameters(ours))
        model(network, ours).train(1, dataset(3), callbacks=[HyperparameterScheduler("damping", lambda t, base: 2.0)])
        model(twin, FloatDecay(twin.trainable_params(), 0.1, decay=0.1, damping=2.0)).train(1, dataset(3))
        for name, value in weights(twin).items():
            np.testing.assert_allclose(weights(network)[name], value, rtol=1e-6, err_msg=name)

    def test_different_schedules_for_one_momentum_are_refused(self) -> None:
        network = Regression()
        groups = [{"params": network.body.trainable_params()}, {"params": network.head.trainable_params(), "lr": 0.2}]
        optimizer = nn.Momentum(groups, 0.1, 0.9)
        with pytest.raises(ValueError, match="Momentum has one momentum for all its groups"):
            model(network, optimizer).train(1, dataset(2), callbacks=[
                HyperparameterScheduler("momentum", [S.StepLR(1), S.StepLR(2)])])

    def test_unknown_name_is_refused_with_those_that_exist(self) -> None:
        network = Regression()
        optimizer = nn.Momentum(network.trainable_params(), 0.1, 0.9)
        known = "no hyperparameter 'beta3'; it can change 'lr', 'weight_decay', 'momentum'"
        with pytest.raises(ValueError, match=known):
            model(network, optimizer).train(1, dataset(2), callbacks=[HyperparameterScheduler("beta3", S.StepLR(1))])

    @pytest.mark.parametrize("name", ["lr", "learning_rate"])
    def test_learning_rate_has_its_own_callback(self, name: str) -> None:
        with pytest.raises(ValueError, match="use LRScheduler"):
            HyperparameterScheduler(name, S.StepLR(1))

    # The last two are in range before they are rounded to a float32, which is 1 or 0.
    @pytest.mark.parametrize("name, value", [("beta1", 1.0), ("beta2", -0.1), ("eps", 0.0), ("epsilon", -1.0),
                                             ("beta1", 1 - 2.0 ** -25), ("eps", 2.0 ** -150)])
    def test_values_out_of_range_are_refused_before_the_update(self, name: str, value: float) -> None:
        network = Regression()
        optimizer = nn.Adam(network.trainable_params(), 0.1)
        with pytest.raises(ValueError, match=f"a {name} must be"):
            model(network, optimizer).train(1, dataset(3), callbacks=[
                HyperparameterScheduler(name, lambda t, base: value if t else base)])
        assert int(optimizer.global_step.asnumpy()[0]) == 1

    @pytest.mark.parametrize("name, value", [("beta1", 1 - 2.0 ** -24), ("eps", 2.0 ** -126)])
    def test_the_last_float32_in_range_is_accepted(self, name: str, value: float) -> None:
        network = Regression()
        optimizer = nn.Adam(network.trainable_params(), 0.1)
        model(network, optimizer).train(1, dataset(1), callbacks=[
            HyperparameterScheduler(name, lambda t, base: value)])
        assert hyperparameters(optimizer)[name].values == (value,)


class TestOneCycle:
    @pytest.mark.parametrize("build, name", [
        (lambda params: nn.Momentum(params, 0.1, 0.9), "momentum"), (lambda params: nn.Adam(params, 0.1), "beta1")])
    def test_rate_and_momentum_are_cycled_against_each_other(self, build: Any, name: str, mode: str) -> None:
        network, by_hand = Regression(), Regression()
        cycle = S.OneCycleLR(max_lr=0.2, total_steps=6, base_momentum=0.6, max_momentum=0.9)
        model(network, build(network.trainable_params())).train(1, dataset(6), callbacks=one_cycle(
            0.2, 6, base_momentum=0.6, max_momentum=0.9))
        model(by_hand, build(by_hand.trainable_params())).train(1, dataset(6), callbacks=[
            LRScheduler(lambda t, base: cycle(t, base)),
            HyperparameterScheduler(name, lambda t, base: cycle.momentum_schedule()(t, base))])
        assert_same_weights(network, by_hand)

    def test_without_momentum_it_is_one_callback(self) -> None:
        assert len(one_cycle(0.2, 6, cycle_momentum=False)) == 1


class TestWrappers:
    @pytest.mark.parametrize("wrap", [
        lambda network, optimizer: Model(nn.TrainOneStepCell(network, optimizer)),
        lambda network, optimizer: Model(TrainCell(network, optimizer)),
        lambda network, optimizer: model(network, optimizer, amp_level="O2", loss_scale_manager=None),
        lambda network, optimizer: model(network, optimizer, loss_scale_manager=ms.FixedLossScaleManager(
            1.0, drop_overflow_update=False)),
        lambda network, optimizer: model(network, optimizer, boost_level="O1", metrics={"loss"},
                                         eval_network=network, eval_indexes=[0, 0, 0])],
        ids=["TrainOneStepCell", "own cell", "amp O2", "fixed loss scale", "boost O1"])
    def test_optimizer_is_found_and_driven(self, wrap: Any, mode: str) -> None:
        network = NoGradient()
        optimizer = nn.SGD(network.trainable_params(), 1.0)
        applied = _decays(network, optimizer, [WeightDecayScheduler(_eighths)], wrap=wrap)
        np.testing.assert_array_equal(applied[:, 0], [0.125, 0.25, 0.375, 0.5])

    def test_accumulated_gradients_count_updates_not_calls(self, mode: str) -> None:
        network = NoGradient(start=1.0)
        optimizer = nn.SGD(network.trainable_params(), 1.0)
        applied = _decays(network, optimizer, [WeightDecayScheduler(_eighths)], steps=8,
                          wrap=lambda net, opt: Model(AccumulatingTrainCell(net, opt, every=2)))
        np.testing.assert_array_equal(applied[:, 0], [0, 0.125, 0, 0.25, 0, 0.375, 0, 0.5])

    def test_loss_scaling_cells_that_the_cpu_cannot_run(self) -> None:
        # The CPU backend has no overflow check: finding the optimizer is tested, the training was not run.
        network = Regression()
        optimizer = nn.SGD(network.trainable_params(), 1.0)
        assert find_optimizer(nn.TrainOneStepWithLossScaleCell(network, optimizer, Tensor(1024.0))) is optimizer
        with pytest.raises(ValueError, match="supported on device `CPU`"):
            model(network, optimizer, loss_scale_manager=ms.FixedLossScaleManager(1024.0, True))
