"""`StreamInput`: columns, settings and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from qmtl.core.errors import UserError
from qmtl.core.graph import ir
from qmtl.core.graph.duration import Duration
from qmtl.sdk.stream import OHLCV, StreamInput


def node(stream: StreamInput) -> ir.Node:
    assert isinstance(stream.lanes, ir.Node)
    return stream.lanes


def test_defaults_are_those_of_the_rules() -> None:
    made = node(StreamInput("BTC", interval="1m"))
    assert (made.kind, made.stream, made.interval_ns, made.outputs) == (
        ir.NodeKind.BARS,
        "BTC",
        60 * ir.NS,
        OHLCV,
    )
    assert made.event_time == ir.EventTime(0, ir.OnLate.RECOMPUTE, None, None, None, ir.TickIdentity.EVENT_ID)


def test_without_interval_it_is_ticks_of_price_and_amount() -> None:
    made = node(StreamInput("BTC", identity="position"))
    assert (made.kind, made.interval_ns, made.outputs) == (ir.NodeKind.TICKS, None, ("price", "amount"))
    assert made.event_time is not None
    assert made.event_time.identity is ir.TickIdentity.POSITION


def test_event_time_settings_are_durations_and_choices() -> None:
    made = node(
        StreamInput(
            "BTC",
            interval=60,
            lateness="5s",
            on_late="ignore",
            allowed_lateness=timedelta(minutes=1),
            idle_timeout="30s",
            max_future_skew=Duration("2s"),
        )
    )
    second = ir.NS
    assert made.event_time == ir.EventTime(5 * second, ir.OnLate.IGNORE, 60 * second, 30 * second, 2 * second)


def test_columns_are_attributes_and_items() -> None:
    btc = StreamInput("BTC", interval="1m")
    for close in (btc.close, btc["close"]):
        assert isinstance(close.lanes, ir.Column)
        assert (close.lanes.node, close.lanes.column) == (btc.lanes, "close")
    assert "close" in dir(btc)
    assert btc.columns == OHLCV


def test_an_unknown_column_is_refused_with_the_likely_one() -> None:
    btc = StreamInput("BTC", interval="1m")
    with pytest.raises(
        UserError, match=r"test_stream_input.py:\d+: the stream 'BTC' has no column 'cloze'.*'close'"
    ):
        btc.cloze
    with pytest.raises(UserError, match="'open', 'high', 'low', 'close', 'volume'"):
        btc["x"]


def test_asking_whether_a_column_exists_is_answered() -> None:
    btc = StreamInput("BTC", interval="1m")
    assert hasattr(btc, "close")
    assert not hasattr(btc, "cloze")
    assert not hasattr(btc, "_repr_pretty_")


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"interval": "1x"}, "1x"),
        ({"interval": 0}, "positive"),
        ({"interval": "1m", "lateness": "-1s"}, "lateness"),
        ({"interval": "1m", "on_late": "drop"}, "'recompute', 'ignore', 'side_output'"),
        ({"interval": "1m", "identity": "position"}, "ticks only"),
        ({"interval": "1m", "on_missing": "fail"}, "belongs to an author's node"),
        ({"interval": "1m", "required": False}, "belongs to one input"),
        ({"interval": "1m", "lateless": "5s"}, "did you mean 'lateness'"),
        ({"interval": "1m", "fields": ("close", "close")}, "each once"),
        ({"interval": "1m", "fields": ()}, "fields"),
        ({"interval": "1m", "tags": "spot"}, "tags=('spot',)"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_cure(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(UserError) as refusal:
        StreamInput("BTC", **settings)
    assert what in str(refusal.value)
    assert "test_stream_input.py:" in str(refusal.value)


@pytest.mark.parametrize("name", ["", "  ", 3, None])
def test_an_id_is_a_text(name: Any) -> None:
    with pytest.raises(UserError, match="id is a text"):
        StreamInput(name, interval="1m")
