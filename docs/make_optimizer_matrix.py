"""Write ``docs/optimizers.md`` from what the tests train: ``python docs/make_optimizer_matrix.py``.

A cell says yes only where ``tests/optimizers/test_matrix.py`` trains it; the test suite checks that
the page is up to date.
"""
from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "optimizers.md"

HEAD = """# What can be changed on which optimizer

Made by `python docs/make_optimizer_matrix.py` from the lists that the tests train; do not edit.

**yes**: trained in the tests in GRAPH_MODE and PYNATIVE_MODE on the CPU, and equal to a twin that was
built with the value; with groups too where MindSpore has a value for each group. **graph**: the same,
in GRAPH_MODE only, because MindSpore itself changes no weight with that optimizer in PYNATIVE_MODE on
a CPU. **no**: refused at train begin, with the list of what that optimizer can change. Empty: the
optimizer has no such hyperparameter.

| Optimizer | learning rate | weight decay | other hyperparameters that can be changed | refused |
|---|---|---|---|---|
"""

TAIL = """
## Read, but not trained

| Optimizer | Why the training was not run |
|---|---|
| Lamb | The CPU backend lacks its kernel. Finding the optimizer, its groups, reading and writing what it reads are tested with its own attributes. |
| LARS | The CPU backend lacks its kernel. Trained around Momentum with the kernel's formula in its place: learning rate, weight decay and momentum can be changed. |
| mint AdamW, mint FusedAdamW | The CPU backend lacks their kernel. Nothing of them but the learning rate can be driven. |
| thor | Needs a network of its own layers, made for Ascend or GPU. Reading and writing its learning rate and momentum are tested with its own attributes; its weight decay is refused. |

## Your own optimizer

A subclass of `nn.Optimizer`, or of one of the above, works whether it calls `get_lr()` and
`get_weight_decay()` or reads the attributes itself. The numbers among its attributes that its update reads
(`self.damping`) can be driven by `HyperparameterScheduler("damping", ...)`; whole numbers only where
its constructor takes an argument of that name. `hyperparameters(optimizer)` shows what was found. A learning
rate or weight decay that its code never reads is refused. In an optimizer that wraps another one, that one
is driven.

## Adam while its betas change

Adam keeps running powers of its betas for the bias correction. Under a changing beta they are the
products of the betas that were used, and that is the exact correction: with
`m_t = beta_t m_{t-1} + (1 - beta_t) g_t` the weights of all gradients so far in `m_t` sum to
`1 - prod(beta_i)`, by induction `beta_t (1 - p) + 1 - beta_t = 1 - beta_t p`. torch divides by
`1 - beta_t ** t` instead, and so does `mindspore.experimental.optim.Adam`.

## Why some are refused

MindSpore folds a hyperparameter that is a number into the compiled graph. Where the update takes a
tensor in its place, the number is replaced by a Parameter before the training is compiled, or the
training is compiled again. Where it takes a constant (`rho` of Adadelta, everything of RMSProp), or
a Parameter would compile but give wrong updates (betas and eps of `mindspore.experimental.optim`),
the callback refuses. Rprop uses its learning rate at its first update only; AdaFactor computes its own
step unless `relative_step=False`.
"""  # noqa: E501


def page() -> str:
    """Return the text of the page."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "optimizers")]
    from zoo import KINDS

    rows = []
    for kind in KINDS:
        yes = "yes" if "pynative" in kind.modes else "graph"
        cells = [yes if name in kind.varied else "no" if name in kind.refused else ""
                 for name in ("lr", "weight_decay")]
        others = ", ".join(name for name in kind.varied if name not in ("lr", "weight_decay"))
        refused = ", ".join(name for name in kind.refused if name not in ("lr", "weight_decay"))
        rows.append(f"| {kind.name} | {cells[0]} | {cells[1]} | {others} | {refused} |")
    return HEAD + "\n".join(rows) + "\n" + TAIL


if __name__ == "__main__":
    PAGE.write_text(page())
