"""The registry of operators: what each is called, reads, gives and takes, and the kernel that computes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from math import isfinite
from typing import Any, Final

from qmtl.core.errors import UserError
from qmtl.core.flow.kernel import Kernel

FAMILIES: Final = (
    "arithmetic",
    "moving",
    "dispersion",
    "momentum",
    "trend",
    "pair",
    "cumulative",
    "shaping",
    "cross",
)
WINDOW_LIMIT: Final = 1_000_000  # rows: two years of minutes; beyond it a parameter is almost surely wrong


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter: its type is that of `kind`; bounds are inclusive."""

    name: str
    kind: type = int
    default: Any = REQUIRED
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    doc: str = ""

    def checked(self, operator: str, value: Any) -> Any:
        """`value` as this parameter; raises :class:`UserError` naming the operator, the value and the cure."""
        place = f"{operator}({self.name}=…)"
        if self.kind is float and isinstance(value, int | float) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not self.kind:
            raise UserError(
                f"not a {self.kind.__name__}", place=place, value=value, cure=self.doc or "see: qmtl ops"
            )
        if self.choices and value not in self.choices:
            raise UserError(
                "not a choice", place=place, value=value, cure="choose " + " or ".join(self.choices)
            )
        if isinstance(value, float) and not isfinite(value):
            raise UserError("not a finite number", place=place, value=value, cure="give a number")
        number = value if isinstance(value, int | float) else 0  # bounds are given for numbers only
        if (self.low is not None and number < self.low) or (self.high is not None and number > self.high):
            raise UserError(
                "out of range", place=place, value=value, cure=f"between {self.low} and {self.high}"
            )
        return value


@dataclass(frozen=True, slots=True)
class Operator:
    """A built-in operator. `stream`: it reads columns of one bar stream by name (high, low, close …)."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: tuple[Param, ...]
    doc: str
    source: str
    family: str
    kernel: Callable[[Mapping[str, Any]], Kernel] = field(repr=False)
    stream: bool = False
    cross: bool = False


def bind(name: str, params: Mapping[str, Any]) -> tuple[Operator, tuple[tuple[str, Any], ...], Kernel]:
    """An operator, its effective parameters sorted by name, and its kernel.

    Raises :class:`UserError` for an unknown operator or parameter, a missing or wrong value.
    """
    known = operators()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        raise UserError(
            "no such operator",
            place="operator",
            value=name,
            cure=f"did you mean {near[0]!r}?" if near else "see: qmtl ops",
        )
    plain = _PLAIN.issuperset(map(type, params.values()))
    key = (name, *((given, type(value), repr(value)) for given, value in params.items())) if plain else None
    bound = None if key is None else _bound.get(key)
    if bound is None:
        bound = _binding(known[name], params)
        if key is not None:
            if len(_bound) >= _MOST:
                _bound.clear()
            _bound[key] = bound
    return bound


Bound = tuple[Operator, tuple[tuple[str, Any], ...], Kernel]
_bound: dict[object, Bound] = {}  # by name and parameters: a grid asks for the same ones again and again
_MOST: Final = 1 << 16
_PLAIN: Final = frozenset({int, float, bool, str, type(None)})  # told apart by type and spelling


def _binding(operator: Operator, params: Mapping[str, Any]) -> Bound:
    name, names = operator.name, [param.name for param in operator.params]
    for given in params:
        if given not in names:
            raise UserError(
                f"no parameter {given!r}",
                place=name,
                value=params[given],
                cure=f"it has {', '.join(names) or 'none'}",
            )
    full: dict[str, Any] = {}
    for param in operator.params:
        value = params.get(param.name, param.default)
        if value is REQUIRED:
            raise UserError(
                f"the parameter {param.name!r} is missing",
                place=name,
                cure=f"{name}({param.name}=…): {param.doc}",
            )
        full[param.name] = param.checked(name, value)
    return operator, tuple(sorted(full.items())), operator.kernel(full)


@cache
def operators() -> Mapping[str, Operator]:
    """All operators by name."""
    found: dict[str, Operator] = {}
    for family in FAMILIES:
        for operator in import_module(f"qmtl.ops.{family}").OPERATORS:
            if operator.name in found:
                raise RuntimeError(f"two operators are called {operator.name!r}")
            found[operator.name] = operator
    return found


def rows_param(name: str = "n", low: int = 1, default: Any = REQUIRED) -> Param:
    """A number of rows."""
    return Param(name, int, default, low, WINDOW_LIMIT, doc="a number of rows, at least " + str(low))
