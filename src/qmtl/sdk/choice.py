"""Choices are strings with a typed enum behind; a setting in the wrong place is told where it belongs."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

from qmtl.core.errors import UserError
from qmtl.sdk.place import did_you_mean, mistake

Choice = TypeVar("Choice", bound=StrEnum)

_STREAM = "belongs to a StreamInput, where events enter"
_COMPUTED = "belongs to an author's node: Node(…, {0}=…) or @node"
_INPUT = "belongs to one input of an author's node: px=m1.window(30, {0}=…)"
_TICKS = "belongs to a StreamInput of ticks (one without interval)"

WHERE = {
    "lateness": _STREAM,
    "on_late": _STREAM,
    "allowed_lateness": _STREAM,
    "idle_timeout": _STREAM,
    "max_future_skew": _STREAM,
    "identity": _TICKS,
    "on_missing": _COMPUTED,
    "all_idle": _COMPUTED,
    "coarse_frontier": _COMPUTED,
    "required": _INPUT,
    "complete": _INPUT,
}


def choice(kind: type[Choice], value: object, name: str) -> Choice:
    """The member of an enum that a string names."""
    try:
        return kind(value)  # type: ignore[arg-type]
    except ValueError:
        known = ", ".join(repr(one.value) for one in kind)
        raise mistake(f"{name} is not a known choice", value=value, cure=f"use one of {known}") from None


def misplaced(names: Iterable[str], taker: str, known: Iterable[str]) -> UserError:
    """The error for keywords that `taker` does not have."""
    name = next(iter(names))
    where = WHERE.get(name)
    cure = f"{name} {where.format(name)}" if where else did_you_mean(name, known)
    return mistake(f"{taker} takes no {name!r}", cure=cure)
