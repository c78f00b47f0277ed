"""What the migration guide says of MindSpore and torch beside its code: the table of constructors and the traps.

``tests/test_traps.py`` has those traps that the callbacks had to be built around.
"""
from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from typing import Any, Callable, Optional

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops
from mindspore.experimental import optim
from mindspore.train import Loss, Model
from migration_pages import DATA, optimizer_rows
from train_cells import TrainCell
from training import ConstantGradient, Record, Regression, dataset, model

from ms_lr_callbacks import get_lr, state_dict

TORCH = json.loads(DATA.read_text(encoding="utf-8"))["signatures"]
# In 2.7.0 and 2.7.1 a write that is not ordered behind the running step races with it.
RACES = ms.__version__ in ("2.7.0", "2.7.1")
NOTHING = (Tensor(np.zeros(1, np.float32)), Tensor(np.zeros(1, np.float32)))


def arguments(call: str) -> tuple[str, dict[str, Any]]:
    """Return name and keywords of a cell of the table, which is written as a call."""
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return node.func.id, {str(each.arg): ast.literal_eval(each.value) for each in node.keywords}


def defaults(module: Any, name: str) -> dict[str, Any]:
    """Return the defaults of a MindSpore optimizer; a decorator hides those of ``mindspore.nn``."""
    constructor = getattr(module, name).__init__
    behind: Callable[..., Any] = inspect.getclosurevars(constructor).nonlocals.get("fn", constructor)
    return {each.name: each.default for each in inspect.signature(behind).parameters.values()}


@pytest.mark.parametrize("column, module", [(0, None), (1, nn), (2, optim)], ids=["torch", "nn", "experimental"])
def test_the_signatures_are_those_of_both_frameworks(column: int, module: Optional[Any]) -> None:
    calls = [row[column] for row in optimizer_rows() if row[column]]
    assert len(calls) >= 7
    for name, shown in map(arguments, calls):
        real = TORCH[name] if module is None else defaults(module, name)
        assert shown == {each: tuple(real[each]) if isinstance(real[each], list) else real[each] for each in shown}


def pair() -> list[Any]:
    return [Parameter(Tensor(np.ones(1, np.float32)), name=name) for name in ("w", "norm.gamma")]


def move(optimizer: Any, gradients: Any = NOTHING, updates: int = 1) -> list[float]:
    """Return by how much each parameter went down."""
    before = [parameter.asnumpy().copy() for parameter in optimizer.parameters]
    for _ in range(updates):
        optimizer(gradients)
    return [float((old - parameter.asnumpy())[0]) for old, parameter in zip(before, optimizer.parameters)]


def trained_in_two_graphs(weight: Any) -> Any:
    """Return a weight after updates by separate graphs for gradients and step, which should take it to 0."""
    network = nn.Dense(3, 1, has_bias=False)
    network.weight.set_data(weight)
    optimizer = nn.SGD(network.trainable_params(), 0.5)

    def forward(x: Any) -> Any:
        return (network(x) ** 2).sum()

    gradients = ms.value_and_grad(forward, None, optimizer.parameters)
    for row in np.eye(3, dtype=np.float32).repeat(2, axis=0):
        optimizer(gradients(Tensor(row[None]))[1])
    return network.weight.asnumpy()


class TestConstructors:
    def test_a_generator_leaves_its_group_empty(self) -> None:
        network = Regression()
        lost = nn.SGD([{"params": network.body.get_parameters()}, {"params": network.head.trainable_params()}], 0.1)
        assert [each.name for each in lost.parameters] == ["head.weight", "head.bias"]
        assert len(optim.SGD([{"params": network.body.get_parameters()}], lr=0.1).parameters) == 2

    @pytest.mark.parametrize("given", [{"lr": 0.1}, {"betas": (0.9, 0.99)}])
    def test_adam_refuses_torchs_names(self, given: dict[str, Any]) -> None:
        with pytest.raises(KeyError):
            nn.Adam(pair(), **given)

    def test_keys_of_groups(self) -> None:
        with pytest.raises(KeyError, match="order_params.*grad_centralization"):
            nn.Momentum([{"params": pair(), "momentum": 0.5}], 0.1, 0.9)
        assert optim.SGD([{"params": pair(), "momemtum": 0.5}], lr=0.1, momentum=0.9).param_groups[0]["momentum"] == 0.9
        assert not hasattr(nn.Optimizer, "add_param_group")

    def test_numbers_that_are_refused(self) -> None:
        with pytest.raises(TypeError, match="float"):
            nn.Momentum(pair(), 0.1, 1)
        with pytest.raises(ValueError, match="eps"):
            nn.Adam(pair(), eps=0.0)
        assert np.float32(1e-60) == 0 and nn.Adam(pair(), eps=1e-60)

    def test_classes_that_are_refused(self) -> None:
        with pytest.raises(TypeError, match="SGD"):
            Model(Regression(), nn.MSELoss(), optim.SGD(pair(), lr=0.1))
        with pytest.raises(TypeError, match="not an Optimizer"):
            optim.lr_scheduler.StepLR(nn.SGD(pair(), 0.1), 30)
        with pytest.raises(TypeError, match="dynamic weight decay"):
            nn.SGD(pair(), 0.1, weight_decay=nn.ExponentialDecayLR(0.1, 0.9, 1))

    def test_running_statistics_are_parameters(self) -> None:
        norm = nn.BatchNorm1d(4)
        assert [each.name for each in norm.trainable_params()] == ["gamma", "beta"]
        assert len(list(norm.get_parameters())) == 4

    @pytest.mark.parametrize("columns, trains", [(15, True), (16, False)])
    def test_grad_centralization(self, columns: int, trains: bool) -> None:
        """It looks at the second dimension, and its operator is not there on the CPU."""
        weight = Parameter(Tensor(np.zeros((2, columns), np.float32)), name="w")
        optimizer = nn.SGD([{"params": [weight], "grad_centralization": True}], 1.0)
        gradient = np.arange(2 * columns, dtype=np.float32).reshape(2, columns)
        if trains:
            optimizer((Tensor(gradient),))
            np.testing.assert_array_equal(weight.asnumpy(), -gradient)
        else:
            with pytest.raises(RuntimeError, match="Centralization"):
                optimizer((Tensor(gradient),))

    def test_state_dict_of_the_cell_has_the_weights(self) -> None:
        optimizer = nn.SGD(pair(), 0.1, 0.9)
        assert {"w", "norm.gamma", "learning_rate"} <= set(optimizer.state_dict())
        assert set(state_dict(optimizer)) == {"state", "param_groups", "global_step"}

    def test_a_checkpoint_of_another_optimizer_is_loaded_silently(self) -> None:
        adam, momentum = nn.Adam(pair(), 0.1), nn.Momentum(pair(), 0.5, 0.9)
        held = {each.name: Parameter(each.asnumpy(), name=each.name) for each in adam.get_parameters()}
        assert ms.load_param_into_net(momentum, held)[0], "what was missing is in the return value only"
        assert get_lr(momentum) == get_lr(adam)


class TestAssignments:
    def test_writes_between_two_steps(self, mode: str) -> None:
        network = ConstantGradient()
        optimizer = nn.SGD(network.trainable_params(), 0.5, weight_decay=0.25)
        step = TrainCell(network, optimizer)
        x = Tensor(np.zeros((1, 1), np.float32))

        def moved() -> float:
            ops.assign(network.w, Tensor(np.ones(1, np.float32)))
            step(x, x)
            return float(1 - network.w.asnumpy()[0])

        assert moved() == 0.625
        optimizer.weight_decay = Tensor(0.0, ms.float32)
        assert moved() == 0.625, "a constant of the graph"
        ops.assign(optimizer.learning_rate, Tensor(0.25, ms.float32))
        assert moved() == 0.3125
        optimizer.learning_rate.set_data(Tensor(0.5, ms.float32))
        assert get_lr(optimizer) == [0.5]
        if not RACES:
            assert moved() == {"graph": 0.625, "pynative": 0.3125}[mode]
        with pytest.raises(TypeError, match="learning_rate"):
            optimizer.learning_rate = 0.1

    def test_a_number_in_param_groups(self, mode: str) -> None:
        weight = Parameter(Tensor(np.zeros(1, np.float32)), name="w")
        optimizer = optim.SGD([weight], lr=0.5)
        one = (Tensor(np.ones(1, np.float32)),)
        assert move(optimizer, one) == [0.5]
        ops.assign(optimizer.param_groups[0]["lr"], Tensor(0.25, ms.float32))
        assert move(optimizer, one) == [0.25]
        optimizer.param_groups[0]["lr"] = 0.125
        assert move(optimizer, one) == [{"graph": 0.25, "pynative": 0.125}[mode]]

    def test_freezing_after_the_optimizer_was_built(self, mode: str) -> None:
        network = ConstantGradient("ab")
        optimizer = nn.SGD(network.trainable_params(), 0.5)
        network.a.requires_grad = False
        model(network, optimizer).train(1, dataset(1))
        assert [float(each.asnumpy()[0]) for each in network.weights] == [{"graph": -0.5, "pynative": 0.0}[mode], -0.5]

    def test_weights_set_from_a_view(self, mode: str) -> None:
        """With gradients and update in two graphs, 2.10 then reads one memory and writes another."""
        values = np.array([0.5, -0.25, 0.125], np.float32)
        assert not trained_in_two_graphs(Tensor(values.reshape(1, 3))).any()
        trap = mode == "graph" and ms.__version__.startswith("2.10.")
        assert trained_in_two_graphs(Tensor(values).reshape(1, 3)).any() == trap


class TestArithmetic:
    @pytest.mark.parametrize("grouped, decayed", [(False, [0.5, 0.0]), (True, [0.5, 0.5])])
    def test_who_is_decayed(self, grouped: bool, decayed: list[float]) -> None:
        parameters: Any = [{"params": pair()}] if grouped else pair()
        assert move(nn.SGD(parameters, 1.0, weight_decay=0.5)) == decayed

    def test_adam_weight_decay_has_no_bias_correction(self) -> None:
        one = (Tensor(np.ones(1, np.float32)),) * 2
        move_of_adam, = set(move(optim.AdamW(pair(), lr=0.01, weight_decay=0.0), one))
        move_of_bert, = set(move(nn.AdamWeightDecay(pair(), 0.01), one))
        assert move_of_bert / move_of_adam == pytest.approx(0.1 / np.sqrt(0.001), rel=1e-3)

    def test_nesterov_of_momentum_is_left_out_on_the_cpu(self) -> None:
        one = (Tensor(np.ones(1, np.float32)),) * 2
        moves = [move(nn.Momentum(pair(), 0.1, 0.9, use_nesterov=nesterov), one, 2) for nesterov in (False, True)]
        assert moves[0] == moves[1]
        assert move(nn.SGD(pair(), 0.1, 0.9, nesterov=True), one, 2) != moves[0]

    def test_clipping_of_mindspore_is_still_there(self) -> None:
        clipped = ops.clip_by_global_norm((Tensor(np.float32([3.0])), Tensor(np.float32([4.0]))), 1.0)
        np.testing.assert_allclose([each.asnumpy()[0] for each in clipped], [0.6, 0.8], rtol=1e-6)


class TestTraining:
    def test_graph_mode_does_not_read_a_lambda_inside_a_call(self, tmp_path: Path,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)  # MindSpore leaves a file about what it could not compile
        network = nn.Dense(3, 1)
        gradients = ms.value_and_grad(lambda x: network(x).sum(), None, network.trainable_params())
        with pytest.raises(TypeError, match="Lambda"):
            gradients(Tensor(np.ones((1, 3), np.float32)))

    def test_a_list_that_is_too_short(self, mode: str) -> None:
        network = ConstantGradient()
        with pytest.raises((RuntimeError, IndexError, ValueError)):
            model(network, nn.SGD(network.trainable_params(), [0.5, 0.25])).train(1, dataset(3))
            network.w.asnumpy()

    def test_eval_loss_is_that_of_the_last_batch(self, mode: str) -> None:
        network = nn.Dense(3, 1)
        record = Record(lambda context: None)
        seen: list[dict[str, float]] = []
        record.on_eval_end = lambda context: seen.append(dict(context.original_args().eval_results))
        target = Model(network, nn.MSELoss(), nn.SGD(network.trainable_params(), 0.0), metrics={"mean_loss": Loss()})
        target.fit(1, dataset(1), dataset(3), callbacks=[record])
        losses = [float(nn.MSELoss()(network(x), y).asnumpy()) for x, y in dataset(3).create_tuple_iterator()]
        assert seen[0]["eval_loss"] == pytest.approx(losses[-1], rel=1e-5)
        assert seen[0]["mean_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
        assert abs(losses[-1] - np.mean(losses)) > 0.01

    def test_a_dataset_belongs_to_one_model(self) -> None:
        data = dataset(1)
        network = ConstantGradient()
        model(network, nn.SGD(network.trainable_params(), 0.5)).train(1, data)
        with pytest.raises(RuntimeError, match="dataset"):
            model(network, nn.SGD(network.trainable_params(), 0.5)).train(1, data)

    def test_a_generator_dataset_shuffles_by_default(self) -> None:
        rows = [(np.full(1, index, np.float32),) for index in range(50)]
        orders = [[int(row[0].asnumpy()[0]) for row in ds.GeneratorDataset(rows, ["x"], **given)]
                  for given in ({}, {"shuffle": False})]
        assert sorted(orders[0]) == orders[1] != orders[0]
