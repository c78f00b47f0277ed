"""Looking at the code of an optimizer's class: what it reads decides how it can be driven."""
from __future__ import annotations

import functools
import inspect
from typing import Any, Optional

from mindspore import nn
from mindspore.experimental import optim as experimental_optim

_BASES = (nn.Optimizer, experimental_optim.Optimizer, nn.Cell, object)


def own_source(optimizer: Any) -> str:
    """Return the code of the optimizer's classes below MindSpore's base class; empty if there is none to see."""
    return _source(_class(optimizer)) or ""


def has_source(optimizer: Any) -> bool:
    """Return whether the code can be seen; it cannot in some shells and in compiled packages."""
    return _source(_class(optimizer)) is not None


def _class(optimizer: Any) -> Any:
    return type(optimizer)


@functools.lru_cache(maxsize=None)
def _source(cls: Any) -> Optional[str]:
    own = [each for each in cls.__mro__ if each not in _BASES and not issubclass(nn.Cell, each)]
    try:
        return "\n".join(inspect.getsource(each) for each in own)
    except (OSError, TypeError):
        return None
