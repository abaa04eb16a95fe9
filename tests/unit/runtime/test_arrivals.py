"""Arrivals: the order (time available, interval, stream id, row), feeds kept in theirs, ends and clock ticks."""

import numpy as np
import pytest

from qmtl.runtime.arrivals import CLOCK, NEVER, ArrivalKind, Arrivals, Feed, Source, SourceKey, merge

MARK = {ArrivalKind.EVENT: "", ArrivalKind.CLOCK: "clock ", ArrivalKind.FINISHED: "end "}


def source(name: str, interval: int | None, *starts: int, at: list[int] | None = None) -> Source:
    times = np.array(starts, np.int64)
    available = times + (interval or 0) if at is None else np.array(at, np.int64)
    return Source(
        SourceKey(name, interval), ("x",), times, available, np.arange(len(times), dtype=float)[:, None]
    )


def told(arrivals: Arrivals) -> list[str]:
    """Each record as text: `A0@10` is row 0 of A, available at 10."""
    lines = []
    for kind, number, row, at in zip(
        arrivals.kind, arrivals.source, arrivals.row, arrivals.available_ns, strict=True
    ):
        name = "" if number == CLOCK else arrivals.sources[number].id
        lines.append(f"{MARK[kind]}{name}{row if row >= 0 else ''}@{at}")
    return lines


def test_events_come_by_time_available_then_interval_then_id_then_row() -> None:
    bars = [source("B", 10, 0), source("A", 10, 0, 0), source("Z", 5, 5), source("C", 20, -10)]
    arrivals = merge([*bars, source("Y", None, 10)], finished=False)
    assert told(arrivals) == ["Y0@10", "Z0@10", "A0@10", "A1@10", "B0@10", "C0@10"]


def test_a_bar_is_available_at_its_end_so_a_finer_bar_comes_before_the_coarser_one_that_holds_it() -> None:
    assert told(merge([source("A", 10, 0, 10), source("A", 20, 0)], finished=False)) == [
        "A0@10",
        "A1@20",
        "A0@20",
    ]


def test_a_source_ends_directly_after_its_last_event() -> None:
    arrivals = merge([source("A", 10, 0), source("B", 10, 0, 10)])
    assert told(arrivals) == ["A0@10", "end A@10", "B0@10", "B1@20", "end B@20"]


def test_a_feed_keeps_its_order_and_meets_files_at_the_greatest_time_it_has_reached() -> None:
    late = source("L", 10, 20, 0, 30, at=[30, 10, 40])
    feed = Feed((late,), np.zeros(3, np.int32), np.arange(3), late.available_ns)
    arrivals = merge([source("F", 10, 0, 20, 40)], [feed])
    assert told(arrivals) == ["F0@10", "F1@30", "L0@30", "L1@10", "L2@40", "end L@40", "F2@50", "end F@50"]


def test_the_sources_of_a_feed_end_with_the_feed() -> None:
    one, two = source("B", 10, 0), source("A", 10, 10)
    feed = Feed((one, two), np.array([0, CLOCK, 1], np.int32), np.array([0, -1, 0]), np.array([10, 15, 20]))
    assert told(merge([], [feed])) == ["B0@10", "clock @15", "A0@20", "end A@20", "end B@20"]


def test_clock_ticks_are_the_times_available_each_after_what_is_available_then() -> None:
    arrivals = merge([source("A", 10, 0, 10), source("B", 10, 0)], finished=False, with_clock=True)
    assert told(arrivals) == ["A0@10", "B0@10", "clock @10", "A1@20", "clock @20"]


def test_feeds_bring_their_own_clock_ticks() -> None:
    one = source("A", 10, 0)
    feed = Feed((one,), np.zeros(1, np.int32), np.zeros(1, np.int64), one.available_ns)
    assert told(merge([], [feed], finished=False, with_clock=True)) == ["A0@10"]


def test_nothing_given_is_nothing_and_a_silent_source_still_ends() -> None:
    assert len(merge([])) == 0
    silent = Feed((source("A", 10),), np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64))
    arrivals = merge([], [silent])
    assert arrivals.kind.tolist() == [ArrivalKind.FINISHED] and arrivals.available_ns.tolist() == [NEVER]


def test_values_are_found_by_source_and_row() -> None:
    arrivals = merge([source("B", 10, 0, 10), source("A", 10, 0)], finished=False)
    found = [arrivals.values[s][r][0] for s, r in zip(arrivals.source, arrivals.row, strict=True)]
    assert found == [0.0, 0.0, 1.0] and arrivals.event_ns.tolist() == [0, 0, 10]
    assert arrivals.events == 3


def test_earliest_is_per_source() -> None:
    arrivals = merge([source("A", 10, 30, 20, at=[50, 60]), source("B", None, 5)])
    assert arrivals.earliest() == {SourceKey("A", 10): 20, SourceKey("B", None): 5}


def test_a_source_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        merge([source("A", 10, 0), source("A", 10, 10)])


def changed(**columns: object) -> str:
    given: dict[str, object] = {
        "key": SourceKey("A", 10),
        "fields": ("x",),
        "event_ns": np.array([0, 10]),
        "available_ns": np.array([10, 20]),
        "values": np.array([[1.0], [np.nan]]),
        "event_id": None,
        "revision": None,
    }
    return Source(**(given | columns)).digest()  # type: ignore[arg-type]


def test_a_digest_changes_with_any_content() -> None:
    variants = [
        changed(),
        changed(key=SourceKey("B", 10)),
        changed(fields=("y",)),
        changed(event_ns=np.array([0, 20])),
        changed(available_ns=np.array([10, 21])),
        changed(values=np.array([[1.0], [2.0]])),
        changed(values=np.array([[-1.0], [np.nan]])),
        changed(event_id=np.array([1, 2])),
        changed(event_id=np.array(["1", "2"], object)),
        changed(event_id=np.array(["12", ""], object)),
        changed(revision=np.array([1, 2])),
    ]
    assert len(set(variants)) == len(variants)


def test_a_digest_takes_every_nan_as_the_same() -> None:
    other = np.array([[1.0], [np.nan]])
    other.view(np.int64)[1] ^= 1
    assert np.isnan(other[1, 0]) and changed(values=other) == changed()
