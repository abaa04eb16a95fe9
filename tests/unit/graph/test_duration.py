"""A `Duration` is read from what an author writes, exactly; everything else is refused with the cure."""

from __future__ import annotations

import copy
import pickle
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import UserError
from qmtl.core.graph.duration import Duration

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("written", "ns"),
    [
        ("1m", 60 * SECOND),
        ("90s", 90 * SECOND),
        ("1h30m", 5_400 * SECOND),
        ("1w2d3h4m5s6ms7us8ns", 788_645_006_007_008),
        (" 1m ", 60 * SECOND),
        ("250ms", SECOND // 4),
        (60, 60 * SECOND),
        (timedelta(minutes=1), 60 * SECOND),
        (timedelta(days=1, microseconds=1), 86_400 * SECOND + 1_000),
        (pd.Timedelta("1us3ns"), 1_003),
        (Duration("1m"), 60 * SECOND),
    ],
)
def test_a_length_is_read_exactly(written: Any, ns: int) -> None:
    assert Duration(written).ns == ns


@pytest.mark.parametrize(
    "written",
    [
        "", "m", "1", "60", "1.5m", "-1m", "1 m", "1m 30s", "1M", "1min", "1y", "1m1m", "30s1m", "１m", "1m\n2s",
        "1" * 99 + "s",
        1.0, 60.5, float("nan"), True, None, b"1m", ["1m"], {"minutes": 1}, np.int64(60), np.timedelta64(1, "m"),
        object,
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_the_value_and_the_cure(written: Any) -> None:
    with pytest.raises(UserError) as refused:
        Duration(written)
    assert refused.value.message == "not a length of time"
    assert str(refused.value).endswith('write "1m", "90s", "1h30m", a timedelta, or whole seconds')
    assert repr(written) in str(refused.value) or written is None


@pytest.mark.parametrize("written", [0, "0s", "0m", -60, timedelta(0), timedelta(seconds=-1)])
def test_a_length_is_positive(written: Any) -> None:
    with pytest.raises(UserError, match="positive"):
        Duration(written)


def test_nothing_is_a_length_where_zero_is_allowed() -> None:
    assert Duration.parse("0s", allow_zero=True).ns == 0
    with pytest.raises(UserError, match="lateness: a length of time is positive"):
        Duration.parse(-1, "lateness", allow_zero=True)


@pytest.mark.parametrize(
    "written", ["8000w", 10**12, timedelta.max, 10**5_000], ids=["weeks", "int", "max", "long"]
)
def test_more_than_a_hundred_years_is_refused(written: Any) -> None:
    with pytest.raises(UserError, match="longer than a hundred years"):
        Duration(written)


def test_the_error_names_the_setting() -> None:
    with pytest.raises(UserError, match=r"^lateness: not a length of time \(got 'soon'\)"):
        Duration.parse("soon", "lateness")


@pytest.mark.parametrize(
    ("ns", "text"),
    [(60 * SECOND, "1m"), (90 * SECOND, "1m30s"), (7 * 86_400 * SECOND, "7d"), (1, "1ns"), (0, "0s")],
)
def test_it_is_spelled_as_an_author_would(ns: int, text: str) -> None:
    assert str(Duration.from_ns(ns)) == text
    assert repr(Duration.from_ns(ns)) == f"Duration('{text}')"


@given(st.integers(min_value=1, max_value=2**60))
def test_its_spelling_is_exact(ns: int) -> None:
    assert Duration(str(Duration.from_ns(ns))).ns == ns


def test_equal_lengths_are_one_value() -> None:
    assert {Duration("1m"), Duration(60), Duration("60s"), Duration(timedelta(minutes=1))} == {Duration("1m")}
    assert Duration("59s") < Duration("1m") < Duration("61s")


def test_it_is_a_value_that_can_be_copied_but_not_changed() -> None:
    one = Duration("1m")
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one
    with pytest.raises(AttributeError):
        one.ns = 3  # type: ignore[misc]
