"""E7: identity, duplicates and revisions."""

from __future__ import annotations

import pytest

from unit.flow.rules import holds
from unit.oracle.told import bars, event, node, reads, ticks

SUM = node("n", reads("t", time=60))
LAST = node("n", reads("t", time=60), function="last")
BAR = node("n", reads("a"))
BY_ID = ticks(identity="event_id")


def test_e7_bars_are_identified_by_their_time() -> None:
    arrivals = [event("a", 0, 1), event("a", 0, 1), event("a", 60, 2)]
    holds(
        [bars()],
        [BAR],
        arrivals,
        a=[(0, "value", 0, 1), (1, "duplicate", 0), (2, "value", 60, 2)],
        counters={"a": {"arrivals": 3, "used": 2, "duplicate": 1}},
    )


def test_e7_ticks_are_identified_by_the_source_s_event_id() -> None:
    arrivals = [
        event("t", 5, 1, event_id="x"),
        event("t", 5, 1, event_id="y"),
        event("t", 5, 1, event_id="x"),
        event("t", 60, 8, event_id="z"),
    ]
    holds([BY_ID], [SUM], arrivals, n=[(2, "duplicate", 5), (3, "value", 0, 2)])


@pytest.mark.parametrize("identity", ["event_id", "position"])
def test_e7_without_an_id_the_position_in_the_source_identifies(identity: str) -> None:
    arrivals = [event("t", 5, 1), event("t", 5, 1), event("t", 60, 8)]
    holds([ticks(identity=identity)], [SUM], arrivals, n=[(2, "value", 0, 2)])


def test_e7_by_event_ts_where_the_stream_says_so() -> None:
    arrivals = [
        event("t", 5, 1, event_id="x"),
        event("t", 5, 1, event_id="y"),
        event("t", 60, 8, event_id="z"),
    ]
    holds([ticks()], [SUM], arrivals, n=[(1, "duplicate", 5), (2, "value", 0, 1)])


def test_e7_a_duplicate_is_counted_as_such_before_lateness_is_looked_at() -> None:
    arrivals = [event("t", 5, 1), event("t", 500, 2), event("t", 5, 1)]
    for late in ({"on_late": "ignore"}, {"on_late": "side_output"}, {"allowed_lateness": 0}):
        holds([ticks(**late)], [SUM], arrivals, counters={"t>n": {"arrivals": 3, "used": 2, "duplicate": 1}})


def test_e7_a_duplicate_of_what_the_side_output_got() -> None:
    arrivals = [event("t", 60, 1), event("t", 5, 2), event("t", 5, 2)]
    holds(
        [ticks(on_late="side_output")],
        [SUM],
        arrivals,
        n=[(0, "skip", 0, ["t"]), (1, "side_output", 5), (2, "duplicate", 5)],
    )


def test_e7_a_late_event_that_was_ignored_is_not_remembered() -> None:
    arrivals = [event("t", 60, 1), event("t", 5, 2), event("t", 5, 2)]
    holds(
        [ticks(on_late="ignore")],
        [SUM],
        arrivals,
        n=[(0, "skip", 0, ["t"]), (1, "late", 5), (2, "late", 5)],
        counters={"t>n": {"arrivals": 3, "used": 1, "late_dropped": 2}},
    )


def test_e7_too_late_is_not_remembered_either() -> None:
    arrivals = [event("t", 120, 1), event("t", 5, 2), event("t", 5, 2)]
    counters = {"arrivals": 3, "used": 1, "too_late": 2}
    holds([ticks(allowed_lateness=0)], [SUM], arrivals, counters={"t>n": counters})


def test_e7_another_value_is_a_revision_and_the_last_to_arrive_wins() -> None:
    arrivals = [event("t", 5, value) for value in (1, 8, 4)] + [event("t", 60, 16)]
    holds(
        [ticks()],
        [SUM],
        arrivals,
        n=[(3, "value", 0, 4)],
        counters={"t>n": {"arrivals": 4, "used": 4}},
    )


def test_e7_a_value_that_comes_back_is_a_revision_too() -> None:
    arrivals = [event("a", 0, value) for value in (1, 2, 1)]
    holds([bars()], [BAR], arrivals,
          n=[(0, "value", 0, 1), (1, "correction", 0, 1, 2, 1), (2, "correction", 0, 2, 1, 2)])  # fmt: skip


def test_e7_the_greater_revision_wins_where_the_source_gives_one() -> None:
    arrivals = [event("a", 0, value, revision=number) for value, number in ((1, 1), (2, 5), (4, 3), (8, 6))]
    holds(
        [bars()],
        [BAR],
        arrivals,
        n=[(0, "value", 0, 1), (1, "correction", 0, 1, 2, 1), (3, "correction", 0, 2, 8, 2)],
        counters={"a": {"arrivals": 4, "used": 3, "duplicate": 1}},
    )


def test_e7_a_revision_of_an_open_bucket_replaces_without_a_word() -> None:
    arrivals = [event("a", 0, 1), event("a", 0, 2), event("a", 60, 4)]
    holds([bars(lateness=60)], [BAR], arrivals, a=[(2, "value", 0, 2)], n=[(2, "value", 0, 2)])


def test_e7_nan_equals_nan() -> None:
    holds([ticks()], [SUM], [event("t", 5, None), event("t", 5, None)], n=[(1, "duplicate", 5)])


def test_e7_windows_order_events_by_time_and_id() -> None:
    """Whatever the order of arrival: (5, y) stands last."""
    events = [event("t", 5, 1, event_id="y"), event("t", 5, 2, event_id="x"), event("t", 4, 4, event_id="z")]
    closing = event("t", 60, 0, event_id="w")
    for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        holds(
            [BY_ID],
            [LAST],
            [*[events[n] for n in order], closing],
            n=[(3, "value", 0, 1)],
            shown={"n": {0: {"t": [[4, 4], [5, 2], [5, 1]]}}},
        )


def test_e7_identity_is_within_one_stream() -> None:
    both = node("n", reads("t", time=60), reads("u", time=60))
    arrivals = [event(name, ts, 1, event_id=ts) for ts in (5, 60) for name in ("t", "u")]
    holds([BY_ID, ticks("u", identity="event_id")], [both], arrivals, n=[(3, "value", 0, 2)])
