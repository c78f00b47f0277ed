"""Reading what writers wrote, with other people's readers."""
from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any


def tensorboard(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return (step, value) of every point that TensorBoard shows, by tag."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def csv_file(path: Path) -> dict[str, list[tuple[int, float]]]:
    """Return the columns of a table that are filled, by tag."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return {tag: [(int(row["step"]), float(row[tag])) for row in rows if row[tag] != ""]
            for tag in rows[0] if tag not in ("step", "wall_time")}


def json_lines(path: Path) -> dict[str, list[tuple[int, float]]]:
    """Return what the lines hold, by tag."""
    points: dict[str, list[tuple[int, float]]] = {}
    for line in path.read_text().splitlines():
        values: dict[str, Any] = json.loads(line, parse_constant=_refuse)
        step = values.pop("step")
        values.pop("wall_time")
        for tag, value in values.items():
            points.setdefault(tag, []).append((step, float(value)))
    return points


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")
