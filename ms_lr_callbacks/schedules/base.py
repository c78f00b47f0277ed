"""What every schedule is: an immutable value that maps a step ``t`` and a base value to a number.

A new schedule is a frozen dataclass with the arguments as fields, a ``__post_init__`` that checks
them, and one formula (see :mod:`ms_lr_callbacks.schedules.backends`):

* :class:`FactorSchedule`, ``_factor(ops, t)``: the value is ``base`` times a factor;
* :class:`Schedule`, ``_formula(ops, t, base)``: anything else with a closed form;
* no closed form: override ``_scalar`` and set ``closed_form`` to False.

Torch's schedulers change the current learning rate step by step instead. Where schedules act on each
other (:mod:`ms_lr_callbacks.schedules.chain`) that form is needed too: ``_first``, ``_next`` and
``_restart``. The defaults suit a schedule that, like torch's ``LambdaLR``, never looks at the
current value.
"""
from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, ClassVar, Dict, Sequence, Tuple, Type, Union, overload

import numpy as np
from numpy.typing import NDArray

from ms_lr_callbacks.schedules import checks
from ms_lr_callbacks.schedules.backends import ARRAY, SCALAR, Ops

if TYPE_CHECKING:
    from ms_lr_callbacks.schedules.chain import ProductLR

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ScheduleLike = Union["Schedule", Callable[[int, float], float]]

#: For a function that is no schedule, most often because it was written for torch's LambdaLR.
FACTOR_REMEDY = "; for a function of t alone, a factor of base, write LambdaLR(...)"


def _rebuild(cls: Type[Schedule], arguments: Dict[str, Any]) -> Schedule:
    return cls(**arguments)


# eq=False: a user's subclass without the decorator equals itself only, as nobody knows its arguments.
@dataclass(frozen=True, eq=False)
class Schedule:
    """Base class of all schedules. Calling one needs no MindSpore and changes nothing.

    Schedules compare equal by value, hash, pickle, and their ``repr()`` evaluates back. The product
    ``a * b`` of two schedules is a schedule too.

    Example:
        >>> from ms_lr_callbacks.schedules import ExponentialLR, Schedule, StepLR
        >>> schedule = StepLR(step_size=2, gamma=0.5) * ExponentialLR(gamma=0.5)
        >>> isinstance(schedule, Schedule), [schedule(t, 1.0) for t in range(4)]
        (True, [1.0, 0.5, 0.125, 0.0625])
    """

    @overload
    def __call__(self, t: int, base: float) -> float: ...

    @overload
    def __call__(self, t: NDArray[Any], base: float) -> FloatArray: ...

    def __call__(self, t: Any, base: float) -> Any:
        """Return the value that update ``t`` uses.

        Args:
            t: number of updates already done, an int >= 0, or an integer array of such numbers.
            base: the value the user gave the optimizer's constructor.

        Returns:
            A float, or for an array a float64 array of the same shape.

        Raises:
            TypeError: ``t`` is not integer or ``base`` is not a number.
            ValueError: ``t`` is negative.
        """
        if type(base) is not float:
            base = _number(base)
        if type(t) is int and t >= 0:
            return self._scalar(t, base)
        if isinstance(t, (int, np.integer)) or not hasattr(t, "__len__"):
            return self._scalar(checks.integer(type(self).__name__, "t", t, low=0), base)
        steps = _steps(type(self).__name__, t)
        return self._array(steps.reshape(-1), base).reshape(steps.shape)

    def table(self, t: NDArray[Any], bases: Sequence[float]) -> FloatArray:
        """Return the values of many bases at once, which is faster than one base after the other.

        Args:
            t: integer array of shape (n,) of steps >= 0.
            bases: the base values.

        Returns:
            float64 of shape (n, len(bases)); column ``i`` is ``self(t, bases[i])``.

        Example:
            >>> from ms_lr_callbacks.schedules import ExponentialLR
            >>> ExponentialLR(0.5).table(np.arange(2), [0.1, 1.0]).tolist()
            [[0.1, 1.0], [0.05, 0.5]]
        """
        return self._table(_steps(type(self).__name__, t), np.array([_number(base) for base in bases]))

    @property
    def closed_form(self) -> bool:
        """Whether the value is computed from ``t`` alone, in a time that does not grow with ``t``."""
        return True

    def to_config(self) -> Dict[str, Any]:
        """Return this schedule as plain JSON data; ``from_config`` makes an equal one of it.

        Returns:
            The class as ``"name"`` and the arguments, in numbers, strings, lists and dicts.

        Raises:
            ValueError: the schedule holds a Python function.

        Example:
            >>> from ms_lr_callbacks.schedules import StepLR
            >>> StepLR(step_size=30).to_config()
            {'name': 'StepLR', 'step_size': 30, 'gamma': 0.1}
        """
        from ms_lr_callbacks.schedules.config import schedule_config

        return schedule_config(self)

    def __mul__(self, other: object) -> ProductLR:
        from ms_lr_callbacks.schedules.chain import ProductLR

        if not isinstance(other, Schedule):
            return NotImplemented
        return ProductLR((self, other))

    def __reduce__(self) -> Tuple[Any, ...]:
        # Rebuilding by a constructor call leaves caches behind and checks the arguments again.
        return _rebuild, (type(self), self._arguments())

    def _arguments(self) -> Dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)
                if field.init}

    def _set(self, **values: Any) -> None:
        """Set fields in ``__post_init__``, where a frozen dataclass forbids plain assignment."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _formula(self, ops: Ops, t: Any, base: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no closed form")

    def _scalar(self, t: int, base: float) -> float:
        return self._formula(SCALAR, t, base)  # type: ignore[no-any-return]

    def _array(self, t: IntArray, base: float) -> FloatArray:
        if not self.closed_form:
            return np.fromiter((self._scalar(k, base) for k in t.tolist()), np.float64, t.size)
        values = np.asarray(self._formula(ARRAY, t, base), dtype=np.float64)
        return values if values.shape == t.shape else np.broadcast_to(values, t.shape).copy()

    def _table(self, t: IntArray, bases: FloatArray) -> FloatArray:
        values = np.empty((t.size, bases.size))
        if self.closed_form and type(self)._array is Schedule._array:
            values[:] = self._formula(ARRAY, t[:, None], bases)
        else:
            for column, base in enumerate(bases.tolist()):
                values[:, column] = self._array(t, base)
        return values

    # Torch's step-by-step form; `value` is the current one, `k` the schedule's own step count.

    def _first(self, value: float, base: float) -> float:
        """Return the value after torch has constructed this scheduler on an optimizer at ``value``."""
        return self._scalar(0, base)

    def _next(self, k: int, value: float, base: float) -> float:
        """Return the value after a ``step()`` that brings this scheduler to ``k``."""
        return self._scalar(k, base)

    def _restart(self, value: float, base: float) -> float:
        """Return the value at the milestone of a ``SequentialLR`` at which this schedule takes over."""
        return self._scalar(0, base)

    def _restarted(self) -> Schedule:
        """Return what stands for this schedule behind a milestone of a ``SequentialLR``."""
        return self

    #: ``_restart`` goes on from the current value instead of from ``base``.
    _carries_on: ClassVar[bool] = False


@dataclass(frozen=True, eq=False)
class FactorSchedule(Schedule):
    """A schedule whose value is ``base`` times a factor that depends on ``t`` only."""

    def _factor(self, ops: Ops, t: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no closed form")

    def _formula(self, ops: Ops, t: Any, base: Any) -> Any:
        return base * self._factor(ops, t)

    def _factor_at(self, t: int) -> float:
        return self._factor(SCALAR, t)  # type: ignore[no-any-return]

    def _first(self, value: float, base: float) -> float:
        return value * self._factor_at(0)

    def _next(self, k: int, value: float, base: float) -> float:
        before = self._factor_at(k - 1) if k > 0 else 1.0
        return base * self._factor_at(k) if before == 0.0 else value * (self._factor_at(k) / before)


@dataclass(frozen=True)
class FunctionSchedule(Schedule):
    """A plain function ``f(t, base) -> float`` standing where a schedule is expected.

    Args:
        function: called with an int ``t`` >= 0 and the base value.
    """

    function: Callable[[int, float], float]

    def __post_init__(self) -> None:
        checks.function("FunctionSchedule", "function", self.function, "t", "base")

    @property
    def closed_form(self) -> bool:
        """False: what the function computes is not known."""
        return False

    def _scalar(self, t: int, base: float) -> float:
        return float(self.function(t, base))


def as_schedule(owner: str, name: str, value: object) -> Schedule:
    """Return ``value`` if it is a schedule, or wrapped if it is a plain function."""
    if isinstance(value, Schedule) and type(value).__call__ is Schedule.__call__:
        return value  # A user's subclass that only says how it is called is no more than a function.
    if callable(value) and not isinstance(value, type):
        return FunctionSchedule(checks.function(owner, name, value, "t", "base", remedy=FACTOR_REMEDY))
    remedy = ""
    if isinstance(value, type):
        remedy = f"; write {value.__name__}(...) with its arguments"
    raise TypeError(f"{owner}: {name} must be a schedule or a function f(t, base), got {value!r}{remedy}")


def _number(base: object) -> float:
    number = checks.plain_float(base)
    if number is None:
        raise TypeError(f"base must be a number, got {base!r} of type {type(base).__name__}")
    return number


def _steps(owner: str, t: Any) -> IntArray:
    steps = np.asarray(t)
    if steps.dtype.kind not in "iu" and steps.size:
        raise TypeError(f"{owner}: t must be an int or an integer array, got dtype {steps.dtype}")
    steps = steps.astype(np.int64)
    if steps.size and steps.min() < 0:
        raise ValueError(f"{owner}: t counts updates from 0 and must be >= 0, got {steps.min()}")
    return steps
