"""Iterables of events: their order is the order of arrival; what is unclear is refused with the item's number."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from qmtl.core.errors import UserError
from qmtl.core.flow.event import ClockTick, Event
from qmtl.core.graph.ir import TickIdentity
from qmtl.runtime.arrivals import ArrivalKind, Arrivals, SourceKey
from qmtl.runtime.sources import Wanted, load

MINUTE = 60_000_000_000
BARS = Wanted("A", MINUTE, ("x",))
TICKS = Wanted("T", None, ("x",))


def read(items: Iterable[Any], *wanted: Wanted, finished: bool = False) -> Arrivals:
    return load(iter(items), wanted or [BARS], finished=finished)


def test_the_order_of_the_iterable_is_kept() -> None:
    starts = [3 * MINUTE, 0, 2 * MINUTE]
    arrivals = read([Event("A", ts, 1.0) for ts in starts])
    assert arrivals.event_ns.tolist() == starts
    assert arrivals.available_ns.tolist() == [ts + MINUTE for ts in starts]


def test_arrival_times_may_be_given() -> None:
    assert read([Event("A", 0, 1.0, at=7), Event("A", MINUTE, 1.0, at=3)]).available_ns.tolist() == [7, 3]


def test_clock_ticks_stand_among_the_events() -> None:
    arrivals = read([Event("T", 5, 1.0), ClockTick(9), Event("T", 6, 2.0)], TICKS)
    assert arrivals.kind.tolist() == [ArrivalKind.EVENT, ArrivalKind.CLOCK, ArrivalKind.EVENT]
    assert arrivals.available_ns.tolist() == [5, 9, 6] and arrivals.source.tolist() == [0, -1, 0]


def test_times_may_be_datetimes_or_texts() -> None:
    moment = datetime(2022, 1, 3, tzinfo=UTC)
    arrivals = read(
        [Event("A", moment, 1.0), Event("A", "2022-01-03", 1.0), Event("A", "2022-01-03T01:00+01:00", 1.0)]
    )
    assert len(set(arrivals.event_ns.tolist())) == 1
    with pytest.raises(UserError, match="data, item 1, ts has no time zone"):
        read([Event("A", datetime(2022, 1, 3), 1.0)])


def test_values_are_put_in_the_order_of_the_fields() -> None:
    arrivals = read([Event("A", 0, {"b": 2, "a": np.float64(1), "more": 3})], Wanted("A", MINUTE, ("a", "b")))
    assert arrivals.values[0].tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"y": 1.0}, "lacks the field 'x'"),
        ({"x": "much"}, "not a number.*'much'"),
        ({"x": None}, "not a number"),
    ],
)
def test_bad_values_name_the_item(values: Any, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        read([Event("A", 0, {"x": 1.0}), Event("A", MINUTE, values)])
    assert "item 2" in caught.value.place


def test_a_bare_value_needs_a_stream_of_one_field() -> None:
    with pytest.raises(UserError, match="several fields and the event a bare value"):
        read([Event("A", 0, 1.0)], Wanted("A", MINUTE, ("a", "b")))


def test_a_field_that_no_node_reads_may_be_missing() -> None:
    arrivals = read([Event("A", 0, {"a": 1.0})], Wanted("A", MINUTE, ("a", "b"), used=frozenset({"a"})))
    assert np.isnan(arrivals.values[0][0, 1])


def test_bars_off_the_grid_are_refused() -> None:
    with pytest.raises(UserError, match="data, item 1, ts: a bar does not start at a multiple of 1m"):
        read([Event("A", 1, 1.0)])


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(UserError, match="item 2: neither an Event nor a ClockTick"):
        read([Event("A", 0, 1.0), ("A", 60, 1.0)])


def test_events_name_their_interval_where_a_stream_is_read_at_several() -> None:
    hour = Wanted("A", 60 * MINUTE, ("x",))
    arrivals = read(
        [Event("A", 0, 1.0, interval="1h"), Event("A", 0, 2.0, interval=timedelta(minutes=1))], BARS, hour
    )
    assert [arrivals.sources[s] for s in arrivals.source] == [hour.key, BARS.key]
    with pytest.raises(UserError, match="several intervals and the event does not say"):
        read([Event("A", 0, 1.0)], BARS, hour)


def test_without_interval_an_event_is_a_tick_where_ticks_are_read_too() -> None:
    arrivals = read([Event("A", 1, 1.0), Event("A", 0, 2.0, interval=60)], BARS, Wanted("A", None, ("x",)))
    assert [arrivals.sources[s].interval_ns for s in arrivals.source] == [None, MINUTE]


def test_events_that_nobody_reads_are_left_out_and_noted() -> None:
    arrivals = read([Event("AA", 0, 1.0), Event("A", 0, 1.0), Event("A", 0, 1.0, interval="5m")])
    assert arrivals.events == 1
    assert any("1 events of 'AA'" in note and "'A'" in note for note in arrivals.notes)
    assert any("1 events of 'A'" in note and "interval" in note for note in arrivals.notes)


def test_a_stream_that_never_speaks_is_there_and_noted() -> None:
    arrivals = read([Event("A", 0, 1.0)], BARS, TICKS, finished=True)
    assert set(arrivals.sources) == {BARS.key, TICKS.key}
    assert any("no event of T ticks" in note for note in arrivals.notes)
    assert arrivals.kind.tolist() == [ArrivalKind.EVENT, ArrivalKind.FINISHED, ArrivalKind.FINISHED]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [([2, 1], [2, 1]), (["2", "1"], [2, 1]), (["b", "1"], ["b", "1"]), ([None, None], None)],
)
def test_ids_of_ticks(ids: list[Any], expected: Any) -> None:
    found = read([Event("T", number, 1.0, id=one) for number, one in enumerate(ids)], TICKS).event_id[0]
    assert (None if found is None else found.tolist()) == expected


@pytest.mark.parametrize(
    ("ids", "complaint"), [([1, None], "some not"), ([1, "b"], "integers and texts mixed")]
)
def test_ids_of_some_ticks_only_or_of_two_kinds_are_refused(ids: list[Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        read([Event("T", number, 1.0, id=one) for number, one in enumerate(ids)], TICKS)


def test_ids_that_do_not_identify_are_not_read() -> None:
    by_time = Wanted("T", None, ("x",), TickIdentity.EVENT_TS)
    assert read([Event("T", 0, 1.0, id=1)], by_time).event_id == (None,)


def test_revisions_are_given_by_all_events_or_none() -> None:
    revision = read([Event("A", 0, 1.0, revision=2), Event("A", 0, 1.0, revision=1)]).revision[0]
    assert revision is not None and revision.tolist() == [2, 1]
    with pytest.raises(UserError, match="revision=, some not"):
        read([Event("A", 0, 1.0, revision=2), Event("A", 0, 1.0)])


def test_a_list_of_events_is_one_iterable_and_may_stand_beside_files() -> None:
    import pyarrow as pa

    table = pa.table({"ts": pa.array([0, MINUTE], pa.timestamp("ns", "UTC")), "x": [1.0, 2.0]})
    events = [Event("T", MINUTE, 5.0), Event("T", 3 * MINUTE, 6.0)]
    arrivals = load([{"A": table}, events], [BARS, TICKS], finished=False)
    assert [arrivals.sources[s].id for s in arrivals.source] == ["A", "T", "A", "T"]
    assert load(events, [TICKS], finished=False).events == 2


def test_an_iterable_may_be_the_data_of_one_stream() -> None:
    data = {"A": [Event("A", 0, 1.0)], "T": (Event("T", ts, 1.0) for ts in (1, 2))}
    arrivals = load(data, [BARS, TICKS], finished=False)
    assert arrivals.events == 3 and set(arrivals.digests) == {SourceKey("A", MINUTE), SourceKey("T", None)}
