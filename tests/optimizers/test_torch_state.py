"""States carried over from torch and to torch, against numbers that torch itself computed.

`TOLERANCE` times the number of updates is what float32 accounts for: the weights are of order 1, so each
update rounds them by up to 6e-8, and 1 - 0.999 ** t, by which Adam divides, has lost 6e-8 / 0.01 of
itself at the tenth step, which with a learning rate of 0.05 moves an update by some 1e-7. Measured are at
most 1.5e-6 after 20 updates. Updates without the state, or with another arithmetic, are off by 1e-3 and more.
"""
from __future__ import annotations

from typing import Any

import mindspore as ms
import mindspore.dataset as ds
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn
from torch_cases import BEFORE, NAMES, first_weights, gradients, load, unpack
from torch_twins import TWINS, Twin, train
from training import Record, model

from ms_lr_callbacks import HyperparameterScheduler, from_torch_state_dict, get_lr, state_dict, to_torch_state_dict

TOLERANCE = 4e-7
GIVEN = gradients()
TORCH = load("torch_state.npz")
MINDSPORE = load("mindspore_state.npz")
CONTINUED = load("torch_continues.npz")

PAIRS = [pytest.param(twin, mode, id=f"{twin.name}-{mode}") for twin in TWINS for mode in twin.modes]
WITH_STATE = [twin for twin in TWINS if twin.torch != "sgd"]


@pytest.fixture
def run_in(settled: None) -> Any:
    """A function that chooses the mode; GRAPH_MODE again afterwards."""
    yield lambda mode: ms.set_context(mode={"graph": ms.GRAPH_MODE, "pynative": ms.PYNATIVE_MODE}[mode])
    ms.set_context(mode=ms.GRAPH_MODE)


def weights_of(arrays: dict[str, np.ndarray], key: str) -> list[np.ndarray]:
    return [arrays[f"{key}/before/{name}"][-1] for name in NAMES]


def distances(trace: list[list[np.ndarray]], arrays: dict[str, np.ndarray], key: str) -> np.ndarray:
    """The largest difference of any weight after each update."""
    return np.array([max(np.abs(step[index] - arrays[f"{key}/{name}"][update]).max()
                         for index, name in enumerate(NAMES)) for update, step in enumerate(trace)])


def assert_agrees(trace: list[list[np.ndarray]], arrays: dict[str, np.ndarray], key: str) -> None:
    limits = TOLERANCE * np.arange(1, len(trace) + 1)
    found = distances(trace, arrays, key)
    assert (found <= limits).all(), found


@pytest.mark.parametrize("twin, mode", PAIRS)
def test_mindspore_goes_on_from_torch(twin: Twin, mode: str, run_in: Any) -> None:
    run_in(mode)
    optimizer = twin.build(weights_of(TORCH, twin.torch), lr=0.5)
    from_torch_state_dict(optimizer, unpack(twin.torch, TORCH))
    assert get_lr(optimizer) == pytest.approx([twin.case.weight["lr"], twin.case.bias["lr"]])
    assert_agrees(train(optimizer, GIVEN[BEFORE:]), TORCH, f"{twin.torch}/after")


@pytest.mark.parametrize("twin", WITH_STATE, ids=lambda twin: twin.name)
def test_without_the_state_it_does_not(twin: Twin) -> None:
    found = distances(train(twin.build(weights_of(TORCH, twin.torch)), GIVEN[BEFORE:]), TORCH, f"{twin.torch}/after")
    assert found[0] > 100 * TOLERANCE and found.max() > 1e-2


@pytest.mark.parametrize("name", ["nn.SGD-momentum", "nn.Adam-adam_eps0", "experimental.AdamW-adamw"])
def test_an_optimizer_that_is_compiled_already_goes_on_from_torch(name: str, mode: str) -> None:
    twin = next(each for each in TWINS if each.name == name)
    optimizer = twin.build(first_weights(), lr=0.5)
    train(optimizer, GIVEN[:3])
    from_torch_state_dict(optimizer, unpack(twin.torch, TORCH))
    for parameter, value in zip(optimizer.parameters, weights_of(TORCH, twin.torch)):
        parameter.copy_(Tensor(value))
    assert_agrees(train(optimizer, GIVEN[BEFORE:]), TORCH, f"{twin.torch}/after")


@pytest.mark.parametrize("twin, mode", PAIRS)
def test_torch_goes_on_from_mindspore(twin: Twin, mode: str, run_in: Any) -> None:
    """The exported state is the one that torch was given, and torch's updates from there on are MindSpore's."""
    run_in(mode)
    optimizer = twin.build(first_weights())
    train(optimizer, GIVEN[:BEFORE])
    exported, committed = to_torch_state_dict(optimizer), unpack(twin.name, MINDSPORE)
    for weight, was in zip(optimizer.parameters, weights_of(MINDSPORE, twin.name)):
        np.testing.assert_allclose(weight.asnumpy(), was, rtol=0, atol=BEFORE * TOLERANCE)
    assert exported["state"].keys() == committed["state"].keys()
    for index, tensors in committed["state"].items():
        assert exported["state"][index].keys() == tensors.keys()
        for name, value in tensors.items():
            np.testing.assert_allclose(exported["state"][index][name], value, rtol=1e-5, atol=1e-6)
            assert exported["state"][index][name].dtype == value.dtype
    listed = [{name: list(value) if isinstance(value, tuple) else value for name, value in group.items()}
              for group in exported["param_groups"]]
    assert listed == committed["param_groups"]
    assert_agrees(train(optimizer, GIVEN[BEFORE:]), CONTINUED, twin.name)


@pytest.mark.parametrize("twin", WITH_STATE, ids=lambda twin: twin.name)
def test_what_is_exported_is_what_torch_has(twin: Twin) -> None:
    """From torch and back: the tensors, the steps and the groups that torch itself had."""
    optimizer = twin.build(weights_of(TORCH, twin.torch))
    given = unpack(twin.torch, TORCH)
    from_torch_state_dict(optimizer, given)
    back = to_torch_state_dict(optimizer)
    assert back["state"].keys() == given["state"].keys()
    for index, tensors in given["state"].items():
        assert back["state"][index].keys() == tensors.keys()
        for name, value in tensors.items():
            np.testing.assert_allclose(back["state"][index][name], value, rtol=1e-6)
    for mine, theirs in zip(back["param_groups"], given["param_groups"]):
        loose = {"param_names", "decoupled_weight_decay", "initial_accumulator_value"}
        assert mine.keys() - loose == theirs.keys() - loose
        for name in theirs.keys() - loose:
            assert mine[name] == pytest.approx(theirs[name], abs=2e-10), name  # nn.Adagrad has no eps


class Given(nn.Cell):
    """A loss whose gradients are the batch."""

    def __init__(self, values: list[np.ndarray]) -> None:
        super().__init__()
        self.weight, self.bias = (Parameter(Tensor(value), name=name) for name, value in zip(NAMES, values))

    def construct(self, weight: Any, bias: Any) -> Any:
        return (self.weight * weight).sum() + (self.bias * bias).sum()


def test_adam_with_the_recipe_for_eps(mode: str) -> None:
    """docs/torch-optimizer-state.md: eps times the root of the bias correction is torch's eps."""
    def trained(callbacks: list[Any]) -> np.ndarray:
        network = Given(weights_of(TORCH, "adam_no_decay"))
        optimizer = nn.Adam([{"params": [network.weight], "lr": 0.05}, {"params": [network.bias], "lr": 0.02}],
                            eps=1e-3)
        with pytest.raises(ValueError, match="eps of group 0 is 0.001: this optimizer adds it to the root"):
            from_torch_state_dict(optimizer, unpack("adam_no_decay", TORCH))
        from_torch_state_dict(optimizer, unpack("adam_no_decay", TORCH), accept=("eps",))
        trace = Record(lambda _: [network.weight.asnumpy().copy(), network.bias.asnumpy().copy()])
        batches = ds.GeneratorDataset([tuple(each) for each in GIVEN[BEFORE:]], list(NAMES), shuffle=False)
        model(network, optimizer).train(1, batches, [*callbacks, trace], dataset_sink_mode=False)
        return trace.seen

    corrected = HyperparameterScheduler("eps", lambda t, eps: eps * (1 - 0.999 ** (t + 1)) ** 0.5)
    assert_agrees(trained([corrected]), TORCH, "adam_no_decay/after")
    assert distances(trained([]), TORCH, "adam_no_decay/after").max() > 1e-3


def test_gradients_of_a_scaled_loss() -> None:
    twin = next(each for each in TWINS if each.name == "nn.SGD-momentum")
    optimizer = twin.build(weights_of(TORCH, "momentum"), loss_scale=8.0)
    from_torch_state_dict(optimizer, unpack("momentum", TORCH))
    scaled = [[8.0 * gradient for gradient in each] for each in GIVEN[BEFORE:]]
    assert_agrees(train(optimizer, scaled), TORCH, "momentum/after")
    assert to_torch_state_dict(optimizer)["param_groups"][0]["weight_decay"] == 0.02


def test_the_counts_go_on() -> None:
    twin = next(each for each in TWINS if each.name == "nn.Adam-adam_eps0")
    optimizer = twin.build(first_weights())
    from_torch_state_dict(optimizer, unpack("adam_eps0", TORCH))
    assert state_dict(optimizer)["global_step"] == BEFORE
    assert float(optimizer.beta1_power.asnumpy()) == pytest.approx(0.9 ** BEFORE)
    assert to_torch_state_dict(optimizer)["state"][0]["step"] == BEFORE
