"""The safetensors format: a header in JSON, then the tensors' bytes end to end.

The store writes and reads the format itself instead of through the ``safetensors`` library, which
its tests hold against every file. The library serialises from ``bytes`` copies or from pointers,
depending on its release, reads back through copies and cannot hash while it writes; here the
arrays' own memory goes to the file, and one buffer comes back. Every file is a plain safetensors
file that the library opens.
"""
from __future__ import annotations

import math
from typing import Any, Mapping

import numpy as np

from ms_lr_callbacks.checkpoint import jsontext
from ms_lr_callbacks.checkpoint.tensors import DTYPE_OF_CODE, DTYPES, TensorRecord

PREFIX_BYTES = 8
_MAX_AXES = 32
_MAX_BYTES = 2 ** 62
_ENTRY_KEYS = {"dtype", "shape", "data_offsets"}
_METADATA = "__metadata__"


def build(tensors: Mapping[str, TensorRecord], metadata: Mapping[str, str]) -> list[memoryview]:
    """The file as a list of buffers to be written one after the other; tensors are not copied.

    Wider dtypes come first, so that every tensor stands at a multiple of its own width.
    """
    ordered = sorted(tensors.items(), key=lambda item: -item[1].array.itemsize)
    header: dict[str, Any] = {_METADATA: dict(metadata)}
    begin = 0
    for name, tensor in ordered:
        end = begin + tensor.nbytes
        header[name] = {"dtype": DTYPES[tensor.dtype][0], "shape": list(tensor.shape),
                        "data_offsets": [begin, end]}
        begin = end
    text = jsontext.dump(header)
    text += b" " * (-len(text) % 8)
    if len(text) > jsontext.MAX_BYTES:
        raise ValueError(f"{len(tensors)} tensors make a header of {len(text)} bytes, "
                         f"more than {jsontext.MAX_BYTES}; spread them over several sections")
    prefix = memoryview(len(text).to_bytes(PREFIX_BYTES, "little") + text)
    return [prefix, *(tensor.memory() for _, tensor in ordered if tensor.nbytes)]


def is_tensor_name(name: str) -> bool:
    """Whether a tensor may be called so: Unicode text, not empty, not the metadata's own key."""
    return name not in ("", _METADATA) and all(not "\ud800" <= letter <= "\udfff" for letter in name)


def header_bytes(prefix: bytes, file_bytes: int) -> int:
    """Length of the JSON header that follows the first eight bytes.

    Raises:
        ValueError: There is no room for it in the file, or it is larger than any reader accepts.
    """
    if len(prefix) != PREFIX_BYTES:
        raise ValueError(f"a file of {file_bytes} bytes has no header")
    length = int.from_bytes(prefix, "little")
    if length > min(jsontext.MAX_BYTES, file_bytes - PREFIX_BYTES):
        raise ValueError(f"a header of {length} bytes in a file of {file_bytes}")
    return length


class Header:
    """A checked safetensors header.

    Args:
        text: The JSON text between the length and the tensors.
        file_bytes: Size of the whole file.

    Attributes:
        metadata: The free text of the file.
        entries: name -> (dtype name, shape, first byte after the header, one past the last).

    Raises:
        ValueError: Whatever is not a header of exactly this file.
    """

    def __init__(self, text: bytes, file_bytes: int) -> None:
        content = jsontext.load(text)
        if type(content) is not dict:
            raise ValueError("the header is not an object")
        self.metadata = _checked_metadata(content.pop(_METADATA, {}))
        self.entries = {name: _checked_entry(name, entry) for name, entry in content.items()}
        self.data_start = PREFIX_BYTES + len(text)
        position = 0
        for name, (_, _, begin, end) in sorted(self.entries.items(), key=lambda item: item[1][2:]):
            if begin != position:
                raise ValueError(f"tensor {name!r} starts at byte {begin} and not at {position}")
            position = end
        if position != file_bytes - self.data_start:
            raise ValueError(f"the tensors take {position} bytes, "
                             f"but {file_bytes - self.data_start} follow the header")

    def tensors(self, buffer: np.ndarray[Any, Any]) -> dict[str, TensorRecord]:
        """Views of the whole file's bytes (a uint8 array), one record per tensor."""
        result = {}
        for name, (dtype, shape, begin, end) in self.entries.items():
            data = buffer[self.data_start + begin:self.data_start + end]
            result[name] = TensorRecord(dtype, data.view(DTYPES[dtype][1]).reshape(shape))
        return result


def _checked_metadata(value: Any) -> dict[str, str]:
    if type(value) is not dict or not all(type(text) is str for text in value.values()):
        raise ValueError("the header's metadata is not an object of texts")
    return value


def _checked_entry(name: str, entry: Any) -> tuple[str, tuple[int, ...], int, int]:
    if type(entry) is not dict or set(entry) != _ENTRY_KEYS:
        raise ValueError(f"tensor {name!r} lacks one of dtype, shape, data_offsets, or has more")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if type(code) is not str or code not in DTYPE_OF_CODE:
        raise ValueError(f"tensor {name!r} has the unknown dtype {str(code)[:40]!r}")
    if not _is_lengths(shape) or len(shape) > _MAX_AXES:
        raise ValueError(f"tensor {name!r} has a shape that is none")
    if not _is_lengths(offsets) or len(offsets) != 2:
        raise ValueError(f"tensor {name!r} has offsets that are none")
    dtype = DTYPE_OF_CODE[code]
    # Zero lengths are left out, so that no product of the others is beyond NumPy either.
    widest = math.prod(length for length in shape if length) * DTYPES[dtype][1].itemsize
    size = 0 if 0 in shape else widest
    if widest > _MAX_BYTES or offsets[1] - offsets[0] != size:
        raise ValueError(f"tensor {name!r} of {code} {shape} does not fit bytes {offsets}")
    return dtype, tuple(shape), offsets[0], offsets[1]


def _is_lengths(value: Any) -> bool:
    return type(value) is list and all(type(entry) is int and 0 <= entry <= _MAX_BYTES for entry in value)
