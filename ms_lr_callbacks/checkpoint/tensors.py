"""One tensor as the store sees it: a dtype name, a shape and C-contiguous little-endian memory.

NumPy has no bfloat16, so a record carries the name of its dtype beside an array of the same width:
bfloat16 travels as ``uint16`` bits. Every other dtype is held as itself.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Union

import numpy as np

# dtype name -> (code in a safetensors header, the NumPy dtype that holds it in memory)
DTYPES: dict[str, tuple[str, Any]] = {
    "bool": ("BOOL", np.dtype("?")),
    "int8": ("I8", np.dtype("<i1")),
    "int16": ("I16", np.dtype("<i2")),
    "int32": ("I32", np.dtype("<i4")),
    "int64": ("I64", np.dtype("<i8")),
    "uint8": ("U8", np.dtype("<u1")),
    "uint16": ("U16", np.dtype("<u2")),
    "uint32": ("U32", np.dtype("<u4")),
    "uint64": ("U64", np.dtype("<u8")),
    "float16": ("F16", np.dtype("<f2")),
    "bfloat16": ("BF16", np.dtype("<u2")),
    "float32": ("F32", np.dtype("<f4")),
    "float64": ("F64", np.dtype("<f8")),
}
DTYPE_OF_CODE = {code: name for name, (code, _) in DTYPES.items()}


@dataclass(frozen=True, eq=False)
class TensorRecord:
    """A tensor without a framework.

    Build one with ``TensorRecord.of(array)``, or for bfloat16 with ``TensorRecord.bfloat16(bits)``.

    Attributes:
        dtype: One of the names in ``DTYPES``, for example ``"float32"`` or ``"bfloat16"``.
        array: The values, C-contiguous, shaped as the tensor; for bfloat16 their bits as uint16.
            Arrays from a loaded checkpoint are writable and belong to the caller.

    Example:
        >>> import numpy as np
        >>> TensorRecord.of(np.zeros((2, 3), np.float16))
        TensorRecord(float16, (2, 3))
        >>> TensorRecord.bfloat16(np.array([0x3F80], np.uint16)).nbytes
        2
    """

    dtype: str
    array: np.ndarray[Any, Any]

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES or self.array.dtype != DTYPES[self.dtype][1]:
            raise TypeError(f"an array of {self.array.dtype} does not hold {self.dtype}; "
                            "build records with TensorRecord.of or TensorRecord.bfloat16")

    @classmethod
    def of(cls, array: np.ndarray[Any, Any]) -> TensorRecord:
        """Wrap an array of any dtype in ``DTYPES``; copies only what is not C-contiguous.

        Raises:
            TypeError: The dtype has no place in a checkpoint (object, string, complex, ...).
        """
        name = array.dtype.name
        if name not in DTYPES or name == "bfloat16":
            raise TypeError(f"dtype {name} cannot be stored; use one of {', '.join(DTYPES)} "
                            "(bfloat16 through TensorRecord.bfloat16)")
        return cls(name, np.asarray(array, dtype=DTYPES[name][1], order="C"))

    @classmethod
    def bfloat16(cls, bits: np.ndarray[Any, Any]) -> TensorRecord:
        """Wrap bfloat16 values given as their bits.

        Args:
            bits: uint16 array of any shape.

        Raises:
            TypeError: ``bits`` is not uint16.
        """
        if bits.dtype != np.uint16:
            raise TypeError(f"bfloat16 is stored from its uint16 bits, but dtype {bits.dtype} was given")
        return cls("bfloat16", np.asarray(bits, dtype="<u2", order="C"))

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes; ``()`` for a 0-d tensor."""
        return tuple(self.array.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return int(self.array.nbytes)

    def memory(self) -> memoryview:
        """The values as flat bytes, without a copy."""
        return self.array.reshape(-1).view(np.uint8).data

    def __repr__(self) -> str:
        return f"TensorRecord({self.dtype}, {self.shape})"


TensorLike = Union[TensorRecord, "np.ndarray[Any, Any]"]
Sections = Mapping[str, Mapping[str, TensorLike]]


def as_record(value: TensorLike, name: str) -> TensorRecord:
    """``value`` as a record; errors carry ``name``."""
    if isinstance(value, TensorRecord):
        return value
    if not isinstance(value, np.ndarray):
        raise TypeError(f"tensor {name!r} is a {type(value).__name__}; "
                        "pass a NumPy array or a TensorRecord")
    try:
        return TensorRecord.of(value)
    except TypeError as error:
        raise TypeError(f"tensor {name!r}: {error}") from None
