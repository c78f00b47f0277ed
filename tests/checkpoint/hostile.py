"""Ways to damage a checkpoint; each takes it somewhere that must be refused."""
from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from pathlib import Path
from typing import Any, Callable, Iterator

Damage = Callable[[], None]
SUMS, MANIFEST = "SHA256SUMS", "manifest.json"
HOLE = "a hole for hostile text"

# Text that no JSON file of a checkpoint may contain, wherever it stands in it.
HOSTILE_TEXT = [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"9" * 100_000, b"1." + b"3" * 100_000,
                b"[" * 100_000, b'{"a":' * 50_000, b"[" * 500 + b"]" * 500, b'{"a": 1, "a": 1}', b"'x'", b",",
                b"\xff\xfe", b'"\xed\xa0\x80"', b'"\x00"', b"tru", b"0x10", b"01", b"1 2",
                b'{"__float__": "big"}', b'{"__tensor__": "../../x"}', b'{"__tuple__": 1}', b'{"__items__": [[[], 1]]}',
                b'{"__ndarray__": {"dtype": "float64", "shape": [1000000000000], "values": []}}',
                b'{"__ndarray__": {"dtype": "object", "shape": [0], "values": []}}']
WRONG = [None, True, -1, 1.5, 2 ** 63, 10 ** 400, "", "x", "../../etc/passwd", [], [[]], {}, {"a": 1}]
WRONG_NAMES = ["../optimizer.safetensors", "/etc/passwd", "..", ".", "", "a/b", "state.json\n", "a" * 4000,
               "SHA256SUMS", "manifest.json", ".lock", "\u202e", "network.safetensors\x00", "Network.safetensors"]


def files_of(checkpoint: Path) -> list[str]:
    return sorted(os.listdir(checkpoint))


def cuts(checkpoint: Path, count: int) -> Iterator[tuple[str, Damage]]:
    """Every file cut at lengths evenly spread from nothing to one byte less."""
    names = files_of(checkpoint)
    for name in names:
        size = (checkpoint / name).stat().st_size
        for length in _grid(size, count // len(names)):
            yield f"cut {name} to {length}", lambda n=name, k=length: os.truncate(checkpoint / n, k)


def flips(checkpoint: Path, count: int, rng: random.Random) -> Iterator[tuple[str, Damage]]:
    """One bit of every file flipped, evenly spread from the first bit to the last."""
    names = files_of(checkpoint)
    for name in names:
        bits = 8 * (checkpoint / name).stat().st_size
        for position in _grid(bits, count // len(names)):
            bit = min(position + rng.randrange(8), bits - 1)
            yield f"flip bit {bit} of {name}", lambda n=name, b=bit: _flip(checkpoint / n, b)


def _grid(size: int, count: int) -> list[int]:
    return sorted({size * index // count for index in range(count)})


def _flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def swaps(checkpoint: Path, others: list[Path]) -> Iterator[tuple[str, Damage]]:
    """Files of other checkpoints: one, all but one, the manifest with its sums, the whole."""
    names = files_of(checkpoint)
    sets = [[name] for name in names] + [[n for n in names if n != name] for name in names]
    sets += [[SUMS, MANIFEST], [SUMS, MANIFEST, "state.json"], ["state.json", "state.safetensors"]]
    for other in others:
        for chosen in sets + ([names] if other.name != checkpoint.name else []):
            yield f"{'+'.join(chosen)} of {other}", lambda c=chosen, o=other: _copy(c, o, checkpoint)
    for one in names:
        for two in names:
            if one < two:
                yield f"{one} and {two} exchanged", lambda a=one, b=two: _exchange(checkpoint / a, checkpoint / b)


def _copy(names: list[str], source: Path, target: Path) -> None:
    for name in names:
        shutil.copyfile(source / name, target / name)


def _exchange(one: Path, two: Path) -> None:
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def replacements(checkpoint: Path) -> Iterator[tuple[str, Damage]]:
    """Files missing, empty, longer, and replaced by what is no file; things that do not belong."""
    for name in files_of(checkpoint):
        path = checkpoint / name
        aside = checkpoint.parent / f"aside-{name}"

        def missing(path: Path = path) -> None:
            path.unlink()

        def link(path: Path = path, aside: Path = aside) -> None:
            path.rename(aside)
            path.symlink_to(aside)

        def directory(path: Path = path) -> None:
            path.unlink()
            path.mkdir()

        def pipe(path: Path = path) -> None:
            path.unlink()
            os.mkfifo(path)

        def device(path: Path = path) -> None:
            path.unlink()
            path.symlink_to("/dev/zero")

        def loop(path: Path = path) -> None:
            path.unlink()
            path.symlink_to(path.name)

        def empty(path: Path = path) -> None:
            path.write_bytes(b"")

        def longer(path: Path = path) -> None:
            path.write_bytes(path.read_bytes() + b"\n")

        def huge(path: Path = path) -> None:
            os.truncate(path, 2 ** 40)

        def zeroed(path: Path = path) -> None:
            path.write_bytes(bytes(path.stat().st_size))

        def renamed(path: Path = path) -> None:
            path.rename(path.with_name(path.name.upper() + "x"))

        for damage in (missing, link, directory, pipe, device, loop, empty, longer, huge, zeroed, renamed):
            yield f"{name} {damage.__name__}", damage
    for extra in ("extra.safetensors", ".hidden", "state.json~", "part-00001.json"):
        yield f"extra file {extra}", lambda e=extra: (checkpoint / e).write_bytes(b"{}")
    yield "extra directory", lambda: (checkpoint / "more").mkdir()

    def linked() -> None:
        checkpoint.rename(checkpoint.parent / "moved")
        checkpoint.symlink_to("moved")

    def emptied() -> None:
        shutil.rmtree(checkpoint)
        checkpoint.mkdir()

    def file_instead() -> None:
        shutil.rmtree(checkpoint)
        checkpoint.write_bytes(b"{}")

    yield "the checkpoint is a link", linked
    yield "the checkpoint is empty", emptied
    yield "the checkpoint is a file", file_instead


def signed(checkpoint: Path, rng: random.Random) -> Iterator[tuple[str, Damage]]:
    """Hostile content whose sizes and digests are right, as an attacker would make it. Endless."""
    manifest = json.loads((checkpoint / MANIFEST).read_text("utf-8"))
    state = json.loads((checkpoint / "state.json").read_text("utf-8"))
    while True:
        text = rng.choice(HOSTILE_TEXT)
        holed, where = _with(state, HOLE, rng)
        yield f"state{where} is {text[:40]!r}", lambda h=holed, t=text: _state(checkpoint, h, t)
        holed, where = _with(manifest, HOLE, rng)
        yield f"manifest{where} is {text[:40]!r}", lambda h=holed, t=text: _manifest(checkpoint, h, t)
        value = rng.choice(WRONG)
        wrong, where = _with(manifest, value, rng)
        if wrong != manifest and not (where.endswith("['step']") and value is None):
            yield f"manifest{where} is {str(value)[:40]}", lambda w=wrong: _manifest(checkpoint, w)
        name = rng.choice(WRONG_NAMES)
        yield f"a file called {name[:40]!r}", lambda n=name: _rename_listed(checkpoint, manifest, n)
        yield from _headers(checkpoint, rng)


def _headers(checkpoint: Path, rng: random.Random) -> Iterator[tuple[str, Damage]]:
    name = rng.choice(["network.safetensors", "optimizer.safetensors", "state.safetensors"])
    data = (checkpoint / name).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8:start]), data[start:]
    length = rng.choice([0, 1, start - 9, start - 7, len(data) - 8, len(data), 2 ** 25, 2 ** 31, 2 ** 63, 2 ** 64 - 1])
    changed = length.to_bytes(8, "little") + data[8:]
    yield f"{name}: header of {length} bytes", lambda: _sign(checkpoint, name, changed)
    value = rng.choice(WRONG)
    wrong, where = _with(header, value, rng)
    # Another zero-length axis of an empty tensor is a different, sound file: not damage.
    if wrong != header and "'empty'" not in where:
        yield (f"{name}: header{where} is {str(value)[:40]}",
               lambda: _sign(checkpoint, name, _tensor_file(json.dumps(wrong).encode(), body)))
    text = rng.choice(HOSTILE_TEXT)
    holed, hole = _with(header, HOLE, rng)
    yield (f"{name}: header{hole} is {text[:40]!r}",
           lambda: _sign(checkpoint, name, _tensor_file(_filled(holed, text), body)))
    more = rng.randrange(1, 100)
    yield f"{name}: {more} bytes more", lambda: _sign(checkpoint, name, data + bytes(more))
    yield f"{name}: {more} bytes less", lambda: _sign(checkpoint, name, data[:-more])


def _with(tree: Any, value: Any, rng: random.Random) -> tuple[Any, str]:
    """A copy of a JSON tree with one node, at any depth, replaced; and where that was."""
    tree = json.loads(json.dumps(tree))
    where = ""
    node, parent, key = tree, None, None
    while True:
        if isinstance(node, (dict, list)) and node and (parent is None or rng.random() < 0.8):
            parent, key = node, rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
            where += f"[{key!r}]"
            node = node[key]
        else:
            parent[key] = value
            return tree, where


def _filled(tree: Any, text: bytes) -> bytes:
    return json.dumps(tree).encode().replace(json.dumps(HOLE).encode(), text)


def _state(checkpoint: Path, tree: Any, text: bytes) -> None:
    _sign(checkpoint, "state.json", _filled(tree, text))


def _manifest(checkpoint: Path, tree: Any, text: bytes = b"null") -> None:
    (checkpoint / MANIFEST).write_bytes(_filled(tree, text))
    _sum(checkpoint)


def _rename_listed(checkpoint: Path, manifest: Any, name: str) -> None:
    files = dict(manifest["files"])
    files[name] = files.pop("network.safetensors")
    (checkpoint / MANIFEST).write_text(json.dumps({**manifest, "files": files}), "utf-8")
    _sum(checkpoint, {"network.safetensors": name})


def _tensor_file(header: bytes, body: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + body


def _sign(checkpoint: Path, name: str, content: bytes) -> None:
    """Put ``content`` at ``name`` and make sizes and digests right."""
    (checkpoint / name).write_bytes(content)
    manifest = json.loads((checkpoint / MANIFEST).read_text("utf-8"))
    manifest["files"][name]["bytes"] = len(content)
    (checkpoint / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    _sum(checkpoint)


def _sum(checkpoint: Path, names: dict[str, str] = {}) -> None:
    lines = []
    for name in files_of(checkpoint):
        if name != SUMS:
            digest = hashlib.sha256((checkpoint / name).read_bytes()).hexdigest()
            lines.append((names.get(name, name), digest))
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(lines))
    (checkpoint / SUMS).write_text(text, "utf-8")
