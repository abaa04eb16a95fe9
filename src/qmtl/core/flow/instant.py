"""Instants: points of time as integer nanoseconds since 1970-01-01T00:00 UTC.

Nothing is guessed: a text without a zone is UTC by definition, a naive `datetime` is refused.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

from qmtl.core.errors import UserError

Instant: TypeAlias = str | date | datetime
InstantOrNs: TypeAlias = int | str | date | datetime

SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r"[.,](\d+)")
_INT64 = 2**63


def parse_instant(value: Instant, what: str) -> int:
    """Nanoseconds UTC of a text (ISO 8601; without a zone it is UTC), a date (its midnight UTC) or an aware datetime.

    `what` names the argument in errors. Raises :class:`UserError` for numbers, naive datetimes, texts that are no
    date, more than nine decimals and times outside 1677-09-22 … 2262-04-11.
    """
    if isinstance(value, str):
        return _checked(_from_text(value, what), value, what)
    if isinstance(value, datetime):
        return _checked(_from_datetime(value, what), value, what)
    if isinstance(value, date):
        return _checked(_since_epoch(datetime(value.year, value.month, value.day, tzinfo=UTC)), value, what)
    raise UserError(
        f"{what} is not a time",
        place=what,
        value=value,
        cure='give a text such as "2022-01-03T00:00Z", a date or an aware datetime; numbers are refused, '
        "because they do not say their unit",
    )


def instant_ns(value: InstantOrNs, what: str) -> int:
    """Like :func:`parse_instant`, but an integer is taken as nanoseconds UTC: for events, which machines make."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _checked(value, value, what)
    return parse_instant(value, what)  # type: ignore[arg-type]


def instant_text(ns: int) -> str:
    """ISO 8601 in UTC, with as many decimals as it needs: `2022-01-03T00:00:00Z`."""
    seconds, rest = divmod(ns, SECOND)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return text + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"


def _from_text(text: str, what: str) -> int:
    decimals = _FRACTION.search(text)
    digits = decimals.group(1) if decimals else ""
    try:
        if len(digits) > 9:
            raise ValueError
        when = datetime.fromisoformat(_FRACTION.sub("", text.strip(), count=1))
    except ValueError:
        raise UserError(
            f"{what} is not a time",
            place=what,
            value=text,
            cure='write ISO 8601, at most nine decimals: "2022-01-03", "2022-01-03 10:30" (both UTC) or '
            '"2022-01-03T10:30+01:00"',
        ) from None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return _since_epoch(when) + int(digits.ljust(9, "0") if digits else 0)


def _from_datetime(when: datetime, what: str) -> int:
    if str(when) == "NaT":  # pandas' missing time is a datetime too
        raise UserError(f"{what} is not a time", place=what, value=when, cure="give a time")
    if when.utcoffset() is None:
        raise UserError(
            f"{what} has no time zone",
            place=what,
            value=when,
            cure="make it aware, for example .replace(tzinfo=datetime.UTC)",
        )
    return _since_epoch(when) + int(getattr(when, "nanosecond", 0))  # pandas' Timestamp carries nanoseconds


def _since_epoch(when: datetime) -> int:
    gone = when - _EPOCH
    return (gone.days * 86_400 + gone.seconds) * SECOND + gone.microseconds * 1_000


def _checked(ns: int, value: object, what: str) -> int:
    if not -_INT64 < ns < _INT64 - 1:  # the two ends mean minus and plus infinity
        raise UserError(
            f"{what} is outside the years that nanoseconds can count",
            place=what,
            value=value,
            cure="use a time between 1678 and 2261",
        )
    return ns
