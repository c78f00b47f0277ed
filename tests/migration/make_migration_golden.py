"""Write ``tests/data/migration.json``: what the PyTorch code of the migration guide leaves in ``result``.

    python tests/migration/make_migration_golden.py

Needs a Python with torch, NumPy and tensorboard; MindSpore is not needed. Each piece runs in a folder of its
own; pickle files that it leaves there are kept as well, for the MindSpore piece of the same name. Beside
the numbers stands a digest of the code that made them, so that the tests notice when they are old.
"""
from __future__ import annotations

import base64
import inspect
import json
import os
import runpy
import tempfile
from pathlib import Path
from typing import Any

import torch
from migration_pages import DATA, digest, names, optimizer_rows, plain, script


def run(name: str) -> dict[str, Any]:
    """Run one piece; return its numbers, its files and the digest of its code."""
    code = script("torch", name)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("piece.py").write_text(code, encoding="utf-8")
        result = plain(runpy.run_path("piece.py")["result"])
        files = {path.name: base64.b64encode(path.read_bytes()).decode() for path in sorted(Path().glob("*.pkl"))}
        os.chdir("/")
    return {"digest": digest(code), "result": result, "files": files}


def signatures() -> dict[str, dict[str, Any]]:
    """Return the arguments and defaults of torch's optimizers that the guide names."""
    classes = {row[0].split("(")[0] for row in optimizer_rows() if row[0]}
    return {name: {each.name: each.default for each in inspect.signature(getattr(torch.optim, name)).parameters.values()
                   if each.default is not inspect.Parameter.empty} for name in sorted(classes)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    rows = {name: run(name) for name in names()}
    DATA.write_text(json.dumps({"torch": torch.__version__, "signatures": signatures(), "rows": rows}, indent=1) + "\n",
                    encoding="utf-8")
