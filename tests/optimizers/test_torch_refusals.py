"""What does not carry over from torch or to it, how parameters are matched, and what torch tensors look like."""
from __future__ import annotations

import copy
from typing import Any, Optional

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, mint, nn
from mindspore.experimental import optim
from torch_cases import load, unpack
from train_cells import UserSGD

from ms_lr_callbacks import from_torch_state_dict, get_lr, state_dict, to_torch_state_dict

TORCH = load("torch_state.npz")


def parameters(names: tuple[str, ...] = ("weight", "bias")) -> list[Any]:
    return [Parameter(Tensor(np.ones(shape, np.float32)), name=name) for shape, name in zip(((4, 3), (3,)), names)]


def grouped(first: Optional[dict[str, Any]] = None, second: Optional[dict[str, Any]] = None,
            names: tuple[str, ...] = ("weight", "bias")) -> list[dict[str, Any]]:
    weight, bias = parameters(names)
    return [{"params": [weight], "lr": 0.05, **(first or {})}, {"params": [bias], "lr": 0.02, **(second or {})}]


def torch_state(case: str, **entries: Any) -> dict[str, Any]:
    """The state of a case with other entries in its groups."""
    state = unpack(case, TORCH)
    for group in state["param_groups"]:
        group.update(entries)
    return state


def one_group(case: str) -> dict[str, Any]:
    """The state of a case with both parameters in the first group, without names."""
    state = unpack(case, TORCH)
    group = state["param_groups"][0]
    del group["param_names"]
    return {**state, "param_groups": [{**group, "params": [0, 1]}]}


def refused(optimizer: Any, state: Any, names: Any = None, **arguments: Any) -> str:
    """Assert that nothing changes, and return the message."""
    before = [each.float().asnumpy().copy() for each in optimizer.get_parameters()]
    rates, held = get_lr(optimizer), state_dict(optimizer)
    with pytest.raises(ValueError) as caught:
        from_torch_state_dict(optimizer, state, names, **arguments)
    for was, now in zip(before, optimizer.get_parameters()):
        assert was.tobytes() == now.float().asnumpy().tobytes()
    assert get_lr(optimizer) == rates and state_dict(optimizer)["param_groups"] == held["param_groups"]
    return str(caught.value)


@pytest.mark.parametrize("build, case, entries, expected", [
    (lambda: nn.Adam(grouped()), "adam", {}, "eps of group 0 is 1e-08: this optimizer adds it to the root"),
    (lambda: optim.Adam(grouped()), "adam", {}, "Use mint.optim.Adam, or experimental.optim.AdamW"),
    (lambda: nn.Adam(grouped(), eps=1e-60), "adamw", {"eps": 0.0}, "torch's AdamW applies it to the weights"),
    (lambda: optim.AdamW(grouped()), "adam", {}, "torch's Adam applies it to the gradients"),
    (lambda: nn.Adam(grouped(), eps=1e-60), "adam_amsgrad_eps0", {}, "build the optimizer with amsgrad=True"),
    (lambda: nn.Adam(grouped(), eps=1e-60, use_nesterov=True), "adam_eps0", {}, "torch's Adam has none"),
    (lambda: nn.Adam(grouped(), eps=1e-60, use_offload=True), "adam_eps0", {}, "not been compared with torch"),
    (lambda: optim.Adam(grouped(), eps=0.0, amsgrad=True), "adam_eps0", {}, "its update does not look at it"),
    (lambda: mint.optim.Adam(grouped(), amsgrad=True), "adam", {}, "it does not keep its maximum"),
    (lambda: nn.AdamWeightDecay(grouped()), "adamw", {}, "this optimizer has no bias correction, and at step 11"),
    (lambda: nn.Momentum(grouped(), 0.1, 0.9), "dampening", {}, "dampening of group 0 is 0.3 in torch"),
    (lambda: nn.Momentum(grouped(), 0.1, 0.9), "nesterov", {}, "nesterov of group 0 is True in torch and False"),
    (lambda: nn.Momentum(grouped(), 0.1, 0.9, use_nesterov=True), "momentum", {}, "kernel on the CPU leaves it out"),
    (lambda: nn.SGD(grouped(), 0.1, 0.9), "dampening", {}, "dampening was [0.3, 0.3] and is [0.0, 0.0]"),
    (lambda: nn.SGD(grouped(), 0.1, 0.9), "momentum", {"maximize": True}, "maximize of group 0 is True in torch"),
    (lambda: nn.Adagrad(grouped()), "adagrad_lr_decay", {}, "lr_decay of group 0 is 0.1 in torch"),
    (lambda: nn.Adagrad(grouped()), "adagrad", {"eps": 1e-3}, "some sums of squares are so small"),
    (lambda: nn.RMSProp(grouped(), decay=0.9, epsilon=1e-2), "rmsprop", {}, "adds it under the root"),
    (lambda: nn.RMSProp(grouped(), decay=0.8, momentum=0.5, epsilon=1e-60), "rmsprop_eps0", {}, "decay was"),
    (lambda: nn.AdaMax(grouped()), "adamax", {}, "eps of group 0 is 0.01: this optimizer adds it to the maximum"),
    (lambda: nn.Adadelta(grouped(), rho=0.8), "adadelta", {}, "rho was"),
    (lambda: optim.AdamW(grouped(), betas=(0.8, 0.999), eps=1e-3), "adamw", {}, "beta1 was"),
    (lambda: nn.Adam(grouped({"grad_centralization": True}), eps=1e-60), "adam_eps0", {}, "grad_centralization is on"),
])
def test_arithmetic_that_differs(build: Any, case: str, entries: dict[str, Any], expected: str) -> None:
    assert expected in refused(build(), torch_state(case, **entries))


@pytest.mark.parametrize("build, case", [
    (lambda: nn.Adam(parameters()), "sgd"), (lambda: nn.SGD(parameters()), "adam"),
    (lambda: optim.RMSprop(parameters()), "adagrad"), (lambda: nn.Adagrad(parameters()), "adamax")])
def test_classes_that_do_not_fit(build: Any, case: str) -> None:
    message = refused(build(), torch_state(case))
    assert "whose updates" in message and "Supported for" in message


@pytest.mark.parametrize("build", [
    lambda: nn.FTRL(parameters()), lambda: nn.Lamb(parameters(), 0.1), lambda: UserSGD(parameters(), 0.1),
    lambda: type("MyAdam", (nn.Adam,), {})(parameters()), lambda: mint.optim.AdamW(parameters())])
def test_optimizers_without_a_counterpart(build: Any) -> None:
    optimizer = build()
    for call in (lambda: from_torch_state_dict(optimizer, torch_state("adam")), lambda: to_torch_state_dict(optimizer)):
        with pytest.raises(ValueError, match=r"no counterpart in torch .* Supported are, .*experimental.AdamW \(AdamW"):
            call()


@pytest.mark.parametrize("entries, name", [
    ({"betas": 1, "momentum_decay": 1, "decoupled_weight_decay": 1, "weight_decay": 1}, "NAdam"),
    ({"betas": 1, "decoupled_weight_decay": 1, "weight_decay": 1}, "RAdam"), ({"lambd": 1}, "ASGD"),
    ({"etas": 1}, "Rprop"), ({"lr": 1}, "unknown class")])
def test_classes_of_torch_that_are_not_supported(entries: dict[str, Any], name: str) -> None:
    state = {"state": {}, "param_groups": [{"params": [0, 1], **entries}]}
    assert f"torch's {name}" in refused(nn.Adam(parameters()), state)


@pytest.mark.parametrize("state", [[], {"model": {}, "optimizer": {}}, {"state": {}, "param_groups": []},
                                   {"state": {}, "param_groups": [{"lr": 1}]}])
def test_what_is_no_state_is_refused(state: Any) -> None:
    with pytest.raises(TypeError, match="state"):
        from_torch_state_dict(nn.Adam(parameters()), state)


def test_everything_wrong_is_in_one_message() -> None:
    state = torch_state("adam", amsgrad=True)
    state["state"][0]["exp_avg"] = state["state"][0]["exp_avg"].T.copy()
    state["state"][1]["exp_avg_sq"] = state["state"][1]["exp_avg_sq"].astype(np.float64)
    message = refused(mint.optim.Adam(grouped(), betas=(0.8, 0.999), eps=1e-3), state)
    for line in ("parameter 0 (weight): exp_avg is float32 (3, 4) instead of float32 (4, 3)",
                 "parameter 1 (bias): exp_avg_sq is float64 (3,) instead of float32 (3,)",
                 "torch's max_exp_avg_sq is missing", "amsgrad of group 1 is True in torch and False here",
                 "beta1 was", "eps was"):
        assert line in message


def test_steps_that_differ() -> None:
    state = torch_state("adamw")
    state["state"][1]["step"] = np.float32(9)
    assert "different numbers of updates ([10, 9])" in refused(optim.AdamW(grouped(), eps=1e-3), state)
    del state["state"][1]
    assert "different numbers of updates ([10, 0])" in refused(optim.AdamW(grouped(), eps=1e-3), state)
    message = refused(optim.AdamW(grouped(), eps=1e-3), torch_state("adamw"), step=3)
    assert "step is 3, but the state has done 10" in message


def test_numbers_of_groups_and_parameters() -> None:
    message = refused(nn.SGD(parameters()[:1], 0.1, 0.9), torch_state("momentum"))
    assert "there are 2 parameter groups in torch instead of 1" in message
    assert "there are 2 parameters in torch instead of 1" in message
    mixed = grouped()
    mixed[0]["params"], mixed[1]["params"] = mixed[1]["params"], mixed[0]["params"]
    state = torch_state("momentum")
    state["param_groups"][0]["params"], state["param_groups"][1]["params"] = [0, 1], []
    assert "group 0 (bias) is no group of torch's, which have [2, 0] parameters" in refused(
        nn.SGD(mixed, 0.1, 0.9), state, ["weight", "bias"])


def test_one_value_for_all_groups() -> None:
    state = torch_state("momentum")
    state["param_groups"][1]["momentum"] = 0.5
    assert "momentum is [0.9, 0.5] in torch's groups" in refused(nn.SGD(grouped(), 0.1, 0.9), state)
    assert "lr of group 1 is 0.02, but it shares its learning rate" in refused(
        nn.SGD([{"params": [each]} for each in parameters()], 0.1, 0.9), torch_state("momentum"))


def test_weight_decay_that_mindspore_spares_some_parameters() -> None:
    state = one_group("momentum")
    weight, bias = parameters(("norm.gamma", "norm.beta"))
    assert "does not apply it to norm.gamma, norm.beta" in refused(nn.SGD([weight, bias], 0.1, 0.9, weight_decay=0.02),
                                                                   state)
    from_torch_state_dict(nn.SGD([{"params": [weight, bias]}], 0.1, 0.9, weight_decay=0.02), state)


def test_rates_that_mindspore_computes() -> None:
    state = one_group("momentum")
    decayed = nn.SGD(parameters(), nn.ExponentialDecayLR(0.05, 0.5, 10), 0.9)
    message = refused(decayed, state, step=10)
    assert "lr of group 0 is 0.05 in torch, but SGD computes it by ExponentialDecayLR, which gives 0.025" in message
    state["param_groups"][0]["lr"] = 0.025
    from_torch_state_dict(decayed, state, step=10)
    assert get_lr(decayed) == [pytest.approx(0.025)] and state_dict(decayed)["global_step"] == 10
    weight, bias = parameters()
    beside = nn.SGD([{"params": [weight], "lr": nn.ExponentialDecayLR(0.05, 1.0, 10)}, {"params": [bias], "lr": 1.0}],
                    0.1, 0.9)
    assert "MindSpore rounds it to" in refused(beside, torch_state("momentum"))
    momentum = nn.RMSProp(grouped({"lr": nn.ExponentialDecayLR(0.05, 1.0, 10)}, {"lr": nn.ExponentialDecayLR(
        0.02, 1.0, 10)}), decay=0.9, momentum=0.5, epsilon=1e-60)
    assert "only while the learning rate is constant" in refused(momentum, torch_state("rmsprop_eps0"))


def test_hyperparameters_that_can_be_changed_are_set() -> None:
    optimizer = nn.SGD(grouped({"weight_decay": 0.5}), 0.1, 0.5)
    from_torch_state_dict(optimizer, torch_state("momentum"))
    groups = state_dict(optimizer)["param_groups"]
    assert [group["weight_decay"] for group in groups] == pytest.approx([0.02, 0.0])
    assert [group["lr"] for group in groups] == pytest.approx([0.05, 0.02])
    assert groups[0]["momentum"] == pytest.approx(0.9) and float(optimizer.momentum.asnumpy()) == pytest.approx(0.9)


def test_parameters_in_another_order() -> None:
    given = one_group("momentum")
    weight, bias = given["state"][0]["momentum_buffer"], given["state"][1]["momentum_buffer"]
    w, b = parameters()
    turned = nn.SGD([{"params": [b, w]}], 0.1, 0.9)
    assert "instead of float32 (3,)" in refused(turned, given)
    named = copy.deepcopy(given)
    named["param_groups"][0]["param_names"] = ["weight", "bias"]
    other = copy.deepcopy(given)
    other["param_groups"][0]["param_names"] = ["fc.w", "fc.b"]
    for state, names in ((given, ["weight", "bias"]), (given, {"fc.w": "weight", "fc.b": "bias"}), (named, None),
                         (named, ["weight", "bias"]), (other, {"fc.b": "bias", "fc.w": "weight"})):
        turned = nn.SGD([{"params": [b, w]}], 0.1, 0.9)
        from_torch_state_dict(turned, state, names)
        assert np.array_equal(turned.accum[0].asnumpy(), bias) and np.array_equal(turned.accum[1].asnumpy(), weight)
    same_order = nn.SGD([{"params": [w, b]}], 0.1, 0.9)
    from_torch_state_dict(same_order, other)
    assert np.array_equal(same_order.accum[0].asnumpy(), weight), "names that say nothing: by order"


@pytest.mark.parametrize("names, expected", [
    (["weight"], "names are ['weight'], but the state's param_names"),
    ({"weight": "weight"}, "names must map torch's ['weight', 'bias']"),
    ({"weight": "weight", "bias": "b"}, "names lead to ['weight', 'b'] instead of"),
    ({"weight": "weight", "bias": "weight"}, "names lead to ['weight', 'weight'] instead of")])
def test_names_that_do_not_fit(names: Any, expected: str) -> None:
    assert expected in refused(nn.SGD(grouped(), 0.1, 0.9), torch_state("momentum"), names)


def test_groups_are_found_by_their_members() -> None:
    groups = grouped()[::-1]
    optimizer = optim.SGD(groups, 0.1, 0.9)
    from_torch_state_dict(optimizer, torch_state("sgd", momentum=0.9, weight_decay=0.0))
    assert get_lr(optimizer) == pytest.approx([0.02, 0.05])


class TorchLike:
    """What is used of a torch tensor."""

    def __init__(self, array: np.ndarray, dtype: str = "torch.float32") -> None:
        self.dtype = dtype
        self._array = array
        self._detached = False

    def detach(self) -> TorchLike:
        self._detached = True
        return self

    def cpu(self) -> TorchLike:
        return self

    def float(self) -> TorchLike:
        self.dtype = "torch.float32"
        return self

    def numpy(self) -> np.ndarray:
        if not self._detached or self.dtype == "torch.bfloat16":
            raise TypeError("torch refuses this")
        return self._array


@pytest.mark.parametrize("dtype", ["torch.float32", "torch.bfloat16"])
def test_torch_tensors_are_taken(dtype: str) -> None:
    state = torch_state("adamw", lr=TorchLike(np.array(0.25, np.float32)))
    for tensors in state["state"].values():
        for name in tensors:
            tensors[name] = TorchLike(tensors[name], dtype)
    optimizer = optim.AdamW(grouped(), eps=1e-3)
    from_torch_state_dict(optimizer, state)
    assert get_lr(optimizer) == [0.25, 0.25]
    assert np.array_equal(optimizer.exp_avg[0].asnumpy(), unpack("adamw", TORCH)["state"][0]["exp_avg"])


def test_moments_that_bfloat16_does_not_hold() -> None:
    state = one_group("adamw")
    optimizer = optim.AdamW(parameters(("w", "b")), 0.05, eps=1e-3)
    for moment in (*optimizer.exp_avg, *optimizer.exp_avg_sq):
        moment.set_dtype(ms.bfloat16)
    assert "parameter 0 (w): exp_avg is bfloat16 and has to be given values" in refused(optimizer, state)
    for tensors in state["state"].values():
        for name in ("exp_avg", "exp_avg_sq"):
            tensors[name] = (tensors[name].view(np.uint32) & 0xFFFF0000).view(np.float32)
    state["param_groups"][0]["weight_decay"] = 0.01
    from_torch_state_dict(optimizer, state)
    assert np.array_equal(optimizer.exp_avg[0].float().asnumpy(), state["state"][0]["exp_avg"])


def test_adam_of_a_torch_that_does_not_tell() -> None:
    """Before ``decoupled_weight_decay`` Adam and AdamW look alike: the state is taken for what the optimizer is."""
    state = torch_state("adamw")
    for group in state["param_groups"]:
        del group["decoupled_weight_decay"]
    from_torch_state_dict(optim.AdamW(grouped({"weight_decay": 0.02}, {"weight_decay": 0.0}), eps=1e-3), state)


def test_adamw_without_weight_decay_is_adam() -> None:
    for optimizer in (mint.optim.Adam(grouped(), eps=1e-3), optim.AdamW(grouped(), eps=1e-3)):
        from_torch_state_dict(optimizer, torch_state("adamw", weight_decay=0.0))
        assert state_dict(optimizer)["global_step"] == 10
        assert [group["weight_decay"] for group in state_dict(optimizer)["param_groups"]] == [0.0, 0.0]


def test_when_the_bias_correction_is_over() -> None:
    """The numbers of docs/torch-optimizer-state.md."""
    for beta, first in ((0.999, 17321), (0.99, 1725)):
        for done, fits in ((first - 2, False), (first - 1, True)):
            state = torch_state("adam_no_decay", betas=(0.9, beta))
            for tensors in state["state"].values():
                tensors["step"] = np.float32(done)
            optimizer = nn.Adam(grouped(), beta2=beta, eps=1e-3)
            if fits:
                from_torch_state_dict(optimizer, state)
            else:
                assert f"at step {first - 1} that still matters" in refused(optimizer, state)


def test_a_state_before_the_first_update() -> None:
    for build, case in ((lambda: optim.AdamW(grouped(), eps=1e-3), "adamw"), (lambda: nn.SGD(grouped(), 1.0, 0.9),
                                                                              "momentum")):
        state = {**torch_state(case), "state": {}}
        optimizer = build()
        from_torch_state_dict(optimizer, torch_state(case))
        from_torch_state_dict(optimizer, state)
        assert not any(value.any() for name, value in state_dict(optimizer)["state"][0].items()
                       if name not in ("stat", "momentum"))
        back = to_torch_state_dict(optimizer)["state"]
        assert back == {} if case == "momentum" else back[0]["step"] == 0


def test_buffers_that_are_started_one_by_one() -> None:
    state = torch_state("dampening")
    del state["state"][1]
    optimizer = nn.SGD(grouped(), 0.1, 0.9, 0.3)
    from_torch_state_dict(optimizer, state)
    assert [float(each.asnumpy().reshape(-1)[0]) for each in optimizer.stat] == [0.0, 1.0]
    assert list(to_torch_state_dict(optimizer)["state"]) == [0]
    assert "starts all of them at once" in refused(mint.optim.SGD(grouped(), 0.1, 0.9, 0.3), state)


def test_accept_takes_only_eps() -> None:
    for accept in (("betas",), "eps"):
        with pytest.raises(ValueError, match="accept must be"):
            from_torch_state_dict(nn.Adam(grouped()), torch_state("adam"), accept=accept)
    assert "this optimizer has no bias correction" in refused(nn.AdamWeightDecay(grouped()), torch_state("adamw"),
                                                              accept=("eps",))


def test_what_is_not_exported() -> None:
    for optimizer, expected in (
            (nn.Adam(parameters()), "eps of group 0 is 1e-08"), (nn.RMSProp(parameters()), "under the root"),
            (nn.AdamWeightDecay(parameters()), "no bias correction"),
            (nn.Momentum(parameters(), 0.1, 0.9, use_nesterov=True), "use_nesterov is on"),
            (nn.SGD(parameters(("gamma", "w")), 0.1, weight_decay=0.5), "does not apply it to gamma")):
        with pytest.raises(ValueError, match=expected):
            to_torch_state_dict(optimizer)
    adam = nn.Adam(parameters(), eps=1e-60)
    to_torch_state_dict(adam)
    adam.beta1_power.set_data(Tensor(np.float32(0.5)))
    with pytest.raises(ValueError, match="beta1_power is 0.5, .* betas have changed while training"):
        to_torch_state_dict(adam)
