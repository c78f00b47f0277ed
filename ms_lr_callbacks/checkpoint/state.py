"""The caller's state as JSON and back, every value exactly as it was.

What JSON has is written as JSON. What it lacks is an object with one reserved key:

=================================  ====================================================
``{"__float__": "inf"}``           ``inf``, ``-inf`` or ``nan``
``{"__tuple__": [...]}``           a tuple
``{"__items__": [[k, v], ...]}``   a dict whose keys are not all strings
``{"__scalar__": {...}}``          a NumPy scalar: dtype and value
``{"__ndarray__": {...}}``         an array of up to 64 entries: dtype, shape, values in C order
``{"__tensor__": "name"}``         a larger array, kept in the section ``state`` under that name
=================================  ====================================================

Anything else is refused when it is saved, with the path of keys that leads to it. Subclasses of
dict come back as dict. Of a float NaN the payload is lost inside JSON, nothing else.
"""
from __future__ import annotations

import math
from typing import Any, Callable, Mapping

import numpy as np

from ms_lr_callbacks.checkpoint import jsontext
from ms_lr_callbacks.checkpoint.tensors import DTYPES, TensorRecord

INLINE_ENTRIES = 64
MAX_ITEMS = 10_000
"""Limit of a dict with other keys than strings; integers can be chosen so that all of them collide."""

MAX_ARRAY_BYTES = 2 ** 30
"""Limit of the larger arrays of one state together; they are read to verify a checkpoint."""

_MAX_NESTING = jsontext.MAX_DEPTH - 4  # room for the innermost value's own tags
_MAX_BITS = 3300  # just under jsontext.MAX_DIGITS decimal digits
_ARRAY_DTYPES = {name: dtype for name, (_, dtype) in DTYPES.items() if name != "bfloat16"}


def encode_state(state: Mapping[str, Any]) -> tuple[bytes, dict[str, TensorRecord]]:
    """Turn a state into JSON text and the larger arrays that stand beside it.

    Args:
        state: Nested dicts, lists, tuples, str, int, float, bool, None, NumPy scalars and arrays.
            Nothing of it is kept: it may be changed as soon as this returns.

    Returns:
        The JSON text, and the arrays of more than 64 entries by name (copies).

    Raises:
        TypeError: A value of another type; the message has its key path.
        ValueError: An integer, a text or a nesting beyond what a reader accepts.

    Example:
        >>> text, arrays = encode_state({"step": 3, "best": float("inf")})
        >>> print(text.decode(), len(arrays))
        {
         "step": 3,
         "best": {
          "__float__": "inf"
         }
        }
         0
        >>> decode_state(text, arrays)
        {'step': 3, 'best': inf}
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"state is a {type(state).__name__}; pass a dict")
    encoder = _Encoder()
    text = jsontext.dump(encoder.encode(dict(state), "state", 1))
    if len(text) > jsontext.MAX_BYTES:
        raise ValueError(f"state makes {len(text)} bytes of JSON, more than {jsontext.MAX_BYTES}; "
                         "hold long histories in NumPy arrays")
    held = sum(array.nbytes for array in encoder.arrays.values())
    if held > MAX_ARRAY_BYTES:
        raise ValueError(f"state holds arrays of {held} bytes, more than {MAX_ARRAY_BYTES}; "
                         "pass them as tensors of a section")
    return text, encoder.arrays


def decode_state(text: bytes, arrays: Mapping[str, TensorRecord]) -> dict[str, Any]:
    """The inverse of ``encode_state``; trusts nothing.

    Raises:
        ValueError: The text is not what ``encode_state`` writes, or names an array that is missing.
    """
    decoder = _Decoder(arrays)
    state = decoder.decode(jsontext.load(text))
    if type(state) is not dict:
        raise ValueError(f"the state is a {type(state).__name__} and not an object")
    unused = sorted(set(arrays) - decoder.used)
    if unused:
        raise ValueError(f"array {unused[0]!r} belongs to nothing in the state")
    return state


class _Encoder:
    def __init__(self) -> None:
        self.arrays: dict[str, TensorRecord] = {}

    def encode(self, value: Any, path: str, depth: int) -> Any:
        if depth > _MAX_NESTING:
            raise ValueError(f"{path[:200]}: nested more than {_MAX_NESTING} deep")
        if value is None or type(value) is bool:
            return value
        if isinstance(value, (np.ndarray, np.generic)):
            return self._numpy(value, path)
        if type(value) is int:
            return _checked_int(value, path)
        if type(value) is float:
            return value if math.isfinite(value) else {"__float__": _name_of(value)}
        if type(value) is str:
            return _checked_text(value, path)
        if type(value) is list:
            return self._sequence(value, path, depth)
        if type(value) is tuple:
            return {"__tuple__": self._sequence(value, path, depth + 1)}
        if isinstance(value, dict):
            return self._dict(value, path, depth)
        raise TypeError(f"{path}: a {type(value).__name__} cannot be stored in a checkpoint; use "
                        "None, bool, int, float, str, list, tuple, dict, NumPy scalars or arrays")

    def _sequence(self, value: Any, path: str, depth: int) -> list[Any]:
        return [self.encode(entry, f"{path}[{index}]", depth + 1) for index, entry in enumerate(value)]

    def _dict(self, value: dict[Any, Any], path: str, depth: int) -> dict[str, Any]:
        if all(type(key) is str and key not in _TAGS for key in value):
            return {_checked_text(key, path): self.encode(entry, f"{path}[{key!r}]", depth + 1)
                    for key, entry in value.items()}
        if len(value) > MAX_ITEMS:
            raise ValueError(f"{path}: a dict of {len(value)} entries whose keys are not all strings; "
                             f"at most {MAX_ITEMS} are stored: hold them in NumPy arrays")
        pairs = [[self.encode(key, f"{path}: key {key!r}", depth + 3),
                  self.encode(entry, f"{path}[{key!r}]", depth + 3)] for key, entry in value.items()]
        return {"__items__": pairs}

    def _numpy(self, value: Any, path: str) -> dict[str, Any]:
        name = value.dtype.name
        if name not in _ARRAY_DTYPES:
            raise TypeError(f"{path}: NumPy dtype {name} cannot be stored; "
                            f"use one of {', '.join(_ARRAY_DTYPES)}")
        if isinstance(value, np.generic):
            return {"__scalar__": {"dtype": name, "value": _plain(value.item())}}
        if value.size <= INLINE_ENTRIES:
            values = [_plain(entry) for entry in value.ravel(order="C").tolist()]
            return {"__ndarray__": {"dtype": name, "shape": list(value.shape), "values": values}}
        if path in self.arrays:  # keys that differ may be written alike
            path = f"{path} ({len(self.arrays)})"
        self.arrays[_checked_text(path, "state")] = TensorRecord.of(np.array(value, order="C"))
        return {"__tensor__": path}


def _checked_int(value: int, path: str) -> int:
    if value.bit_length() > _MAX_BITS:
        raise ValueError(f"{path}: an integer of {value.bit_length()} bits; at most {_MAX_BITS} are stored")
    return value


def _checked_text(value: str, path: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{path}: {value[:40]!r} is not valid Unicode text") from None
    return value


def _name_of(value: float) -> str:
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _plain(value: Any) -> Any:
    """A NumPy entry as a JSON value; a float that JSON lacks by its name."""
    return _name_of(value) if type(value) is float and not math.isfinite(value) else value


_NON_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


class _Decoder:
    def __init__(self, arrays: Mapping[str, TensorRecord]) -> None:
        self._arrays = arrays
        self.used: set[str] = set()

    def decode(self, value: Any) -> Any:
        if type(value) is list:
            return [self.decode(entry) for entry in value]
        if type(value) is not dict:
            return value
        tags = [key for key in value if key in _TAGS]
        if not tags:
            return {key: self.decode(entry) for key, entry in value.items()}
        if len(value) != 1:
            raise ValueError(f"{tags[0]} does not stand alone in its object")
        return _TAGS[tags[0]](self, value[tags[0]])

    def _float(self, body: Any) -> float:
        if type(body) is not str or body not in _NON_FINITE:
            raise ValueError(f"__float__ holds {_short(body)}, not inf, -inf or nan")
        return _NON_FINITE[body]

    def _tuple(self, body: Any) -> tuple[Any, ...]:
        if type(body) is not list:
            raise ValueError(f"__tuple__ holds {_short(body)}, not a list")
        return tuple(self.decode(entry) for entry in body)

    def _items(self, body: Any) -> dict[Any, Any]:
        if type(body) is not list or len(body) > MAX_ITEMS or not all(
                type(pair) is list and len(pair) == 2 for pair in body):
            raise ValueError(f"__items__ holds something else than at most {MAX_ITEMS} pairs")
        try:
            result = {self.decode(key): self.decode(entry) for key, entry in body}
        except TypeError:
            raise ValueError("__items__ has a key that cannot be one") from None
        if len(result) != len(body):
            raise ValueError("__items__ has the same key twice")
        return result

    def _scalar(self, body: Any) -> Any:
        dtype, value = _fields(body, "__scalar__", "dtype", "value")
        return _array(dtype, [], [value])[()]

    def _ndarray(self, body: Any) -> Any:
        return _array(*_fields(body, "__ndarray__", "dtype", "shape", "values"))

    def _tensor(self, body: Any) -> Any:
        if type(body) is not str or body not in self._arrays or body in self.used:
            raise ValueError(f"__tensor__ names {_short(body)}, which is not an array of this state")
        self.used.add(body)
        return self._arrays[body].array


_TAGS: dict[str, Callable[[_Decoder, Any], Any]] = {
    "__float__": _Decoder._float,
    "__tuple__": _Decoder._tuple,
    "__items__": _Decoder._items,
    "__scalar__": _Decoder._scalar,
    "__ndarray__": _Decoder._ndarray,
    "__tensor__": _Decoder._tensor,
}


def _short(value: Any) -> str:
    return repr(value)[:60] if isinstance(value, (str, int, float)) else type(value).__name__


def _fields(body: Any, tag: str, *names: str) -> list[Any]:
    if type(body) is not dict or set(body) != set(names):
        raise ValueError(f"{tag} holds something else than {', '.join(names)}")
    return [body[name] for name in names]


def _array(name: Any, shape: Any, values: Any) -> Any:
    if type(name) is not str or name not in _ARRAY_DTYPES:
        raise ValueError(f"dtype {_short(name)} is unknown")
    if type(values) is not list or len(values) > INLINE_ENTRIES:
        raise ValueError(f"values are not a list of at most {INLINE_ENTRIES}")
    if type(shape) is not list or len(shape) > 32 or not all(
            type(length) is int and 0 <= length < 2 ** 31 for length in shape):
        raise ValueError(f"shape {_short(shape)} is not a list of lengths")
    if math.prod(shape) != len(values):
        raise ValueError(f"shape {shape} does not fit {len(values)} values")
    dtype = _ARRAY_DTYPES[name]
    return np.array([_entry(value, dtype) for value in values], dtype).reshape(shape)


def _entry(value: Any, dtype: Any) -> Any:
    """One value of an array, checked against the dtype it goes into."""
    if dtype.kind == "b" and type(value) is bool:
        return value
    if dtype.kind in "iu" and type(value) is int:
        limits = np.iinfo(dtype)
        if int(limits.min) <= value <= int(limits.max):
            return value
    if dtype.kind == "f":
        if type(value) is str and value in _NON_FINITE:
            return _NON_FINITE[value]
        if type(value) is float and abs(value) <= float(np.finfo(dtype).max):
            return value
    raise ValueError(f"{_short(value)} is no {dtype.name}")
