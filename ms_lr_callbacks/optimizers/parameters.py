"""Reading and writing single Parameters while a training uses them.

Everything that goes from or to the device for a schedule passes through `read` and `Writer`.

Which write is seen by the running training depends on the mode and on the graph (MindSpore 2.7 to
2.10, measured on the CPU; the tests repeat it):

* ``ops.assign`` and ``Parameter.copy_`` are always seen.
* ``Parameter.assign_value`` costs a third of ``copy_``. It is seen in GRAPH_MODE where the graph
  calls the optimizer unconditionally. It is not seen in PYNATIVE_MODE, nor where the optimizer
  stands under an ``if`` on a tensor, as in a train cell that skips an update on overflow: there the
  Parameter shows the new value while training goes on with the old one. And a graph that PYNATIVE_MODE
  has compiled before sees no later write at all once there was one of these.

On other devices `Writer` uses ``ops.assign``, which is ordered behind the steps still in flight.
"""
from __future__ import annotations

from typing import Any, Callable

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from ms_lr_callbacks._arrays import AnyArray
from ms_lr_callbacks.optimizers.compilation import compiled_by_jit
from ms_lr_callbacks.optimizers.find import updates_at_each_call
from ms_lr_callbacks.optimizers.numpy2 import settle_numpy

# A third of the cost of Tensor(array), and deprecated.
_TO_TENSOR: Callable[[AnyArray], Any] = getattr(Tensor, "from_numpy", Tensor)


def read(parameter: Any) -> AnyArray:
    """Copy a Parameter's value to the host; waits for the device."""
    return np.array(parameter.asnumpy())


def read_number(parameter: Any) -> float:
    """Read a Parameter with one element; waits for the device."""
    return float(read(parameter).reshape(()))


class Writer:
    """Writes values into Parameters so that the next update uses them.

    The mode and the device are looked up once, when the Writer is made: make a new one for each
    training.
    """

    def __init__(self, network: Any, optimizer: Any) -> None:
        """`network`: the train network; `optimizer`: the optimizer in it that reads the Parameters."""
        settle_numpy()
        self._assign = _assignment(network, optimizer)

    def __call__(self, parameter: Any, value: Any) -> None:
        """Write `value`, a NumPy scalar or array of the Parameter's shape and type."""
        # A copy of the value: the Tensor takes over its memory, and the Parameter may take over the Tensor's.
        self._assign(parameter, _TO_TENSOR(np.array(value)))


def _assignment(network: Any, optimizer: Any) -> Callable[[Any, Any], Any]:
    if ms.get_context("device_target") != "CPU":
        return lambda parameter, tensor: ops.assign(parameter, tensor)
    if (ms.get_context("mode") == ms.GRAPH_MODE and _runs_unconditionally(network, optimizer)
            and not compiled_by_jit(optimizer)):
        return lambda parameter, tensor: parameter.assign_value(tensor)
    return lambda parameter, tensor: parameter.copy_(tensor)


def _runs_unconditionally(network: Any, optimizer: Any) -> bool:
    """Return whether the compiled graph is known to read the Parameters outside any condition."""
    cls = type(optimizer)
    return (updates_at_each_call(network) and cls.__module__.startswith("mindspore.nn.optim.")
            and not isinstance(optimizer, (nn.ASGD, nn.Rprop)))  # these two compare their step inside the graph
