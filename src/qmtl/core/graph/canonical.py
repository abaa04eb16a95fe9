"""A canonical encoding of plain values: equal bytes exactly for equal content, whatever the process or machine.

Every value is a type tag, a length and a body, so nothing can be confused with anything else: 1, 1.0 and True differ,
and so do 0.0 and -0.0, ``"1"`` and ``b"1"``, a list and a tuple. Every NaN is the same NaN. Dicts and sets are sorted
by their encoded keys.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, Final

from qmtl.core.errors import UserError

DEPTH: Final = 100  # of nested values: more is a mistake, such as a list that holds itself
_CURE: Final = "use numbers, texts, tuples, dicts, enums, frozen dataclasses or numpy arrays"
_CODES: Final = frozenset("biufcSUmM")
_WIDTHS: Final = {"f": (2, 4, 8), "c": (8, 16)}  # wider floats differ between machines


def canonical_bytes(value: object, place: str = "value") -> bytes:
    """The encoding of `value`; raises :class:`UserError` naming `place` for a type that has none."""
    return _encoded(value, place, 0)


def digest(value: object, place: str = "value") -> str:
    """SHA-256 (hex) of the canonical encoding."""
    return hashlib.sha256(canonical_bytes(value, place)).hexdigest()


def _encoded(value: Any, place: str, depth: int) -> bytes:
    if depth > DEPTH:
        raise UserError("it is nested too deeply, or holds itself", place=place[:DEPTH], cure=_CURE)
    quick = _QUICK.get(type(value))
    tag, body = quick(value) if quick else _scalar(value) or _compound(value, place, depth + 1)
    return tag + str(len(body)).encode() + b":" + body


_QUICK: Final[dict[type, Callable[[Any], tuple[bytes, bytes]]]] = {  # what `_scalar` says of them too
    str: lambda value: (b"s", value.encode("utf-8", "surrogatepass")),
    int: lambda value: (b"i", f"{value:x}".encode()),
    bool: lambda value: (b"b", b"1" if value else b"0"),
    type(None): lambda value: (b"N", b""),
}


def _inside(value: object, place: str, at: object) -> str:
    """The place of a part; nothing goes wrong with those that `_QUICK` knows, so that none is spelled for them."""
    return place if type(value) in _QUICK else f"{place}[{at!r}]"


def _scalar(value: Any) -> tuple[bytes, bytes] | None:
    kind = type(value)
    if value is None or value is Ellipsis:
        return (b"N" if value is None else b"E"), b""
    if kind is bool:
        return b"b", b"1" if value else b"0"
    if isinstance(value, Enum):
        return None
    if isinstance(value, int):
        return b"i", f"{int(value):x}".encode()
    if kind is float:
        return b"f", b"nan" if value != value else struct.pack(">d", value)
    if isinstance(value, str):
        return b"s", value.encode("utf-8", "surrogatepass")
    if kind is bytes or kind is bytearray:
        return (b"y" if kind is bytes else b"Y"), bytes(value)
    return None


def _compound(value: Any, place: str, depth: int) -> tuple[bytes, bytes]:
    if isinstance(value, Enum):
        return b"e", _encoded([type(value).__name__, value.name, value.value], place, depth)
    if isinstance(value, list | tuple):
        items = b"".join(_encoded(v, _inside(v, place, n), depth) for n, v in enumerate(value))
        names = getattr(value, "_fields", None)
        if names is None:
            return (b"l" if isinstance(value, list) else b"t"), items
        return b"T", _encoded([type(value).__name__, list(names)], place, depth) + items
    if isinstance(value, Mapping):
        pairs = sorted(
            (
                _encoded(k, place if type(k) in _QUICK else f"{place} key", depth),
                _encoded(v, _inside(v, place, k), depth),
            )
            for k, v in value.items()
        )
        return b"m", b"".join(k + v for k, v in pairs)
    if isinstance(value, frozenset | set):
        tag = b"F" if isinstance(value, frozenset) else b"S"
        return tag, b"".join(sorted(_encoded(v, place, depth) for v in value))
    if is_dataclass(value) and not isinstance(value, type):
        content = {f.name: getattr(value, f.name) for f in fields(value)}
        return b"c", _encoded([type(value).__name__, content], place, depth)
    parts = _parts(value)
    if parts is not None:
        return parts[0], _encoded(parts[1], place, depth)
    array = _array(value)
    if array is not None:
        return array
    raise UserError(f"a {type(value).__name__} has no canonical form", place=place, value=value, cure=_CURE)


def _parts(value: Any) -> tuple[bytes, list[Any]] | None:
    """What a value of the standard library is made of."""
    name = type(value).__name__
    if isinstance(value, datetime):
        return b"d", [
            name,
            value.isoformat(),
            value.fold,
            None if value.tzinfo is None else str(value.tzinfo),
        ]
    if isinstance(value, date):
        return b"d", [name, value.isoformat()]
    if isinstance(value, timedelta):
        rest = getattr(value, "nanoseconds", 0)  # of a pandas.Timedelta
        return b"d", [name, value.days, value.seconds, value.microseconds, rest]
    if isinstance(value, Decimal | Fraction):
        return b"q", [name, str(value)]
    if isinstance(value, range | slice):
        return b"r", [name, value.start, value.stop, value.step]
    if type(value) is complex:
        return b"z", [value.real, value.imag]
    return None


def _array(value: Any) -> tuple[bytes, bytes] | None:
    """numpy scalars and arrays: dtype, shape, little-endian content."""
    if type(value).__module__ != "numpy" or not hasattr(value, "dtype"):
        return None
    import numpy as np

    if type(value) is not np.ndarray and not isinstance(value, np.generic):
        return None
    array = np.asarray(value)
    if array.dtype.kind not in _CODES or array.dtype.itemsize not in _WIDTHS.get(
        array.dtype.kind, (array.dtype.itemsize,)
    ):
        return None
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
    if array.dtype.kind in "fc":
        little = np.where(np.isnan(little), np.array(np.nan, little.dtype), little)
    head = canonical_bytes([little.dtype.str, list(array.shape), isinstance(value, np.generic)])
    return b"a", head + little.tobytes()
