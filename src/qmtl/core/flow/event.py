"""What a feed says, in order of arrival: an event of a stream, or the time on the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta

from qmtl.core.flow.instant import InstantOrNs
from qmtl.core.graph.duration import Duration


@dataclass(frozen=True, slots=True)
class Event:
    """A bar or tick of `stream` that arrived.

    `ts` is the bar's *start* or the tick's time; an integer is nanoseconds UTC. `values` maps fields to numbers; a
    bare number serves a stream of one field. `interval` (`"1m"`, a timedelta, seconds) may be left out where the
    stream is read at one interval only. `at` is when it arrived (default: the bar's end, the tick's time); it decides
    idleness, while the order of arrival is the order of the iterable. `id` identifies a tick (E7), `revision` orders
    corrections of one identity.
    """

    stream: str
    ts: InstantOrNs
    values: Mapping[str, float] | float
    _: KW_ONLY
    interval: str | timedelta | int | Duration | None = None
    at: InstantOrNs | None = None
    id: int | str | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class ClockTick:
    """The clock says `at` (an integer is nanoseconds UTC); only here can a source become idle (E11)."""

    at: InstantOrNs
