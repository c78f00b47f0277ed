"""Links in every Markdown document lead somewhere: files, headings and pictures exist, addresses are well-formed.

Nothing is fetched. Headings are named as GitHub names them, which Sphinx is configured to do as well.
"""
from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(path.relative_to(ROOT).as_posix()
                   for pattern in ("*.md", "docs/**/*.md", ".github/**/*.md", "examples/**/*.md", "tests/**/*.md")
                   for path in ROOT.glob(pattern) if "_build" not in path.parts)


def prose(text: str) -> str:
    """Return a document without its code, which holds no links and no headings."""
    text = re.sub(r"^( *)(`{3,}|~{3,})[^\n]*\n.*?^\1\2 *$", "", text, flags=re.M | re.S)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    return re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", lambda code: "`" + "x" * (len(code[0]) - 2) + "`", text)


def links(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield text, target and whether it is a picture, for each link in prose."""
    label = r"((?:[^\[\]]|\[[^\[\]]*\](?:\([^()]*\))?)*)"
    for bang, words, target in re.findall(rf"(!?)\[{label}\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)", text):
        yield words, target, bool(bang)
        if not bang:
            yield from links(words)
    for target in re.findall(r"^\[[^\]]+\]:\s*(\S+)", text, re.M):
        yield "reference", target, False
    for target in re.findall(r"<img[^>]*\bsrc=\"([^\"]*)\"", text):
        yield "picture", target, True
    for target in re.findall(r"<(https?:[^>\s]*)>", text):
        yield "address", target, False


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading: no markup, no punctuation, hyphens for spaces."""
    heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Return the anchors of a document; a heading that comes again gets a number."""
    code_kept = re.sub(r"^( *)(`{3,}|~{3,})[^\n]*\n.*?^\1\2 *$", "", text, flags=re.M | re.S)
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.*?)(?: +#+)?$", code_kept, re.M):
        name, number = slug(heading), 0
        while (unique := f"{name}-{number}" if number else name) in found:
            number += 1
        found.add(unique)
    found.update(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))
    return found | set(re.findall(r"^\(([\w-]+)\)=$", text, re.M))


def fault(document: Path, words: str, target: str, picture: bool) -> str:
    """Return what is wrong with a link, or nothing."""
    if not words.strip():
        return "has no text"
    parts = urlsplit(target)
    if parts.scheme:
        good = parts.scheme == "https" and re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc)
        return "" if good and not re.search(r"[\s\"<>\\^`{|}]|[.,;:]$", target) else "is no well-formed https address"
    if target.startswith("/"):
        return "is an absolute path"
    path = (document.parent / unquote(parts.path)).resolve() if parts.path else document
    if ROOT not in [path, *path.parents]:
        return "leads out of the project"
    if not path.exists() or (picture and not path.is_file()):
        return "leads to no file"
    if parts.fragment and path.suffix == ".md":
        return "" if unquote(parts.fragment) in anchors(path.read_text(encoding="utf-8")) else "leads to no heading"
    return ""


def test_there_are_documents() -> None:
    assert {"README.md", "README.zh-CN.md", "CONTRIBUTING.md", "docs/index.md"} <= set(DOCUMENTS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    text = prose(path.read_text(encoding="utf-8"))
    faults = [f"[{words}]({target}) {why}" for words, target, picture in links(text)
              if (why := fault(path, words, target, picture))]
    assert not faults


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_path_of_a_machine(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    found = re.findall(r"(?<![\w.:/<}])(?:/(?:home|root|work|opt|tmp|usr|var|mnt|Users)/|[A-Z]:\\|file://)\S*", text)
    assert not found


@pytest.mark.parametrize("text, wanted", [
    ("[a](b.md#c)", [("a", "b.md#c", False)]),
    ("![a](b.png)", [("a", "b.png", True)]),
    ("[![a](b.png)](c.md)", [("![a](b.png)", "c.md", False), ("a", "b.png", True)]),
    ("[a `x[0](1)`](b_(c))", [("a `xxxxxxx`", "b_(c)", False)]),
    ("`[a](b)` and ``[a](`b`)``", []),
    ("```python\n[a](b)\n```\n[c](d)", [("c", "d", False)]),
    ("[a]: b.md\n<https://c.d>", [("reference", "b.md", False), ("address", "https://c.d", False)]),
])
def test_the_reader_of_links(text: str, wanted: list[tuple[str, str, bool]]) -> None:
    assert list(links(prose(text))) == wanted


def test_the_reader_of_headings() -> None:
    text = "# A `b_c`, d!\n## Same\n## Same\n```\n# no\n```\n### 从 PyTorch 迁移\n#### [x](y.md) z\n"
    assert anchors(text) == {"a-b_c-d", "same", "same-1", "从-pytorch-迁移", "x-z"}


@pytest.mark.parametrize("words, target, picture, wanted", [
    ("a", "README.md", False, ""),
    ("a", "README.md#nowhere", False, "leads to no heading"),
    ("a", "nothing.md", False, "leads to no file"),
    ("a", "docs", True, "leads to no file"),
    ("a", "../other/README.md", False, "leads out of the project"),
    ("a", "/README.md", False, "is an absolute path"),
    ("", "README.md", False, "has no text"),
    ("a", "https://example.org/a_(b)", False, ""),
    ("a", "http://example.org", False, "is no well-formed https address"),
    ("a", "https://nowhere", False, "is no well-formed https address"),
    ("a", "https://example.org/a.", False, "is no well-formed https address"),
])
def test_the_judge_of_links(words: str, target: str, picture: bool, wanted: str) -> None:
    assert fault(ROOT / "CONTRIBUTING.md", words, target, picture) == wanted
