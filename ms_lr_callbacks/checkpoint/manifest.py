"""What a checkpoint is made of: ``manifest.json`` and ``SHA256SUMS``.

``SHA256SUMS`` has one line per file, the manifest included, in the form that ``sha256sum -c``
checks; it is written last and accepted only byte for byte as this module writes it, so no bit in
it can change unseen. The manifest names the step, the number of ranks and every file with its size.
Its identity, new for every save, also stands in the metadata of each tensor file and in each part
a rank contributes, so that no file of another checkpoint can take its place.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Mapping, Optional

from ms_lr_callbacks.checkpoint import jsontext
from ms_lr_callbacks.checkpoint.names import (MANIFEST, MAX_RANKS, MAX_STEP, STATE, SUMS, is_section,
                                              state_file, tensor_file)

FORMAT = "ms_lr_callbacks.checkpoint"
VERSION = 1

_LINE = re.compile(r"([0-9a-f]{64})  ([a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})", re.ASCII)
_IDENTITY = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
_KEYS = {"format", "version", "id", "step", "world_size", "files"}


@dataclass(frozen=True)
class FileEntry:
    """One file of a checkpoint.

    Attributes:
        nbytes: Size in bytes.
        rank: Which rank wrote it.
        section: The tensors' section; None for the rank's state in JSON.
    """

    nbytes: int
    rank: int
    section: Optional[str]

    def name(self, world_size: int) -> str:
        """The one name that such a file may have."""
        if self.section is None:
            return state_file(self.rank, world_size)
        return tensor_file(self.section, self.rank, world_size)


@dataclass(frozen=True)
class Manifest:
    """The content of ``manifest.json``.

    Attributes:
        identity: Lower-case hexadecimal digits, new for every save.
        step: Optimizer updates done.
        world_size: Number of ranks that wrote files.
        files: Every file but the manifest and the sums, by name.
    """

    identity: str
    step: int
    world_size: int
    files: Mapping[str, FileEntry]

    def to_json(self) -> bytes:
        """The text of ``manifest.json``."""
        files = {name: entry_to_json(entry) for name, entry in sorted(self.files.items())}
        return jsontext.dump({"format": FORMAT, "version": VERSION, "id": self.identity,
                              "step": self.step, "world_size": self.world_size, "files": files})

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """Read and check ``manifest.json``.

        Raises:
            ValueError: It is not a manifest that this version of the store could have written.
        """
        content = jsontext.load(text)
        if type(content) is not dict or content.get("format") != FORMAT:
            raise ValueError(f"not a manifest of the format {FORMAT}")
        if type(content.get("version")) is not int or content["version"] != VERSION:
            raise ValueError(f"format version {str(content.get('version'))[:20]}, but this release reads "
                             f"{VERSION}; use the release that wrote it")
        if set(content) != _KEYS:
            raise ValueError(f"keys {sorted(set(content) ^ _KEYS)} are missing or unknown")
        world_size = _within(content["world_size"], 1, MAX_RANKS, "world_size")
        if type(content["files"]) is not dict:
            raise ValueError("files is not an object")
        files = {name: entry_from_json(name, entry, world_size)
                 for name, entry in content["files"].items()}
        missing = [rank for rank in range(world_size) if state_file(rank, world_size) not in files]
        if missing:
            raise ValueError(f"rank {missing[0]} has no state")
        return cls(checked_identity(content["id"]), _within(content["step"], 0, MAX_STEP, "step"),
                   world_size, files)


def entry_to_json(entry: FileEntry) -> dict[str, Any]:
    """A file's entry as it stands in a manifest."""
    return {"bytes": entry.nbytes, "rank": entry.rank, "section": entry.section}


def entry_from_json(name: str, value: Any, world_size: int) -> FileEntry:
    """Check the entry of the file ``name``; raises ValueError."""
    if type(value) is not dict or set(value) != {"bytes", "rank", "section"}:
        raise ValueError(f"the entry of {name[:80]!r} lacks one of bytes, rank, section, or has more")
    section = value["section"]
    if section is not None and section != STATE and not is_section(section):
        raise ValueError(f"the section of {name[:80]!r} has no possible name")
    entry = FileEntry(_within(value["bytes"], 0, 2 ** 62, "bytes"),
                      _within(value["rank"], 0, world_size - 1, "rank"), section)
    if entry.name(world_size) != name:
        raise ValueError(f"{name[:80]!r} is not the file of section {section} of rank {entry.rank}")
    return entry


def checked_identity(value: Any) -> str:
    """``value`` if it is an identity; raises ValueError."""
    if type(value) is not str or _IDENTITY.fullmatch(value) is None:
        raise ValueError("the identity is not one")
    return value


def checked_sha256(value: Any) -> str:
    """``value`` if it is a SHA-256 in lower-case hexadecimal digits; raises ValueError."""
    if type(value) is not str or re.fullmatch("[0-9a-f]{64}", value, re.ASCII) is None:
        raise ValueError("a digest is not one")
    return value


def _within(value: Any, low: int, high: int, name: str) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} is not an integer from {low} to {high}")
    return value


def sums_to_text(digests: Mapping[str, str]) -> bytes:
    """The text of ``SHA256SUMS`` for file name -> SHA-256.

    >>> sums_to_text({"b": "1" * 64, "a": "0" * 64}).decode().split()[1::2]
    ['a', 'b']
    """
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode("ascii")


def sums_from_text(text: bytes) -> dict[str, str]:
    """Read ``SHA256SUMS``.

    Raises:
        ValueError: It differs in any byte from what ``sums_to_text`` writes, or lacks the manifest.
    """
    digests = {}
    for line in text.decode("ascii", errors="replace").split("\n")[:-1]:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"the line {line[:90]!r} is not a digest and a file name")
        digests[match.group(2)] = match.group(1)
    if MANIFEST not in digests or SUMS in digests or sums_to_text(digests) != text:
        raise ValueError("it does not list the files of a checkpoint once each and in order")
    return digests
