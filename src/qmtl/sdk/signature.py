"""The signature of an author's function, checked when a node is built: `(view)` or `(view, watermark)`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

from qmtl.core.errors import UserError
from qmtl.sdk.place import did_you_mean, mistake

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
SHAPE = "write def f(view, *, k: float) or def f(view, watermark, *, k: float)"


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function is called with."""

    name: str
    wants_watermark: bool
    parameters: tuple[str, ...]
    defaults: Mapping[str, Any]

    def effective(self, given: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
        """All parameters by name, defaults filled in; unknown and missing ones are refused."""
        for name in given:
            if name not in self.parameters:
                raise mistake(
                    f"{self.name}() has no parameter {name!r}",
                    cure=did_you_mean(name, self.parameters),
                )
        values = {**self.defaults, **given}
        missing = [name for name in self.parameters if name not in values]
        if missing:
            raise mistake(
                f"{self.name}() needs its parameter {missing[0]!r}",
                cure=f"give it by keyword: {missing[0]}=…",
            )
        return tuple(sorted(values.items()))


def signature_of(function: Callable[..., Any]) -> Signature:
    """Read and check a function's signature; nothing is called."""
    name = getattr(function, "__name__", type(function).__name__)
    parameters = _parameters(function, name)
    if not parameters or parameters[0].kind not in _POSITIONAL:
        raise _refused(name, "takes no view", SHAPE)
    view, *rest = parameters
    if view.default is not Parameter.empty:
        raise _refused(name, f"gives its view {view.name!r} a default", SHAPE)
    wants_watermark = bool(rest) and rest[0].name == "watermark"
    settings = rest[1:] if wants_watermark else rest
    for one in settings:
        if one.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
            raise _refused(name, f"takes *{one.name}: what it is called with must be known", SHAPE)
        if one.kind is Parameter.POSITIONAL_ONLY:
            raise _refused(name, f"takes {one.name!r} by position only", SHAPE)
        if one.name == "watermark":
            raise _refused(name, "takes the watermark after a parameter", "make it the second argument")
    defaults = {one.name: one.default for one in settings if one.default is not Parameter.empty}
    return Signature(name, wants_watermark, tuple(one.name for one in settings), defaults)


def _parameters(function: Callable[..., Any], name: str) -> list[Parameter]:
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise _refused(
            name, "is asynchronous or a generator", "a node is a plain function that returns its value"
        )
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise _refused(
            name, "has no signature to be read", "wrap it in a function of your own: " + SHAPE
        ) from None


def _refused(name: str, what: str, cure: str) -> UserError:
    return mistake(f"the function {name}() {what}", cure=cure)
