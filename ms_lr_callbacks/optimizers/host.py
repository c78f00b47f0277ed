"""Parameters to host memory and back, bit for bit.

On the CPU ``asnumpy()`` looks into the Parameter's own memory, which the next step changes; elsewhere
it makes a copy. bfloat16, which NumPy does not have, goes through float32, which holds it exactly.
"""
from __future__ import annotations

from typing import Any, Mapping, Optional

import mindspore as ms
import numpy as np
from mindspore import Tensor

from ms_lr_callbacks._arrays import AnyArray
from ms_lr_callbacks.checkpoint import TensorRecord
from ms_lr_callbacks.optimizers.numpy2 import settle_numpy

Sections = Mapping[str, Mapping[str, Any]]
Records = dict[str, dict[str, TensorRecord]]


def look(parameter: Any) -> TensorRecord:
    """Return the value of a Parameter or Tensor; it may change with the next step. Waits for the device.

    Raises:
        TypeError: a checkpoint has no place for its type.
    """
    if parameter.dtype == ms.bfloat16:
        return narrowed(parameter.float().asnumpy())
    try:
        return TensorRecord.of(parameter.asnumpy())
    except TypeError as error:
        raise TypeError(f"{getattr(parameter, 'name', None) or 'a Tensor'}: {error}") from None


def write(parameter: Any, record: TensorRecord) -> None:
    """Put a value into a Parameter so that a training that was compiled before sees it, in both modes.

    `record` has the Parameter's shape and type.
    """
    if parameter.has_init:
        parameter.init_data()
    parameter.copy_(tensor_of(record))


def tensor_of(record: TensorRecord) -> Any:
    """Return a Tensor with a record's values; it may take over the record's memory."""
    settle_numpy()
    if record.dtype != "bfloat16":
        return Tensor(record.array)
    return Tensor(widened(record)).astype(ms.bfloat16)


def narrowed(values: AnyArray) -> TensorRecord:
    """Return float32 values, which bfloat16 must hold exactly, as bfloat16."""
    bits = np.ascontiguousarray(values).reshape(-1).view(np.uint32) >> 16  # 0-d has other rules in NumPy 1
    return TensorRecord.bfloat16(bits.astype(np.uint16).reshape(values.shape))


def widened(record: TensorRecord) -> AnyArray:
    """Return bfloat16 values as float32."""
    return (record.array.reshape(-1).astype(np.uint32) << 16).view(np.float32).reshape(record.shape)


def dtype_name(parameter: Any) -> str:
    """Return a Parameter's type in the words of a checkpoint: ``float32``, ``bfloat16``, ``bool``."""
    name = str(parameter.dtype).lower()
    return name[:-1] if name == "bool_" else name


class HostMemory:
    """Memory of the process's own for one copy of a training's state, used again for each copy.

    Fresh memory costs several times the copy itself, as the system has to provide each page: `prepare`
    does that while nobody waits.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], AnyArray] = {}

    def prepare(self, sections: Sections) -> None:
        """Provide the memory for `sections`; may run in a thread beside the training."""
        for section, parameters in sections.items():
            for name, parameter in parameters.items():
                kind = np.uint16 if parameter.dtype == ms.bfloat16 else np.dtype(dtype_name(parameter))
                memory = np.empty(parameter.shape, kind)
                memory.fill(0)
                self._held[section, name] = memory

    def copy(self, sections: Sections) -> Records:
        """Copy all values; the records are valid until the next copy."""
        return {section: {name: self._copy_one((section, name), look(parameter))
                          for name, parameter in parameters.items()}
                for section, parameters in sections.items()}

    def _copy_one(self, key: tuple[str, str], value: TensorRecord) -> TensorRecord:
        held: Optional[AnyArray] = self._held.get(key)
        if held is None or held.shape != value.shape or held.dtype != value.array.dtype:
            held = self._held[key] = np.empty_like(value.array)
        np.copyto(held, value.array)
        return TensorRecord(value.dtype, held)
