"""Equal bytes exactly for equal content: what is told apart, what is one, and what has no encoding."""

from __future__ import annotations

import math
import struct
import threading
from dataclasses import dataclass, make_dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import UserError
from qmtl.core.graph.canonical import canonical_bytes, digest
from qmtl.core.graph.duration import Duration


class Side(Enum):
    BUY = 1
    SELL = -1


class Level(IntEnum):
    LOW = 1


class Flags(IntFlag):
    A = 1
    B = 2


class Point(NamedTuple):
    x: float
    y: float


class Turned(NamedTuple):
    y: float
    x: float


@dataclass(frozen=True)
class Costs:
    fee: float
    slip: float = 0.0


OTHER_NAN = struct.unpack(">d", bytes.fromhex("fff8000000000001"))[0]
NOON = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Paris"))

DISTINCT: dict[str, tuple[Any, ...]] = {
    "one": (1, 1.0, True, "1", b"1", bytearray(b"1"), Decimal(1), Fraction(1), 1 + 0j, [1], (1,), {1}, {1: 1}),
    "one of an enum": (1, Side.BUY, "BUY", "Side.BUY"),
    "one of numpy": (1, np.int64(1), np.int32(1), np.uint64(1), np.float64(1), np.bool_(True), np.array(1)),
    "zero": (0, 0.0, -0.0, False, None, "", b"", 0j, -0j, complex(0.0, -0.0), timedelta(0), Decimal("-0")),
    "nothing": (None, (), [], {}, set(), frozenset(), "", b"", ..., "None", 0, False, np.array([])),
    "nothing of numpy": (np.zeros(0), np.zeros(0, "f4"), np.zeros((0, 1)), np.zeros((1, 0))),
    "not a number": (math.nan, math.inf, -math.inf, "nan", None, np.float64("nan"), Decimal("nan")),
    "bounds of items": (("ab", "c"), ("a", "bc"), ("abc",), (("ab", "c"),), ("a", "b", "c"), "abc"),
    "depth": ((1, 2), ((1, 2),), (1, (2,)), ((1,), 2), ((), 1, 2)),
    "order": ((1, 2), (2, 1), [1, 2], [2, 1]),
    "a separator within": (("1:", "2"), ("1", ":2"), ("1:2",)),
    "sets": ({1, 2}, frozenset({1, 2}), (1, 2), {1: None, 2: None}),
    "dicts": ({"a": 1, "b": 2}, {"a": 2, "b": 1}, {"a": 1}, {"a": 1, "b": 2, "c": None}),
    "keys": ({1: "a"}, {1.0: "a"}, {True: "a"}, {"1": "a"}, {(1,): "a"}),
    "items and pairs": ({"a": 1}, (("a", 1),), [["a", 1]]),
    "enums of one value": (Side.BUY, Level.LOW, Enum("Other", {"BUY": 1}).BUY, Flags.A),
    "an enum whose value changed": (Side.BUY, Enum("Side", {"BUY": 2, "SELL": -1}).BUY),
    "flags": (Flags.A, Flags.B, Flags.A | Flags.B, Flags(0)),
    "named tuples": (Point(1.0, 2.0), Turned(1.0, 2.0), Point(2.0, 1.0), (1.0, 2.0)),
    "dataclasses": (
        Costs(1.0), Costs(2.0), Costs(1.0, -0.0), {"fee": 1.0, "slip": 0.0}, ("Costs", {"fee": 1.0, "slip": 0.0}),
        make_dataclass("Costs", ["fee", "slide"])(1.0, 0.0), make_dataclass("Prices", ["fee", "slip"])(1.0, 0.0),
    ),
    "lengths of time": (Duration("1m"), timedelta(minutes=1), 60, "1m", pd.Timedelta("1m"), pd.Timedelta("60s1ns")),
    "dates": (date(2024, 1, 1), datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01"),
    "zones": (NOON, NOON.replace(tzinfo=timezone(timedelta(hours=2))), NOON.replace(fold=1), NOON.astimezone(UTC)),
    "decimals": (Decimal("1"), Decimal("1.0"), Decimal("1.00"), Fraction(1)),
    "ranges": (range(3), range(0, 3, 2), slice(3), slice(0, 3, 1), (0, 1, 2)),
    "large ints": (2**53, 2**53 + 1, float(2**53), 2**64, -(2**64), 10**5_000),
    "shapes": (np.zeros(6), np.zeros((2, 3)), np.zeros((3, 2)), (0.0,) * 6, [0.0] * 6),
    "types of arrays": (np.zeros(2), np.zeros(2, "f4"), np.zeros(2, "i8"), np.zeros(2, bool), np.zeros(2, "M8[s]")),
    "signs within an array": (np.array([0.0]), np.array([-0.0])),
    "texts": ("é", "e\u0301", "É", "é ".encode(), "\ud800"),
}  # fmt: skip


@pytest.mark.parametrize("case", DISTINCT)
def test_told_apart(case: str) -> None:
    for one, other in combinations(DISTINCT[case], 2):
        assert canonical_bytes(one) != canonical_bytes(other), (one, other)


SAME: dict[str, tuple[Any, Any]] = {
    "every NaN": (math.nan, OTHER_NAN),
    "NaN of a complex": (complex(math.nan, 1.0), complex(OTHER_NAN, 1.0)),
    "NaN within a tuple": ((1.0, math.nan), (1.0, -math.nan)),
    "NaN within an array": (np.array([1.0, math.nan]), np.array([1.0, OTHER_NAN])),
    "order of a dict": ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
    "order of keys of several types": ({1: "a", "x": "b", None: "c"}, {None: "c", "x": "b", 1: "a"}),
    "a dict and a view of it": ({"a": 1}, MappingProxyType({"a": 1})),
    "order of a set": ({"c", "a", "b"}, {"b", "c", "a"}),
    "order of a frozenset of tuples": (frozenset([(1, "a"), (2, "b")]), frozenset([(2, "b"), (1, "a")])),
    "byte order of an array": (np.array([1.0, 2.0], ">f8"), np.array([1.0, 2.0], "<f8")),
    "memory layout of an array": (
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    ),
    "a slice of an array": (np.arange(6.0)[::2], np.array([0.0, 2.0, 4.0])),
    "a length of time": (Duration("90s"), Duration("1m30s")),
    "a member of an enum, by name and by value": (Side["BUY"], Side(1)),
    "a timedelta": (timedelta(minutes=1), timedelta(seconds=60)),
}


@pytest.mark.parametrize("case", SAME)
def test_the_same(case: str) -> None:
    one, other = SAME[case]
    assert canonical_bytes(one) == canonical_bytes(other)
    assert digest(one) == digest(other)


class Opaque:
    """Nothing is known about its content."""


UNENCODABLE: dict[str, Any] = {
    "object": object(),
    "Opaque": Opaque(),
    "function": lambda: None,
    "builtin_function_or_method": len,
    "type": Opaque,
    "module": math,
    "generator": (x for x in ()),
    "lock": threading.Lock(),
    "PosixPath": Path("x"),
    "memoryview": memoryview(b"x"),
    "MaskedArray": np.ma.array([1.0]),
    "longdouble": np.longdouble(1),
    "DataFrame": pd.DataFrame({"a": [1.0]}),
}


@pytest.mark.parametrize("kind", UNENCODABLE)
def test_what_has_no_encoding_is_refused_by_name(kind: str) -> None:
    value = {"k": (1, UNENCODABLE[kind])}
    with pytest.raises(UserError) as refused:
        canonical_bytes(value, "params")
    assert f"params['k'][1]: a {kind} has no canonical form" in str(refused.value)
    assert "use numbers, texts, tuples" in str(refused.value)


@pytest.mark.parametrize("value", [np.array([Opaque()]), np.zeros(1, [("a", "f8")]), np.zeros(1, "g")])
def test_arrays_of_other_things_are_refused(value: Any) -> None:
    with pytest.raises(UserError, match="a ndarray has no canonical form"):
        canonical_bytes(value)


def test_a_key_that_has_no_encoding_is_refused() -> None:
    with pytest.raises(UserError, match="params key: a Opaque has no canonical form"):
        canonical_bytes({Opaque(): 1}, "params")


def test_a_list_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(UserError, match="nested too deeply, or holds itself"):
        canonical_bytes(value)


def test_the_encoding_is_fixed() -> None:
    """Ids are kept for good: these bytes never change."""
    assert canonical_bytes((None, True, 26, 1.5, "é", b"\0", [..., {"b": 2, "a": ()}])) == (
        b"t58:N0:b1:1i2:1af8:?\xf8\x00\x00\x00\x00\x00\x00s2:\xc3\xa9y1:\x00l22:E0:m15:s1:at0:s1:bi1:2"
    )


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=4),
    st.binary(max_size=4),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=2), inner, max_size=3),
    ),
    max_leaves=8,
)


def exact(value: Any) -> Any:
    """A form of the value in which Python's own `==` tells apart what must be."""
    if isinstance(value, list | tuple):
        return (type(value), [exact(one) for one in value])
    if isinstance(value, dict):
        return {key: exact(one) for key, one in value.items()}
    return (type(value), repr(value))


@given(values, values)
def test_equal_bytes_exactly_for_equal_content(one: Any, other: Any) -> None:
    assert (canonical_bytes(one) == canonical_bytes(other)) == (exact(one) == exact(other))
