"""Make the numbers of ``tests/data/plateau.json`` with torch: ``python tests/callbacks/make_plateau_golden.py``."""
from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import torch

OUT = Path(__file__).parent.parent / "data" / "plateau.json"


def arguments(draw: random.Random) -> dict[str, Any]:
    groups = draw.choice([1, 2, 3])
    return {
        "mode": draw.choice(["min", "max"]), "factor": draw.choice([0.1, 0.5, 0.9, 0.75]),
        "patience": draw.choice([0, 1, 2, 5]), "threshold": draw.choice([0.0, 1e-4, 0.05]),
        "threshold_mode": draw.choice(["rel", "abs"]), "cooldown": draw.choice([0, 1, 3]),
        "min_lr": draw.choice([0.0, 0.01, [0.02 * (index + 1) for index in range(groups)]]),
        "eps": draw.choice([1e-8, 0.01]), "rates": [0.5 / (index + 1) for index in range(groups)],
    }


def metrics(draw: random.Random) -> list[float]:
    level, seen = draw.uniform(-1.0, 3.0), []
    for epoch in range(60):
        level += draw.choice([-0.1, -0.02, 0.0, 0.0, 0.0, 0.03])
        seen.append(math.nan if draw.random() < 0.03 else 0.0 if draw.random() < 0.03 else level)
    return seen


def rates(given: dict[str, Any], seen: list[float]) -> list[list[float]]:
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in given["rates"]]
    optimizer = torch.optim.SGD([{"params": [p], "lr": lr} for p, lr in zip(parameters, given["rates"])])
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, **{name: value for name, value in given.items() if name != "rates"})
    steps = []
    for metric in seen:
        scheduler.step(metric)
        steps.append([group["lr"] for group in optimizer.param_groups])
    return steps


def main() -> None:
    draw = random.Random(2024)
    cases = []
    for _ in range(60):
        given, seen = arguments(draw), metrics(draw)
        cases.append({"arguments": given, "rates": rates(given, seen),
                      "metrics": [None if math.isnan(each) else each for each in seen]})
    OUT.write_text(json.dumps({"torch": torch.__version__, "cases": cases}))


if __name__ == "__main__":
    main()
