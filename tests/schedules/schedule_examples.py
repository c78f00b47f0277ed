"""One or more schedules of every class, for tests that hold for all of them."""
from __future__ import annotations

from typing import Dict

from ms_lr_callbacks import schedules as S

# By a readable name; all of these have a closed form and no function of the user.
CLOSED: Dict[str, S.Schedule] = {
    "StepLR": S.StepLR(7, 0.5),
    "StepLR growing": S.StepLR(50, 1.1),
    "StepLR to zero": S.StepLR(3, 0.0),
    "MultiStepLR": S.MultiStepLR([3, 30, 30, 70], 0.3),
    "MultiStepLR none": S.MultiStepLR([]),
    "ConstantLR": S.ConstantLR(0.3, 10),
    "ConstantLR zero": S.ConstantLR(0.0, 10),
    "ConstantLR for ever": S.ConstantLR(0.3, 0),
    "LinearLR": S.LinearLR(0.1, 0.0, 50),
    "LinearLR for ever": S.LinearLR(0.1, 0.5, 0),
    "ExponentialLR": S.ExponentialLR(0.97),
    "ExponentialLR slow": S.ExponentialLR(0.99999),
    "PolynomialLR": S.PolynomialLR(80, 1.7),
    "PolynomialLR line": S.PolynomialLR(80),
    "PolynomialLR root": S.PolynomialLR(80, 0.5),
    "PolynomialLR for ever": S.PolynomialLR(0),
    "CosineAnnealingLR": S.CosineAnnealingLR(37, 1e-3),
    "CosineAnnealingLR one": S.CosineAnnealingLR(1),
    "CosineAnnealingLR rising": S.CosineAnnealingLR(37, 50.0),
    "CosineAnnealingWarmRestarts": S.CosineAnnealingWarmRestarts(10),
    "CosineAnnealingWarmRestarts growing": S.CosineAnnealingWarmRestarts(10, 2, 1e-4),
    "CosineAnnealingWarmRestarts rising": S.CosineAnnealingWarmRestarts(10, 2, 50.0),
    "CyclicLR": S.CyclicLR(0.01, 0.1, 7, 5),
    "CyclicLR triangular2": S.CyclicLR(0.01, 0.1, 7, mode="triangular2"),
    "CyclicLR exp_range": S.CyclicLR(0.01, 0.1, 7, mode="exp_range", gamma=0.99),
    "CyclicLR momentum": S.CyclicLR(0.01, 0.1, 7, 5).momentum_schedule(),
    "OneCycleLR": S.OneCycleLR(0.1, 400),
    "OneCycleLR linear": S.OneCycleLR(0.1, 401, pct_start=0.33, three_phase=True, anneal_strategy="linear"),
    "OneCycleLR epochs": S.OneCycleLR(0.1, epochs=4, steps_per_epoch=100),
    "OneCycleMomentum": S.OneCycleLR(0.1, 400).momentum_schedule(),
    "SWALR": S.SWALR(0.01, 20),
    "SWALR linear": S.SWALR(0.01, 20, "linear"),
    "SWALR at once": S.SWALR(0.01, 0),
    "InverseSqrtLR": S.InverseSqrtLR(20),
    "InverseSqrtLR timescale": S.InverseSqrtLR(20, timescale=7),
    "InverseSqrtLR cold": S.InverseSqrtLR(0),
    "NoamLR": S.NoamLR(64, 30, factor=2.0),
    "WarmupStableDecayLR": S.WarmupStableDecayLR(10, 20, 30),
    "WarmupStableDecayLR cosine": S.WarmupStableDecayLR(10, 20, 30, "cosine", 0.1),
    "WarmupStableDecayLR 1-sqrt": S.WarmupStableDecayLR(0, 20, 30, "1-sqrt"),
    "WarmupStableDecayLR steep": S.WarmupStableDecayLR(10, 20, 0, min_lr_ratio=0.2),
    "Warmup": S.warmup(S.CosineAnnealingLR(50), 10),
    "Warmup of nothing": S.warmup(S.StepLR(10), 0),
    "Warmup from half": S.warmup(S.OneCycleLR(0.1, 400), 20, start_factor=0.5),
    "SequentialLR": S.SequentialLR([S.LinearLR(0.01, total_iters=10), S.CosineAnnealingLR(30)], [10]),
    "SequentialLR nested": S.SequentialLR(
        [S.SequentialLR([S.LinearLR(0.01, total_iters=10), S.ExponentialLR(0.9)], [10]),
         S.SequentialLR([S.CosineAnnealingLR(30), S.SWALR(0.03, 5)], [25])], [20]),
    "SequentialLR skips": S.SequentialLR([S.StepLR(1), S.StepLR(2), S.ConstantLR(0.5)], [0, 0]),
    "ChainedScheduler": S.ChainedScheduler([S.LinearLR(0.1), S.ExponentialLR(0.9)]),
    "ProductLR": S.CosineAnnealingWarmRestarts(10) * S.ExponentialLR(0.99),
}
# These have no closed form; they too hold no function of the user.
OPEN: Dict[str, S.Schedule] = {
    "ChainedScheduler cosine": S.ChainedScheduler([S.ExponentialLR(0.99), S.CosineAnnealingLR(30, 1e-3)]),
    "ChainedScheduler nested": S.ChainedScheduler([S.ConstantLR(0.5, 20), CLOSED["SequentialLR nested"]]),
    "SequentialLR of a chain": S.SequentialLR(
        [S.LinearLR(0.1), S.ChainedScheduler([S.ExponentialLR(0.99), S.CosineAnnealingLR(30)])], [5]),
}
PLAIN = {**CLOSED, **OPEN}
# With a function of the user.
WITH_FUNCTION: Dict[str, S.Schedule] = {
    "LambdaLR": S.LambdaLR(lambda t: 0.99 ** t),
    "MultiplicativeLR": S.MultiplicativeLR(lambda t: 0.9 if t % 7 == 3 else 1.0),
    "CyclicLR scale_fn": S.CyclicLR(0.01, 0.1, 7, scale_fn=lambda n: 1 / n),
    "function": S.warmup(lambda t, base: base / (1 + t), 10),
    "SequentialLR of functions": S.SequentialLR(
        [S.LinearLR(0.1), S.MultiplicativeLR(lambda t: 0.99), lambda t, base: base], [30, 60]),
}
ALL = {**PLAIN, **WITH_FUNCTION}
