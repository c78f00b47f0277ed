"""Write tests/data/schedules_golden.npz: what torch's schedulers give when step() is called in a loop.

Needs torch; run from the root of the repository: ``python tests/schedules/make_golden.py``. The
tests only read the file. A case is a config as ``Schedule.to_config()`` writes it, except that a
function of the user is the text of its body. Torch's schedulers are constructed in the order of the
config, read from left to right.

Three habits of torch, by which one scheduler of a composition disturbs another through the optimizer
they share, are kept out of the numbers: ``initial_lr`` is set beforehand, because ``CyclicLR`` would
set it for all; ``CyclicLR`` repeats its initial step, the first of which uses that ``initial_lr``;
and no composition holds two ``SWALR``, of which the first would use the second one's ``swa_lr``.
"""
from __future__ import annotations

import json
import random
import warnings
from pathlib import Path

import numpy as np
import torch
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR

STEPS = 300
CASES = 48
TARGET = Path(__file__).resolve().parents[1] / "data" / "schedules_golden.npz"


def function(text: str):
    """Return the function with the body ``text``, of one argument that it may call t or x."""
    return eval(f"lambda t: (lambda x: {text})(t)", {"math": __import__("math")})


def draw(rng: random.Random, name: str, base: float) -> dict:
    """Return a random case of the class from the range of arguments that torch accepts."""
    unit, pick, whole = rng.random, rng.choice, rng.randint
    number = rng.uniform(0.5, 1.0)
    factors = (f"{0.9 + 0.1 * number} ** t", f"1 / (1 + {number} * t)", f"0.5 * (1 + math.cos({number} * t))",
               f"min(1.0, (t + 1) / {whole(1, 200)})")
    per_step = (f"{0.9 + 0.1 * number}", f"{number} if t % {whole(5, 50)} == 3 else 1.0",
                f"1.0 + 0.02 * math.sin({number} * t)", f"1 / (1 + {0.01 * number} * t)")
    scales = (f"1 / (5 ** (x * {0.0001 * number}))", f"0.5 * (1 + math.sin({number} * x))", "1 / x if x else 1.0")
    cases = {
        "LambdaLR": lambda: {"lr_lambda": pick(factors)},
        "MultiplicativeLR": lambda: {"lr_lambda": pick(per_step)},
        "StepLR": lambda: {"step_size": whole(1, 120), "gamma": rng.uniform(0.05, 1.02)},
        "MultiStepLR": lambda: {"milestones": [whole(0, 320) for _ in range(whole(0, 5))] + [40] * whole(0, 2),
                                "gamma": rng.uniform(0.05, 1.1)},
        "ConstantLR": lambda: {"factor": rng.uniform(0.01, 1.0), "total_iters": whole(0, 320)},
        "LinearLR": lambda: {"start_factor": rng.uniform(0.001, 1.0), "total_iters": whole(0, 320),
                             "end_factor": pick((1.0, 0.0, unit(), unit()))},
        "ExponentialLR": lambda: {"gamma": pick((rng.uniform(0.9, 1.01), rng.uniform(0.2, 1.0)))},
        "PolynomialLR": lambda: {"total_iters": whole(0, 320), "power": pick((1.0, 2.0, rng.uniform(0.2, 4)))},
        "CosineAnnealingLR": lambda: {"T_max": pick((whole(1, 20), whole(1, 320))),
                                      "eta_min": base * pick((0.0, 1e-3, unit()))},
        "CosineAnnealingWarmRestarts": lambda: {"T_0": pick((whole(1, 10), whole(1, 150))), "T_mult": whole(1, 4),
                                                "eta_min": base * pick((0.0, 1e-3, unit()))},
        "CyclicLR": lambda: {"base_lr": pick((0.0, rng.uniform(1e-4, 0.1))), "max_lr": rng.uniform(0.1, 1.0),
                             "step_size_up": whole(1, 100), "step_size_down": pick((None, whole(1, 100))),
                             "mode": pick(("triangular", "triangular2", "exp_range")),
                             "gamma": rng.uniform(0.9, 1.0), "scale_fn": pick((None, None, None, pick(scales))),
                             "scale_mode": pick(("cycle", "iterations")),
                             "base_momentum": rng.uniform(0.5, 0.85), "max_momentum": rng.uniform(0.85, 1.0)},
        "OneCycleLR": lambda: {"max_lr": rng.uniform(0.001, 2.0), **pick((
                                   {"total_steps": whole(STEPS, 500)},
                                   {"epochs": whole(10, 20), "steps_per_epoch": whole(30, 60)})),
                               "pct_start": rng.uniform(0.02, 0.98), "anneal_strategy": pick(("cos", "linear")),
                               "base_momentum": rng.uniform(0.5, 0.85), "max_momentum": rng.uniform(0.85, 1.0),
                               "div_factor": rng.uniform(2, 50), "final_div_factor": 10 ** rng.uniform(0, 5),
                               "three_phase": pick((True, False))},
        "SWALR": lambda: {"swa_lr": rng.uniform(0.001, 1.0), "anneal_epochs": whole(0, 320),
                          "anneal_strategy": pick(("cos", "linear"))},
    }
    return {"name": name, **cases[name]()}


LEAVES = ("LambdaLR", "MultiplicativeLR", "StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR",
          "PolynomialLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR", "SWALR")
# OneCycleLR rewrites initial_lr, which the other schedulers of a torch composition read.
MIXABLE = tuple(name for name in LEAVES if name != "OneCycleLR")
# These start from the base value and not from what they find.
CALM = tuple(name for name in LEAVES if name not in ("MultiplicativeLR", "SWALR"))


def leaves(rng: random.Random, base: float, count: int, among: tuple = MIXABLE, later: bool = True) -> list:
    """Return ``count`` random schedules that are no compositions, at most one ``SWALR`` among them.

    Those behind a milestone (``later``) have no length 0, by which torch divides there.
    """
    parts: list = []
    while len(parts) < count:
        config = draw(rng, rng.choice(among), base)
        names = [part["name"] for part in parts]
        if config["name"] == "SWALR" in names or later and config.get("total_iters") == 0:
            continue
        parts.append(config)
    return parts


def sequence(rng: random.Random, parts: list) -> dict:
    """The parts one after the other, at random milestones."""
    milestones = sorted(rng.sample(range(1, STEPS), len(parts) - 1))
    return {"name": "SequentialLR", "schedules": parts, "milestones": milestones}


def flat_sequence(rng: random.Random, base: float, among: tuple = MIXABLE) -> dict:
    """Two to four schedules, one after the other."""
    return sequence(rng, leaves(rng, base, rng.randint(2, 4), among))


def flat_chain(rng: random.Random, base: float, among: tuple = MIXABLE) -> dict:
    """Two or three schedules at the same time."""
    return {"name": "ChainedScheduler",
            "schedules": leaves(rng, base, rng.randint(2, 3), among, later=False)}


def nested_sequence(rng: random.Random, base: float) -> dict:
    """A SequentialLR of sequences and more, which torch can only run as the flat sequence it means."""
    parts = [flat_sequence(rng, base, CALM), *leaves(rng, base, rng.randint(1, 2), CALM)]
    if rng.random() < 0.5:
        parts.append(flat_chain(rng, base))
    else:
        parts.append(flat_sequence(rng, base))
    rng.shuffle(parts)
    return sequence(rng, parts)


def nested_chain(rng: random.Random, base: float) -> dict:
    """A ChainedScheduler that holds a composition."""
    parts = [rng.choice((flat_sequence, flat_chain))(rng, base)]
    parts += leaves(rng, base, rng.randint(1, 2), tuple(name for name in MIXABLE if name != "SWALR"))
    rng.shuffle(parts)
    return {"name": "ChainedScheduler", "schedules": parts}


def deep_sequence(rng: random.Random, base: float) -> dict:
    """Three deep."""
    inner = sequence(rng, [flat_sequence(rng, base, CALM), nested_chain(rng, base)])
    parts = [inner, rng.choice((flat_sequence, flat_chain))(rng, base, CALM)]
    rng.shuffle(parts)
    return sequence(rng, parts)


def construct(config: dict, optimizer: torch.optim.Optimizer):
    """Return torch's scheduler for ``config``."""
    arguments = {key: value for key, value in config.items() if key != "name"}
    for key in ("lr_lambda", "scale_fn"):
        if arguments.get(key) is not None:
            arguments[key] = function(arguments[key])
    if "schedules" in arguments:
        parts = [construct(part, optimizer) for part in arguments.pop("schedules")]
        if config["name"] == "ChainedScheduler":
            return lr_scheduler.ChainedScheduler(parts)
        return lr_scheduler.SequentialLR(optimizer, parts, **arguments)
    cls = SWALR if config["name"] == "SWALR" else getattr(lr_scheduler, config["name"])
    scheduler = cls(optimizer, **arguments)
    if config["name"] == "CyclicLR":
        scheduler.last_epoch -= 1
        scheduler._initial_step()
    return scheduler


def loop(config: dict, base: float, steps: int) -> tuple:
    """Return the learning rates and momenta of ``steps`` updates in torch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base, momentum=0.9)
    optimizer.param_groups[0]["initial_lr"] = base
    scheduler = construct(config, optimizer)
    rates, momenta = [], []
    for t in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        if t + 1 < steps:
            optimizer.step()
            scheduler.step()
    return rates, momenta


def flat(config: dict) -> tuple:
    """Return the parts of a SequentialLR that ever run and their first steps, inner sequences taken apart."""
    if config["name"] != "SequentialLR":
        return [config], [0]
    parts, starts = [], []
    edges = [0, *config["milestones"], STEPS * 100]
    for schedule, begin, end in zip(config["schedules"], edges, edges[1:]):
        for part, offset in zip(*flat(schedule)):
            if begin + offset < end:
                parts.append(part)
                starts.append(begin + offset)
    return parts, starts


def curve(config: dict, base: float) -> list:
    """Return the learning rates of a case.

    Torch 2.13 runs compositions inside SequentialLR wrong. They are run as the flat sequence, and if
    that holds a chain, or a OneCycleLR, piece by piece.
    """
    parts, starts = flat(config)
    if len(parts) > 1 and any("schedules" in part or part["name"] == "OneCycleLR" for part in parts):
        edges = [*(start for start in starts if start < STEPS), STEPS]
        pieces = [loop(part, base, end - start)[0] for part, start, end in zip(parts, edges, edges[1:])]
        assert not any(part["name"] in ("MultiplicativeLR", "SWALR") for part in parts[1:])
        return [rate for piece in pieces for rate in piece]
    if len(parts) > 1:
        config = {"name": "SequentialLR", "schedules": parts, "milestones": starts[1:]}
    return loop(config, base, STEPS)[0]


def main() -> None:
    """Draw the cases, run torch and write the file."""
    warnings.simplefilter("ignore")
    arrays, cases = {}, {}
    makers = {name: lambda rng, base, name=name: draw(rng, name, base) for name in LEAVES}
    makers.update(flat_sequence=flat_sequence, flat_chain=flat_chain, nested_sequence=nested_sequence,
                  nested_chain=nested_chain, deep_sequence=deep_sequence)
    for seed, (kind, make) in enumerate(makers.items()):
        rng = random.Random(seed)
        bases = [10 ** rng.uniform(-3, 0.5) for _ in range(CASES)]
        cases[kind] = [{"config": make(rng, base), "base": base} for base in bases]
        arrays[kind] = np.array([curve(case["config"], case["base"]) for case in cases[kind]])
        if kind in ("CyclicLR", "OneCycleLR"):
            arrays[f"{kind}.momentum"] = np.array([loop(case["config"], case["base"], STEPS)[1]
                                                   for case in cases[kind]])
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"torch": torch.__version__, "cases": cases})
    np.savez_compressed(TARGET, cases=np.array(text), **arrays)
    print(f"{TARGET}: {sum(len(array) for array in arrays.values())} curves of {STEPS} steps, "
          f"{TARGET.stat().st_size / 1e6:.1f} MB, torch {torch.__version__}")


if __name__ == "__main__":
    main()
