"""The reference has every public name, the command line every option, the drawing enough contrast."""
from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
from public_names import documented, public_objects

from ms_lr_callbacks.cli import inspect, main, preview, verify

DOCS = Path(__file__).resolve().parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"


def test_every_public_name_is_in_the_reference_once() -> None:
    names = list(documented())
    assert len(names) == len(set(names))
    assert {f"ms_lr_callbacks.{name}" for name in public_objects()} <= set(names)


@pytest.mark.parametrize("command", [preview, inspect, verify], ids=lambda each: each.__name__.rpartition(".")[2])
def test_every_option_of_the_command_line_is_explained(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    name = command.__name__.rpartition(".")[2]
    with pytest.raises(SystemExit):
        main([name, "--help"])
    options = set(re.findall(r"--[a-z]+", capsys.readouterr().out)) - {"--help"}
    page = (DOCS / "api" / "command-line.md").read_text(encoding="utf-8")
    section = page.split(f"## {name}\n")[1].split("\n## ")[0]
    assert options <= set(re.findall(r"--[a-z]+", section))


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb``, as WCAG 2 defines it."""
    parts = [int(colour[start:start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_drawing_is_readable_on_light_and_dark_pages() -> None:
    """Text in its box by WCAG's 4.5; lines on the backgrounds of both themes by its 3 for graphics."""
    drawing = ElementTree.parse(DOCS / "images" / "parts.svg").getroot()
    boxes = [({key: float(each.attrib[key]) for key in ("x", "y", "width", "height")}, each.attrib["fill"])
             for each in drawing.iter(f"{SVG}rect")]
    texts = list(drawing.iter(f"{SVG}text"))
    assert boxes and texts
    for text in texts:
        x, y = float(text.attrib["x"]), float(text.attrib["y"])
        fill, = (colour for box, colour in boxes
                 if box["x"] < x < box["x"] + box["width"] and box["y"] < y < box["y"] + box["height"])
        assert contrast(text.attrib["fill"], fill) >= 4.5
    lines = {each.attrib["stroke"] for each in drawing.iter(f"{SVG}path") if "stroke" in each.attrib}
    assert lines and all(contrast(line, page) >= 3 for line in lines for page in ("#ffffff", "#131416"))
