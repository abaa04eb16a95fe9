"""`StreamInput`: a source stream, where data enters."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Literal, Never

from qmtl.core.graph import ir
from qmtl.core.graph.duration import Duration
from qmtl.sdk.choice import choice, misplaced
from qmtl.sdk.declaring import declare
from qmtl.sdk.place import mistake
from qmtl.sdk.series import Stream
from qmtl.sdk.window import duration_ns, positive_ns

OHLCV = ("open", "high", "low", "close", "volume")
TICK_FIELDS = ("price", "amount")

Time = str | int | timedelta | Duration
OnLate = ir.OnLate | Literal["recompute", "ignore", "side_output"]
TickIdentity = ir.TickIdentity | Literal["event_id", "position", "event_ts"]
_SETTINGS = (
    "interval", "fields", "tags", "lateness", "on_late", "allowed_lateness", "idle_timeout",
    "max_future_skew", "identity",
)  # fmt: skip


class StreamInput(Stream):
    """A source stream of bars (with an interval) or ticks (without one).

    It is identified by its id, interval, fields and event-time settings; tags are labels.

    lateness          L of the watermark: how long to wait for events out of order
    on_late           an event behind the watermark: `"recompute"`, `"ignore"` or `"side_output"`
    allowed_lateness  H: how long a closed bucket may still be corrected; None is unbounded
    idle_timeout      silence after which the stream no longer holds back its readers; None is never
    max_future_skew   how far ahead of the ingest clock an event may be; None is any
    identity          ticks only: what makes two events the same one
    """

    __slots__ = ()

    def __init__(
        self,
        id: str,
        *,
        interval: Time | None = None,
        fields: Iterable[str] | None = None,
        tags: Iterable[str] = (),
        lateness: Time = "0s",
        on_late: OnLate = "recompute",
        allowed_lateness: Time | None = None,
        idle_timeout: Time | None = None,
        max_future_skew: Time | None = None,
        identity: TickIdentity | None = None,
        **elsewhere: Never,
    ) -> None:
        if elsewhere:
            raise misplaced(elsewhere, "StreamInput", _SETTINGS)
        if interval is not None and identity is not None:
            raise mistake(
                "identity is for ticks only: a bar is known by its start",
                value=identity,
                cure="leave identity out, or leave interval out if these are ticks",
            )
        ticks = interval is None
        event_time = ir.EventTime(
            lateness_ns=duration_ns(lateness, "lateness"),
            on_late=choice(ir.OnLate, on_late, "on_late"),
            allowed_lateness_ns=_optional_ns(allowed_lateness, "allowed_lateness"),
            idle_timeout_ns=_optional_ns(idle_timeout, "idle_timeout"),
            max_future_skew_ns=_optional_ns(max_future_skew, "max_future_skew"),
            identity=choice(ir.TickIdentity, identity or "event_id", "identity"),
        )
        self._lanes = declare(
            ir.Node(
                kind=ir.NodeKind.TICKS if ticks else ir.NodeKind.BARS,
                operator="ticks" if ticks else "bars",
                interval_ns=None if interval is None else positive_ns(interval, "interval"),
                outputs=field_names(fields, TICK_FIELDS if ticks else OHLCV),
                stream=stream_id(id),
                event_time=event_time,
                tags=_tags(tags),
                label=id,
            )
        )

    @property
    def id(self) -> str:
        """The stream's id."""
        return self._node().stream or ""


def stream_id(id: object) -> str:
    """A stream's id: any text that is not empty."""
    if not isinstance(id, str) or not id.strip():
        raise mistake(
            "a stream's id is a text", value=id, cure='for example StreamInput("BTC", interval="1m")'
        )
    return id


def _optional_ns(value: object, what: str) -> int | None:
    return None if value is None else duration_ns(value, what)


def field_names(fields: Iterable[str] | None, default: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of a stream: those given, each once, or the default."""
    if fields is None:
        return default
    names = (fields,) if isinstance(fields, str) else tuple(fields)
    if not names or not all(isinstance(one, str) and one for one in names) or len(set(names)) < len(names):
        raise mistake(
            "fields are the names of a stream's columns, each once", value=names, cure='fields=("close",)'
        )
    return names


def _tags(tags: Iterable[str]) -> frozenset[str]:
    if isinstance(tags, str):
        raise mistake("tags are several texts, not one", value=tags, cure=f"tags=({tags!r},)")
    return frozenset(tags)
