"""Print the microseconds of one ``scheduler.step()`` of torch on tensor learning rates.

    python benchmarks/torch_step.py GROUPS
"""
from __future__ import annotations

import sys
import time

import torch


def microseconds(groups: int, steps: int = 2000) -> float:
    """Return the median over the steps of a training loop."""
    parameters = [torch.zeros(1, requires_grad=True) for _ in range(groups)]
    optimizer = torch.optim.SGD([{"params": [each], "lr": torch.tensor(0.1)} for each in parameters], lr=0.1,
                                momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    times = []
    for _ in range(steps if groups < 16 else 200):
        for each in parameters:
            each.grad = torch.ones(1)
        optimizer.step()
        begin = time.perf_counter()
        scheduler.step()
        times.append(time.perf_counter() - begin)
    return sorted(times)[len(times) // 2] * 1e6


if __name__ == "__main__":
    print(microseconds(int(sys.argv[1])))
