"""`Duration`: a positive length of time, exact in nanoseconds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from qmtl.core.errors import UserError

_UNITS: Final = {
    "w": 604_800_000_000_000,
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
_WRITTEN = re.compile(
    "".join(f"(?:([0-9]{{1,20}}){unit})?" for unit in _UNITS)
)  # each unit once, the largest first
_CURE = 'write "1m", "90s", "1h30m", a timedelta, or whole seconds'


@dataclass(frozen=True, order=True, init=False, slots=True)
class Duration:
    """``Duration("1m")``, ``Duration(timedelta(minutes=1))`` and ``Duration(60)`` are equal; `ns` is its length."""

    ns: int

    def __init__(self, value: str | timedelta | int | Duration) -> None:
        """Raises :class:`UserError` for anything that is not a positive length of time."""
        object.__setattr__(self, "ns", Duration.parse(value).ns)

    @classmethod
    def from_ns(cls, ns: int) -> Duration:
        """A length in nanoseconds."""
        made = object.__new__(cls)
        object.__setattr__(made, "ns", ns)
        return made

    @classmethod
    def parse(cls, value: object, what: str = "duration", *, allow_zero: bool = False) -> Duration:
        """The duration that `value` says; `what` names it in an error."""
        ns = _ns(value, what)
        if ns < 0 or (ns == 0 and not allow_zero):
            raise UserError("a length of time is positive", place=what, value=value, cure=_CURE)
        if ns > 2**62:
            raise UserError("longer than a hundred years", place=what, value=value, cure=_CURE)
        return cls.from_ns(ns)

    def __str__(self) -> str:
        """Its exact spelling in units up to the day: ``1h30m``, ``250ms``; zero is ``0s``."""
        rest, text = self.ns, ""
        for unit, size in list(_UNITS.items())[1:]:
            count, rest = divmod(rest, size)
            text += f"{count}{unit}" if count else ""
        return text or "0s"

    def __repr__(self) -> str:
        return f"Duration({str(self)!r})"


def _ns(value: object, what: str) -> int:
    if isinstance(value, Duration):
        return value.ns
    if isinstance(value, timedelta):
        exact = ((value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds) * 1_000
        return exact + int(getattr(value, "nanoseconds", 0))  # of a pandas.Timedelta
    if isinstance(value, int) and not isinstance(value, bool):
        return value * 1_000_000_000
    written = _WRITTEN.fullmatch(value.strip(" ")) if isinstance(value, str) else None
    if written and written.lastindex:
        return sum(
            int(count or 0) * size for count, size in zip(written.groups(), _UNITS.values(), strict=True)
        )
    raise UserError("not a length of time", place=what, value=value, cure=_CURE)
