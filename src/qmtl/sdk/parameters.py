"""Parameters of a strategy: annotations are their types, by which values are checked and texts are read."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from qmtl.core.errors import UserError
from qmtl.core.graph.duration import Duration
from qmtl.sdk.place import did_you_mean, mistake
from qmtl.sdk.plain import unwrapped

REQUIRED = object()
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class StrategyParameter:
    """One parameter: its annotated type and default."""

    name: str
    type: Any
    default: Any = REQUIRED


def parameters_of(strategy: type) -> dict[str, StrategyParameter]:
    """The annotated class attributes, inherited ones first; private names and `ClassVar`s are none."""
    try:
        hints = _plain_hints(strategy)
        hints = get_type_hints(strategy) if hints is None else hints
    except NameError as error:
        raise mistake(
            f"an annotation of {strategy.__name__} cannot be resolved: {error}",
            cure="define the name at module level, before the strategy",
        ) from None
    found = {}
    for owner in reversed(strategy.__mro__):
        for name in inspect.get_annotations(owner):
            if name.startswith("_") or get_origin(hints[name]) is ClassVar or hints[name] is ClassVar:
                continue
            found[name] = StrategyParameter(name, hints[name], getattr(strategy, name, REQUIRED))
    return found


_PLAIN = {"int": int, "float": float, "bool": bool, "str": str}


def _plain_hints(strategy: type) -> dict[str, Any] | None:
    """As `get_type_hints` where all annotations are plain names of these types, in a tenth of the time; else None."""
    hints = {}
    for owner in reversed(strategy.__mro__):
        if owner.__module__.startswith("qmtl.sdk."):  # it has private names only
            continue
        around = vars(sys.modules.get(owner.__module__, types))
        for name, annotation in inspect.get_annotations(owner).items():
            if not isinstance(annotation, str):
                kind = _PLAIN.get(getattr(annotation, "__name__", ""))
                if kind is None or kind is not annotation:
                    return None
            elif annotation in around or annotation in vars(owner):
                return None
            else:
                kind = _PLAIN.get(annotation)
                if kind is None:
                    return None
            hints[name] = kind
    return hints


def values_of(strategy: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters with what was given or their defaults, checked against their types."""
    known = parameters_of(strategy)
    _refuse_unknown(strategy, given, known)
    values = {}
    for name, parameter in known.items():
        value = given.get(name, parameter.default)
        if value is REQUIRED:
            raise mistake(
                f"{strategy.__name__} needs its parameter {name!r}", cure=f"{strategy.__name__}({name}=…)"
            )
        values[name] = checked(value, parameter.type, f"{strategy.__name__}.{name}")
    return values


def parse_values(strategy: type, texts: Mapping[str, str]) -> dict[str, Any]:
    """Parameters given as text (`--set fast=8`), read by their types."""
    known = parameters_of(strategy)
    _refuse_unknown(strategy, texts, known)
    return {
        name: parsed(text, known[name].type, f"{strategy.__name__}.{name}") for name, text in texts.items()
    }


def _refuse_unknown(strategy: type, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for name in given:
        if name not in known:
            raise mistake(f"{strategy.__name__} has no parameter {name!r}", cure=did_you_mean(name, known))


def checked(value: Any, kind: Any, name: str) -> Any:
    """The value, if it is of the annotated type; an int becomes a float where one is meant."""
    value = unwrapped(value)
    if kind is Any:
        return value
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _first(value, args, kind, name)
    if origin is Literal:
        if value in args and type(value) in {type(one) for one in args}:
            return value
    elif origin is tuple or kind is tuple:
        if isinstance(value, tuple | list):
            return _items(value, args, kind, name)
    elif kind is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif kind is Duration:
        if isinstance(value, Duration | str):
            return Duration(value)
    elif kind is None or kind is type(None):
        if value is None:
            return None
    elif isinstance(kind, type):
        return _instance(value, kind, name)
    else:
        raise mistake(f"{name} is annotated {spelled(kind)}, which cannot be checked", cure=_KINDS)
    raise _wrong(value, kind, name)


_KINDS = "annotate int, float, bool, str, Duration, an Enum, Literal[…], tuple[…, ...] or X | None"


def _instance(value: Any, kind: type, name: str) -> Any:
    if issubclass(kind, Enum) and not isinstance(value, kind):
        try:
            return kind(value)
        except ValueError:
            raise _wrong(value, kind, name) from None
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise _wrong(value, kind, name)


def _first(value: Any, kinds: tuple[Any, ...], kind: Any, name: str) -> Any:
    exact = [one for one in kinds if isinstance(one, type) and type(value) is one]
    for one in exact + list(kinds):
        try:
            return checked(value, one, name)
        except UserError:
            continue
    raise _wrong(value, kind, name)


def _items(
    values: tuple[Any, ...] | list[Any], args: tuple[Any, ...], kind: Any, name: str
) -> tuple[Any, ...]:
    if not args:
        return tuple(values)
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(checked(one, args[0], f"{name}[{at}]") for at, one in enumerate(values))
    if len(values) != len(args):
        raise _wrong(values, kind, name)
    pairs = enumerate(zip(values, args, strict=True))
    return tuple(checked(one, arg, f"{name}[{at}]") for at, (one, arg) in pairs)


def parsed(text: str, kind: Any, name: str) -> Any:
    """A text as the annotated type: `8`, `0.5`, `true`, `BTC,ETH`, `5m`, `none`."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _first_parsed(text, args, kind, name)
    if origin is tuple or kind is tuple:
        parts = [part.strip() for part in text.strip("()[] ").split(",") if part.strip()]
        inner = (
            [args[0]] * len(parts)
            if len(args) == 2 and args[1] is Ellipsis
            else list(args) or [str] * len(parts)
        )
        if len(inner) != len(parts):
            raise _wrong(text, kind, name)
        return tuple(parsed(part, one, name) for part, one in zip(parts, inner, strict=True))
    if origin is Literal:
        for one in args:
            if str(one) == text:
                return one
        raise _wrong(text, kind, name)
    return _scalar(text, kind, name)


def _scalar(text: str, kind: Any, name: str) -> Any:
    if kind is type(None):
        if text.lower() == "none":
            return None
    elif kind is bool:
        if text.lower() in _WORDS:
            return _WORDS[text.lower()]
    elif kind is int or kind is float:
        try:
            return kind(text)
        except ValueError:
            raise _wrong(text, kind, name) from None
    elif isinstance(kind, type) and issubclass(kind, Enum):
        for one in kind:
            if text in (one.name, str(one.value)):
                return one
    else:
        return checked(text, kind, name)
    raise _wrong(text, kind, name)


def _first_parsed(text: str, kinds: tuple[Any, ...], kind: Any, name: str) -> Any:
    for one in sorted(kinds, key=lambda one: one is str):
        try:
            return parsed(text, one, name)
        except UserError:
            continue
    raise _wrong(text, kind, name)


def spelled(kind: Any) -> str:
    """A type as an author writes it."""
    return (
        kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")
    )


def _wrong(value: Any, kind: Any, name: str) -> UserError:
    cure = f"its annotation says {spelled(kind)}"
    if isinstance(value, str) and kind in (int, float):
        cure += f": write {value} without quotes" if value.replace(".", "").strip("-").isdigit() else ""
    return mistake(f"{name} is not {_article(spelled(kind))}", value=value, cure=cure)


def _article(word: str) -> str:
    return f"an {word}" if word[:1].lower() in "aeiou" else f"a {word}"
