"""A canonical encoding of plain values: equal bytes exactly for equal content, whatever the process or machine.

Every value is a type tag, a length and a body, so nothing can be confused with anything else: 1, 1.0 and True differ,
and so do 0.0 and -0.0, ``"1"`` and ``b"1"``, a list and a tuple. Every NaN is the same NaN. Dicts and sets are sorted
by their encoded keys.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

from qmtl.core.errors import UserError


def canonical_bytes(value: object, place: str = "value") -> bytes:
    """The encoding of `value`; raises :class:`UserError` naming `place` for a type that has none."""
    tag, body = _body(value, place)
    return tag + str(len(body)).encode() + b":" + body


def digest(value: object, place: str = "value") -> str:
    """SHA-256 (hex) of the canonical encoding."""
    return hashlib.sha256(canonical_bytes(value, place)).hexdigest()


def _body(value: Any, place: str) -> tuple[bytes, bytes]:
    if value is None or value is Ellipsis:
        return (b"N" if value is None else b"E"), b""
    if isinstance(value, Enum):
        return b"e", canonical_bytes([type(value).__name__, value.name], place)
    scalar = _scalar(value)
    if scalar is not None:
        return scalar
    if isinstance(value, list | tuple):
        items = b"".join(canonical_bytes(v, f"{place}[{n}]") for n, v in enumerate(value))
        return (b"l" if isinstance(value, list) else b"t"), items
    if isinstance(value, Mapping):
        pairs = sorted(
            (canonical_bytes(k, f"{place} key"), canonical_bytes(v, f"{place}[{k!r}]"))
            for k, v in value.items()
        )
        return b"m", b"".join(k + v for k, v in pairs)
    if isinstance(value, frozenset | set):
        return (b"F" if isinstance(value, frozenset) else b"S"), b"".join(
            sorted(canonical_bytes(v, place) for v in value)
        )
    if is_dataclass(value) and not isinstance(value, type):
        content = {f.name: getattr(value, f.name) for f in fields(value)}
        return b"c", canonical_bytes([type(value).__name__, content], place)
    array = _array(value)
    if array is not None:
        return array
    raise UserError(
        f"a {type(value).__name__} has no canonical form",
        place=place,
        value=value,
        cure="use numbers, texts, tuples, dicts, enums, frozen dataclasses or numpy arrays",
    )


def _scalar(value: Any) -> tuple[bytes, bytes] | None:
    kind = type(value)
    if kind is bool:
        return b"b", b"1" if value else b"0"
    if isinstance(value, int):
        return b"i", str(int(value)).encode()
    if kind is float:
        return b"f", b"nan" if value != value else struct.pack(">d", value)
    if isinstance(value, str):
        return b"s", value.encode("utf-8", "surrogatepass")
    if kind in (bytes, bytearray):
        return b"y", bytes(value)
    if kind is complex:
        return b"z", canonical_bytes((value.real, value.imag))
    if isinstance(value, datetime | date | timedelta):
        return b"d", f"{kind.__name__} {value!r}".encode() if isinstance(
            value, timedelta
        ) else f"{kind.__name__} {value.isoformat()}".encode()
    if isinstance(value, Decimal | Fraction):
        return b"q", f"{kind.__name__} {value}".encode()
    return None


def _array(value: Any) -> tuple[bytes, bytes] | None:
    """numpy scalars and arrays: dtype, shape, little-endian content."""
    if type(value).__module__ != "numpy" or not hasattr(value, "dtype"):
        return None
    import numpy as np

    array = np.asarray(value)
    if array.dtype.kind not in "biufcSUmM":
        return None
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
    if array.dtype.kind in "fc":
        little = np.where(np.isnan(little), np.array(np.nan, little.dtype), little)
    head = canonical_bytes([little.dtype.str, list(array.shape), isinstance(value, np.generic)])
    return b"a", head + little.tobytes()
