"""Instants: texts without a zone are UTC, naive datetimes and numbers are refused, nanoseconds are exact."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from qmtl.core.errors import UserError
from qmtl.core.flow.instant import instant_ns, instant_text, parse_instant

JAN_3 = 1_641_168_000_000_000_000


@pytest.mark.parametrize(
    "value",
    [
        "2022-01-03",
        "2022-01-03 00:00",
        "2022-01-03T00:00:00.000000000Z",
        "2022-01-03T01:00+01:00",
        date(2022, 1, 3),
        datetime(2022, 1, 3, tzinfo=UTC),
        datetime(2022, 1, 2, 19, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_a_moment_written_in_many_ways(value: object) -> None:
    assert parse_instant(value, "start") == JAN_3


def test_nanoseconds_are_kept() -> None:
    assert parse_instant("2022-01-03T00:00:00.123456789Z", "start") == JAN_3 + 123_456_789
    assert parse_instant("1969-12-31T23:59:59.5", "start") == -500_000_000


def test_pandas_timestamps_keep_their_nanoseconds() -> None:
    pandas = pytest.importorskip("pandas")
    assert parse_instant(pandas.Timestamp(JAN_3 + 7, tz="Europe/London"), "start") == JAN_3 + 7
    with pytest.raises(UserError, match="start is not a time"):
        parse_instant(pandas.NaT, "start")


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (datetime(2022, 1, 3), "no time zone"),
        (1_641_168_000, "numbers are refused"),
        ("yesterday", "ISO 8601"),
        ("2022-01-03T00:00:00.1234567891Z", "nine decimals"),
        ("2300-01-01", "between 1678 and 2261"),
        (None, "start is not a time"),
    ],
)
def test_what_is_refused_names_the_argument_and_a_cure(value: object, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        parse_instant(value, "start")
    assert caught.value.place == "start" and caught.value.cure


def test_events_may_give_nanoseconds() -> None:
    assert instant_ns(JAN_3, "ts") == JAN_3
    with pytest.raises(UserError):
        instant_ns(2**63, "ts")


def test_instants_are_written_in_utc_with_the_decimals_they_need() -> None:
    assert instant_text(JAN_3) == "2022-01-03T00:00:00Z"
    assert instant_text(JAN_3 + 1_500_000) == "2022-01-03T00:00:00.0015Z"
    assert instant_text(-1) == "1969-12-31T23:59:59.999999999Z"
