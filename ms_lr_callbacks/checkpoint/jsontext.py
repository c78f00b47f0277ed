"""JSON that cannot hurt the reader: standard, bounded in size, depth and digits, no key twice.

Python's own parser accepts ``NaN``, reads ``1e999`` as infinity, keeps the last of two equal keys,
takes seconds for an integer of a million digits and overflows the stack where the recursion limit
was raised (frameworks do that). Each of these is refused here with a ``ValueError`` that says why.
"""
from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, NoReturn

import numpy as np

MAX_BYTES = 32 * 2 ** 20
MAX_DEPTH = 100
MAX_DIGITS = 1000


def dump(value: Any) -> bytes:
    """Readable UTF-8 JSON; raises ValueError for what standard JSON cannot say (NaN, infinity)."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8") + b"\n"


def load(data: bytes, max_bytes: int = MAX_BYTES) -> Any:
    """Parse JSON from a source that nobody vouches for.

    Args:
        data: UTF-8 text, at most ``max_bytes`` bytes.
        max_bytes: Limit in bytes; parsed objects take many times the text's memory.

    Raises:
        ValueError: Anything that is not plain standard JSON within the limits.

    Example:
        >>> load(b'{"a": [1, 2.5, null]}')
        {'a': [1, 2.5, None]}
        >>> load(b'{"a": NaN}')
        Traceback (most recent call last):
            ...
        ValueError: NaN is not JSON
    """
    if len(data) > max_bytes:
        raise ValueError(f"{len(data)} bytes of JSON, more than the {max_bytes} that are read")
    depth = _depth(data)
    if depth > MAX_DEPTH:
        raise ValueError(f"JSON nested {depth} deep, more than {MAX_DEPTH}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
    return json.loads(text, object_pairs_hook=_object, parse_int=_integer,
                      parse_float=_float, parse_constant=_constant)


def _depth(data: bytes) -> int:
    """Deepest nesting, found without recursion; right up to the first syntax error."""
    outside = b"".join(data.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    codes = np.frombuffer(outside, np.uint8)
    brackets = codes[np.isin(codes, np.frombuffer(b"[]{}", np.uint8))]
    if not brackets.size:
        return 0
    opening = (brackets == ord("[")) | (brackets == ord("{"))
    return int(np.cumsum(np.where(opening, 1, -1)).max())


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"key {twice[:80]!r} stands twice in one object")
    return result


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits, more than {MAX_DIGITS}")
    return int(text)


def _float(text: str) -> float:
    value = float(text) if len(text) <= MAX_DIGITS else math.inf
    if not math.isfinite(value):
        raise ValueError(f"number {text[:40]} is out of the range of a float")
    return value


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")
