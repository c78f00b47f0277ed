"""The golden curves that make_golden.py wrote, and how a case becomes a schedule."""
from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from ms_lr_callbacks import schedules as S

PATH = Path(__file__).resolve().parents[1] / "data" / "schedules_golden.npz"
Case = Tuple[Dict[str, Any], float, np.ndarray]


@lru_cache(maxsize=None)
def _content() -> Tuple[Dict[str, Any], Dict[str, np.ndarray]]:
    with np.load(PATH) as data:
        return json.loads(str(data["cases"]))["cases"], {name: data[name] for name in data.files}


def kinds() -> List[str]:
    return list(_content()[0])


def cases(kind: str, curve: str = "") -> List[Case]:
    """Return (config, base, torch's values) of every case of a kind."""
    described, curves = _content()
    rows = curves[f"{kind}.{curve}" if curve else kind]
    return [(case["config"], case["base"], row) for case, row in zip(described[kind], rows)]


def function(text: str) -> Callable[[Any], float]:
    return eval(f"lambda t: (lambda x: {text})(t)", {"math": math})


def build(config: Dict[str, Any]) -> S.Schedule:
    """Return our schedule for a case; functions of the user stand in it as the text of their body."""
    arguments = {key: value for key, value in config.items() if key != "name"}
    for key in ("lr_lambda", "scale_fn"):
        if arguments.get(key) is not None:
            arguments[key] = function(arguments[key])
    if "schedules" in arguments:
        arguments["schedules"] = [build(part) for part in arguments["schedules"]]
    return getattr(S, config["name"])(**arguments)
