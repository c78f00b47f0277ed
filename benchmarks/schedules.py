"""How fast the schedules are: one scalar call, one million values at once.

Run ``python benchmarks/schedules.py``. Where torch is installed, a call stands beside one ``step()``
of torch's class of that name; the ratio says how many calls fit into one step. Microseconds are the
best of several rounds.
"""
from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, Optional

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ms_lr_callbacks import schedules as S  # noqa: E402

CALLS = 1000
ROUNDS = 7
MILLION = np.arange(1_000_000)
TOTAL = 1_000_000
WARM = (S.LinearLR, {"start_factor": 0.01, "total_iters": 100})
COSINE = (S.CosineAnnealingLR, {"T_max": TOTAL})

CASES: Dict[str, Any] = {
    "LambdaLR": (S.LambdaLR, {"lr_lambda": lambda t: 0.999 ** t}),
    "MultiplicativeLR": (S.MultiplicativeLR, {"lr_lambda": lambda t: 0.999}),
    "StepLR": (S.StepLR, {"step_size": 300}),
    "MultiStepLR": (S.MultiStepLR, {"milestones": [300, 600, 900]}),
    "ConstantLR": (S.ConstantLR, {"total_iters": 500}),
    "LinearLR": (S.LinearLR, {"total_iters": 1000}),
    "ExponentialLR": (S.ExponentialLR, {"gamma": 0.999}),
    "PolynomialLR": (S.PolynomialLR, {"total_iters": 2000, "power": 2.0}),
    "CosineAnnealingLR": COSINE,
    "CosineAnnealingLR past T_max": (S.CosineAnnealingLR, {"T_max": 10}),
    "CosineAnnealingWarmRestarts": (S.CosineAnnealingWarmRestarts, {"T_0": 50, "T_mult": 2}),
    "CyclicLR": (S.CyclicLR, {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 100, "mode": "triangular2"}),
    "OneCycleLR": (S.OneCycleLR, {"max_lr": 0.1, "total_steps": TOTAL}),
    "SWALR": (S.SWALR, {"swa_lr": 0.01, "anneal_epochs": 1000}),
    "SequentialLR": (S.SequentialLR, {"schedules": [WARM, COSINE], "milestones": [100]}),
    "ChainedScheduler, product": (S.ChainedScheduler, {"schedules": [WARM, (S.ExponentialLR, {"gamma": 0.999})]}),
    "ChainedScheduler, recursion": (S.ChainedScheduler, {"schedules": [WARM, COSINE]}),
    "InverseSqrtLR": (S.InverseSqrtLR, {"warmup_steps": 100}),
    "NoamLR": (S.NoamLR, {"model_size": 512, "warmup_steps": 100}),
    "WarmupStableDecayLR": (S.WarmupStableDecayLR, {"warmup_steps": 100, "stable_steps": 500, "decay_steps": 500}),
    "warmup(CosineAnnealingLR)": (lambda: S.warmup(S.CosineAnnealingLR(T_max=TOTAL), 100), {}),
    "product of two": (lambda: S.CosineAnnealingLR(T_max=TOTAL) * S.ExponentialLR(0.999), {}),
}


def ours(make: Callable[..., Any], arguments: Dict[str, Any]) -> Any:
    """Return our schedule; those inside a composition are given as (class, arguments)."""
    inner = [ours(*part) for part in arguments.get("schedules", ())]
    return make(**{**arguments, **({"schedules": inner} if inner else {})})


def torchs(make: Callable[..., Any], arguments: Dict[str, Any], optimizer: Any) -> Any:
    """Return torch's scheduler of the same name and arguments."""
    from torch.optim import lr_scheduler, swa_utils

    rest = {key: value for key, value in arguments.items() if key != "schedules"}
    cls = getattr(lr_scheduler, make.__name__, None) or getattr(swa_utils, make.__name__)
    if "schedules" not in arguments:
        return cls(optimizer, **rest)
    inner = [torchs(*part, optimizer) for part in arguments["schedules"]]
    return cls(inner) if make is S.ChainedScheduler else cls(optimizer, inner, **rest)


def microseconds(call: Callable[[int], Any]) -> float:
    """Return the time of one of ``CALLS`` calls, in the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for t in range(CALLS):
            call(t)
        best = min(best, time.perf_counter() - begin)
    return best / CALLS * 1e6


def torch_microseconds(make: Callable[..., Any], arguments: Dict[str, Any]) -> Optional[float]:
    """Return the time of one ``step()`` of torch, or None where there is no such class."""
    try:
        import torch
    except ImportError:
        return None
    if not isinstance(make, type) or not hasattr(torch.optim.lr_scheduler, make.__name__) and make is not S.SWALR:
        return None
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    scheduler = torchs(make, arguments, optimizer)
    optimizer.step()
    return microseconds(lambda t: scheduler.step())


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    print(f"{'schedule':<30} {'call, us':>9} {'torch, us':>10} {'ratio':>6} {'10^6 values, s':>15}  closed form")
    for name, (make, arguments) in CASES.items():
        schedule = ours(make, arguments)
        call = microseconds(lambda t: schedule(t, 0.1))
        step = torch_microseconds(make, arguments)
        begin = time.perf_counter()
        schedule(MILLION, 0.1)
        million = time.perf_counter() - begin
        compared = f"{step:>10.2f} {step / call:>6.1f}" if step else f"{'-':>10} {'-':>6}"
        print(f"{name:<30} {call:>9.2f} {compared} {million:>15.3f}  {'yes' if schedule.closed_form else 'no'}")


if __name__ == "__main__":
    main()
