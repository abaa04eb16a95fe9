"""E7 to E10 and E14 at the entries: identity, lateness, allowed lateness, origin, counters."""

from __future__ import annotations

import pytest
from told import bars, event, finished, judged, node, reads, tick, ticks, told

SUM = node("n", reads("t", time=60))
BY_ID = ticks(identity="event_id")


def test_same_identity_and_value_is_a_duplicate() -> None:
    arrivals = [event("t", 5, 1), event("t", 5, 1), event("t", 60, 2)]
    assert told([ticks()], [SUM], arrivals, branch="E7.duplicate") == [
        (1, "duplicate", 5),
        (2, "value", 0, 1),
    ]


def test_a_duplicate_is_found_before_lateness_is_looked_at() -> None:
    source = ticks(on_late="side_output")
    arrivals = [event("t", 5, 1), event("t", 60, 2), event("t", 5, 1)]
    assert told([source], [SUM], arrivals, branch="E7.duplicate_that_would_be_late") == [
        (1, "value", 0, 1),
        (2, "duplicate", 5),
    ]


def test_nan_again_is_a_duplicate() -> None:
    assert told([ticks()], [SUM], [event("t", 5, None)] * 2, branch="E7.duplicate") == [(1, "duplicate", 5)]


def test_minus_zero_is_not_zero() -> None:
    last = node("n", reads("a"), function="last")
    arrivals = [event("a", 0, 0.0), event("a", 0, -0.0)]
    assert told([bars()], [last], arrivals, branch="E7.revision") == [
        (0, "value", 0, 0.0),
        (1, "correction", 0, 0.0, -0.0, 1),
    ]


def test_what_went_to_the_side_output_is_remembered() -> None:
    source = ticks(on_late="side_output")
    arrivals = [event("t", 60, 2), *[event("t", 5, value) for value in (1, 1, 3, 1)]]
    assert told([source], [SUM], arrivals, branch="E7.duplicate_of_side_output")[1:] == [
        (1, "side_output", 5),
        (2, "duplicate", 5),
        (3, "side_output", 5),
        (4, "duplicate", 5),
    ]


def test_what_was_ignored_is_not_remembered() -> None:
    source = ticks(on_late="ignore")
    arrivals = [event("t", 60, 2), event("t", 5, 1), event("t", 5, 1)]
    assert told([source], [SUM], arrivals, branch="E7.ignored_is_not_remembered")[1:] == [
        (1, "late", 5),
        (2, "late", 5),
    ]


def test_of_revisions_the_last_to_arrive_wins() -> None:
    arrivals = [event("t", 5, 1), event("t", 5, 9), event("t", 5, 4), event("t", 60, 1)]
    assert told([ticks()], [SUM], arrivals, branch="E7.revision") == [(3, "value", 0, 4)]


def test_where_the_source_numbers_them_the_greater_revision_wins() -> None:
    arrivals = [event("t", 5, value, revision=r) for value, r in ((1, 1), (9, 3), (4, 2))]
    arrivals.append(event("t", 60, 1))
    assert told([ticks()], [SUM], arrivals, branch="E7.revision_greater") == [
        (2, "duplicate", 5),
        (3, "value", 0, 9),
    ]


def test_a_duplicate_with_a_greater_revision_leaves_its_number() -> None:
    """Reading 20."""
    arrivals = [event("t", 5, value, revision=r) for value, r in ((1, 1), (1, 3), (4, 2))]
    assert told([ticks()], [SUM], [*arrivals, event("t", 60, 1)], branch="E7.revision_overtaken") == [
        (1, "duplicate", 5),
        (2, "duplicate", 5),
        (3, "value", 0, 1),
    ]


def test_an_equal_revision_wins_by_arriving_last() -> None:
    arrivals = [event("t", 5, 1, revision=2), event("t", 5, 4, revision=2), event("t", 60, 1)]
    assert told([ticks()], [SUM], arrivals, branch="E7.revision_greater") == [(2, "value", 0, 4)]


def test_a_revision_of_a_closed_bucket_is_late() -> None:
    arrivals = [event("t", 5, 1), event("t", 60, 2), event("t", 5, 4)]
    assert told([ticks(on_late="ignore")], [SUM], arrivals, branch="E8.late_ignore") == [
        (1, "value", 0, 1),
        (2, "late", 5),
    ]


def test_an_event_id_with_another_time_moves_the_event() -> None:
    arrivals = [
        event("t", 5, 1, event_id="x"),
        event("t", 70, 2, event_id="y"),
        event("t", 80, 1, event_id="x"),
    ]
    assert told(
        [BY_ID], [SUM], [*arrivals, event("t", 120, 0, event_id="z")], branch="E7.revision_moves_event"
    ) == [
        (1, "value", 0, 1),
        (2, "correction", 0, 1, None, 1),
        (3, "value", 60, 3),
    ]


def test_different_ids_of_one_time_are_two_events_in_order_of_id() -> None:
    last = node("n", reads("t", time=60), function="last")
    arrivals = [
        event("t", 5, 1, event_id="y"),
        event("t", 5, 2, event_id="x"),
        event("t", 60, 0, event_id="z"),
    ]
    assert told([BY_ID], [last], arrivals, branch="E14.used") == [(2, "value", 0, 1)]


@pytest.mark.parametrize("identity", ["event_id", "position"])
def test_without_an_id_the_position_is_the_identity(identity: str) -> None:
    arrivals = [event("t", 5, 1), event("t", 5, 1), event("t", 60, 2)]
    assert told([ticks(identity=identity)], [SUM], arrivals, branch="E14.used") == [(2, "value", 0, 2)]


def test_older_than_the_watermark_is_not_late_while_its_bucket_is_open() -> None:
    source = ticks(on_late="ignore")
    arrivals = [event("t", 50, 1), event("t", 5, 2), event("t", 60, 4)]
    assert told([source], [SUM], arrivals, branch="E8.behind_watermark_but_open") == [(2, "value", 0, 3)]


def test_late_is_judged_by_the_watermark_before_the_event() -> None:
    """The event at 60 closes its predecessor's bucket and is itself in time."""
    assert told(
        [ticks(on_late="ignore")], [SUM], [event("t", 5, 1), event("t", 60, 1)], branch="E14.used"
    ) == [(1, "value", 0, 1)]


def test_late_under_ignore_is_dropped() -> None:
    arrivals = [event("t", 60, 1), event("t", 59, 2)]
    assert told([ticks(on_late="ignore")], [SUM], arrivals, branch="E8.late_ignore")[1:] == [(1, "late", 59)]


def test_late_under_side_output_is_delivered_and_not_stored() -> None:
    arrivals = [event("t", 5, 1), event("t", 60, 1), event("t", 59, 2)]
    assert told([ticks(on_late="side_output")], [SUM], arrivals, branch="E8.late_side_output")[1:] == [
        (2, "side_output", 59)
    ]


def test_late_under_recompute_corrects() -> None:
    arrivals = [event("t", 5, 1), event("t", 60, 1), event("t", 59, 2)]
    assert told([ticks()], [SUM], arrivals, branch="E8.late_recompute")[1:] == [(2, "correction", 0, 1, 3, 1)]


def test_a_late_bar_is_one_whose_end_its_own_stream_has_passed() -> None:
    arrivals = [event("a", 60, 1), event("a", 0, 2)]
    source = bars(on_late="ignore")
    assert told([source], [node("n", reads("a"))], arrivals, of="a", branch="E8.late_ignore") == [
        (0, "value", 60, 1),
        (1, "late", 0),
    ]


def test_each_reader_of_ticks_judges_by_its_own_watermark() -> None:
    """`m` waits for `u`, so the tick that is late for `n` is in time for `m`."""
    nodes = [SUM, node("m", reads("t", time=60), reads("u", time=60))]
    arrivals = [event("u", 1, 1), event("t", 60, 1), event("t", 5, 2)]
    counters = judged([ticks(on_late="ignore"), ticks("u")], nodes, arrivals)["counters"]
    assert counters["t>n"]["late_dropped"] == 1
    assert counters["t>m"]["used"] == 2


def test_within_the_allowed_lateness_a_late_event_corrects() -> None:
    arrivals = [event("t", 5, 1), event("t", 119, 1), event("t", 6, 2)]
    assert told([ticks(allowed_lateness=60)], [SUM], arrivals, branch="E9.late_within_H")[1:] == [
        (2, "correction", 0, 1, 3, 1)
    ]


def test_beyond_the_allowed_lateness_it_is_dropped() -> None:
    arrivals = [event("t", 5, 1), event("t", 120, 1), event("t", 6, 2)]
    assert told([ticks(allowed_lateness=60)], [SUM], arrivals, branch="E9.too_late")[-1] == (2, "too_late", 6)


def test_an_unbounded_allowed_lateness_is_never_exceeded() -> None:
    """Reading 24: `u` has ended and `t` is idle, so the watermark is plus infinity."""
    both = node("n", reads("t", time=60, required=False), reads("u", time=60, required=False))
    sources = [ticks(idle_timeout=1), ticks("u")]
    arrivals = [tick(5), event("u", 1, 1, at=5), finished("u"), event("t", 2, 2, at=6)]
    assert told(sources, [both], arrivals, end=60, branch="E8.late_recompute") == [
        (2, "value", 0, 1),
        (3, "correction", 0, 1, 3, 1),
    ]


def test_ignore_takes_every_late_event_whatever_the_allowed_lateness() -> None:
    source = ticks(on_late="ignore", allowed_lateness=0)
    arrivals = [event("t", 120, 1), event("t", 6, 2)]
    assert told([source], [SUM], arrivals, branch="E9.ignore_whatever_H")[-1] == (1, "late", 6)


def test_side_output_takes_every_late_event_whatever_the_allowed_lateness() -> None:
    source = ticks(on_late="side_output", allowed_lateness=0)
    arrivals = [event("t", 120, 1), event("t", 6, 2)]
    assert told([source], [SUM], arrivals, branch="E9.side_output_whatever_H")[-1] == (1, "side_output", 6)


def test_before_the_origin_is_dropped() -> None:
    arrivals = [event("t", -1, 1), event("t", -1, 1), event("t", 0, 2), event("t", 60, 2)]
    assert told([ticks()], [SUM], arrivals, branch="E10.before_origin") == [
        (0, "before_origin", -1),
        (1, "before_origin", -1),
        (3, "value", 0, 2),
    ]


def test_an_event_before_the_origin_is_seen_all_the_same() -> None:
    """Reading 19."""
    assert judged([ticks()], [SUM], [event("t", -1, 1)])["final_watermark"]["n"] == -1


def test_a_late_event_leaves_the_frontier_where_it_is() -> None:
    arrivals = [event("t", 130, 1), event("t", 5, 1)]
    result = judged([ticks()], [SUM], arrivals)
    assert result["branches"]["E10.frontier_is_a_maximum"]
    assert result["final_watermark"]["n"] == 130


def test_a_refused_event_makes_its_source_active() -> None:
    both = node("n", reads("t", time=60), reads("u", time=60, required=False))
    sources = [ticks(), ticks("u", idle_timeout=10, on_late="ignore")]
    arrivals = [
        event("u", 1, 1, at=0),
        tick(10),
        event("t", 70, 1, at=10),
        event("u", 2, 1, at=11),
        event("t", 200, 1, at=12),
    ]
    emitted = told(sources, [both], arrivals, branch="E10.refused_event_wakes_its_source")
    assert emitted == [(2, "skip", 0, ["t"]), (3, "late", 2)]


@pytest.mark.parametrize(
    ("settings", "late", "branch"),
    [
        ({}, "used", "E14.used"),
        ({"on_late": "ignore"}, "late_dropped", "E14.late_dropped"),
        ({"on_late": "side_output"}, "side_output", "E14.side_output"),
        ({"allowed_lateness": 0}, "too_late", "E14.too_late"),
        ({"origin": 20}, "before_origin", "E14.before_origin"),
    ],
)
def test_every_arrival_is_counted_once(settings: dict, late: str, branch: str) -> None:
    arrivals = [event("t", 61, 1), event("t", 61, 1), event("t", 5, 1)]
    result = judged([ticks(**settings)], [SUM], arrivals)
    assert result["branches"][branch] and result["branches"]["E14.duplicate"]
    counters = dict.fromkeys(result["counters"]["t>n"], 0) | {"arrivals": 3, "used": 1, "duplicate": 1}
    counters[late] += 1
    assert result["counters"]["t>n"] == counters
