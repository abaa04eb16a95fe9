"""E8 and E12: what is late, what it corrects, and the order within one step."""

from __future__ import annotations

import math

from unit.flow.rules import holds
from unit.oracle.told import bars, event, finished, node, reads, tick, ticks

NAN = math.nan
SUM = node("n", reads("t", time=60))
BAR = node("n", reads("a"))
TWO = node("n", reads("a", rows=2))
NO_NEGATIVES = node("n", reads("a"), function="none_if_negative")
RAISES_AT_3 = node("n", reads("a"), function="raise_if_ends_in_3")


def of_bars(*pairs: tuple[int, float | None], source: str = "a") -> list[dict]:
    return [event(source, ts, value) for ts, value in pairs]


def of_ticks(*pairs: tuple[int, float | None]) -> list[dict]:
    return of_bars(*pairs, source="t")


FOUR = of_bars((0, 1), (60, 2), (120, 4), (180, 8))


def test_e8_a_bar_is_late_from_its_end_on() -> None:
    """The bar of 0 ends at 60. With lateness 60 the second bar leaves wm at 60 (late), with 61 at 59 (in time)."""
    arrivals = of_bars((60, 2), (0, 1))
    holds([bars(on_late="ignore", lateness=60)], [BAR], arrivals, a=[(1, "late", 0)])
    holds(
        [bars(on_late="ignore", lateness=61)],
        [BAR],
        arrivals,
        a=[],
        counters={"a": {"arrivals": 2, "used": 2}},
    )


def test_e8_a_tick_is_late_from_the_end_of_its_readers_bucket_on() -> None:
    nodes = [SUM, node("m", reads("t", time=300), interval=300)]
    holds(
        [ticks(on_late="ignore")],
        nodes,
        of_ticks((60, 1), (5, 2), (300, 4)),
        n=[
            (0, "skip", 0, ["t"]),
            (1, "late", 5),
            (2, "value", 60, 1),
            *[(2, "skip", bucket, ["t"]) for bucket in (120, 180, 240)],
        ],
        m=[(2, "value", 0, 3)],
    )


def test_e8_behind_the_watermark_alone_is_not_late() -> None:
    holds([ticks(on_late="ignore")], [SUM], of_ticks((59, 1), (5, 2), (60, 4)), n=[(2, "value", 0, 3)])


def test_e8_late_is_judged_by_the_watermark_before_the_event() -> None:
    """The first event is at once far beyond all that is open; it is its own frontier, not its own judge."""
    holds([ticks(on_late="ignore")], [SUM], of_ticks((5, 1), (600, 2)),
          counters={"t>n": {"arrivals": 2, "used": 2}})  # fmt: skip


def test_e8_ignore_drops_and_counts() -> None:
    holds(
        [bars(on_late="ignore")],
        [BAR],
        of_bars((0, 1), (120, 4), (60, 2)),
        a=[(0, "value", 0, 1), (1, "value", 120, 4), (2, "late", 60)],
        table={"n": {0: 1, 60: "gap", 120: 4}},
        counters={"a": {"arrivals": 3, "used": 2, "late_dropped": 1}},
    )


def test_e8_side_output_delivers_and_does_not_store() -> None:
    holds(
        [bars(on_late="side_output")],
        [BAR],
        of_bars((0, 1), (120, 4), (60, 2)),
        a=[(0, "value", 0, 1), (1, "value", 120, 4), (2, "side_output", 60)],
        table={"n": {0: 1, 60: "gap", 120: 4}},
        counters={"a": {"arrivals": 3, "used": 2, "side_output": 1}},
    )


def test_e8_recompute_is_the_default_and_stores_a_correction() -> None:
    holds(
        [bars()],
        [BAR],
        of_bars((0, 1), (120, 4), (60, 2)),
        a=[(0, "value", 0, 1), (1, "value", 120, 4), (2, "value", 60, 2)],
        n=[(0, "value", 0, 1), (1, "skip", 60, ["a"]), (1, "value", 120, 4),
           (2, "correction", 60, None, 2, 1)],
    )  # fmt: skip


def test_e8_corrections_are_never_late_further_down() -> None:
    """Three nodes deep: each corrects every bucket whose window holds the change, in the one step."""
    nodes = [TWO, node("m", reads("n", rows=2)), node("k", reads("m"))]
    holds(
        [bars()],
        nodes,
        [*FOUR[:3], event("a", 60, 12)],
        n=[(1, "value", 60, 3), (2, "value", 120, 6),
           (3, "correction", 60, 3, 13, 1), (3, "correction", 120, 6, 16, 1)],
        m=[(2, "value", 120, 9), (3, "correction", 120, 9, 29, 1)],
        k=[(2, "value", 120, 9), (3, "correction", 120, 9, 29, 1)],
    )  # fmt: skip


def test_e8_an_event_in_time_at_its_entry_corrects_a_reader_that_had_closed() -> None:
    """b fell idle, n closed 0 without it; the bar of 0 is then in time at b itself."""
    both = node("n", reads("a"), reads("b", required=False))
    arrivals = [tick(10), event("a", 0, 1, at=10), event("b", 0, 8, at=11)]
    for late in ("ignore", "side_output", "recompute"):
        holds(
            [bars(), bars("b", idle_timeout=10, on_late=late)],
            [both],
            arrivals,
            n=[(1, "value", 0, 1), (2, "correction", 0, 1, 9, 1)],
            counters={"b": {"arrivals": 1, "used": 1}},
        )


def test_e8_late_bar_corrects_every_window_that_holds_it() -> None:
    three = node("n", reads("a", rows=3))
    arrivals = of_bars((0, 1), (60, 2), (120, 4), (240, 16), (300, 32), (360, 64), (180, 8))
    holds(
        [bars()],
        [three],
        arrivals,
        n=[
            (2, "value", 120, 7),
            (3, "skip", 180, ["a"]),
            (3, "value", 240, 22),
            (4, "value", 300, 52),
            (5, "value", 360, 112),
            (6, "correction", 180, None, 14, 1),
            (6, "correction", 240, 22, 28, 1),
            (6, "correction", 300, 52, 56, 1),
        ],
    )


def test_e8_a_span_is_corrected_where_it_holds_the_change_and_nowhere_else() -> None:
    span = node("n", reads("t", time=120))
    holds(
        [ticks()],
        [span],
        of_ticks((5, 1), (65, 2), (125, 4), (185, 8), (240, 0), (70, 16)),
        n=[(2, "value", 60, 3), (3, "value", 120, 6), (4, "value", 180, 12),
           (5, "correction", 60, 3, 19, 1), (5, "correction", 120, 6, 22, 1)],
    )  # fmt: skip


def test_e8_once_per_node_bucket_and_step() -> None:
    """m sees the change on two ways and tells it once."""
    nodes = [BAR, node("m", reads("a"), reads("n"))]
    holds([bars()], nodes, of_bars((0, 1), (0, 8)), m=[(0, "value", 0, 2), (1, "correction", 0, 2, 16, 1)])


def test_e8_each_correction_is_one_version_on() -> None:
    holds([bars()], [BAR], of_bars((0, 1), (0, 2), (0, 4)),
          a=[(0, "value", 0, 1), (1, "correction", 0, 1, 2, 1), (2, "correction", 0, 2, 4, 2)],
          n=[(0, "value", 0, 1), (1, "correction", 0, 1, 2, 1), (2, "correction", 0, 2, 4, 2)])  # fmt: skip


def test_e8_a_gap_retracts_null_because_its_marker_was_version_0() -> None:
    holds([bars()], [BAR], of_bars((60, 2), (0, 1)),
          n=[(0, "skip", 0, ["a"]), (0, "value", 60, 2), (1, "correction", 0, None, 1, 1)])  # fmt: skip


def test_e8_a_value_may_turn_into_null_and_back() -> None:
    holds(
        [bars()],
        [NO_NEGATIVES],
        of_bars((0, 1), (0, -1), (0, -2), (0, 4)),
        n=[(0, "value", 0, 1), (1, "correction", 0, 1, None, 1), (3, "correction", 0, None, 4, 2)],
        table={"n": {0: 4}},
    )


def test_e8_a_closed_bucket_without_record_emits_version_0_a_value() -> None:
    holds(
        [bars()],
        [TWO],
        of_bars((60, 2), (120, 4), (0, 1)),
        n=[(1, "value", 120, 6), (2, "value", 60, 3)],
        table={"n": {60: 3, 120: 6}},
    )


def test_e8_a_closed_bucket_without_record_emits_version_0_a_gap() -> None:
    holds(
        [bars()],
        [TWO],
        of_bars((120, 4), (0, 1)),
        n=[(1, "skip", 60, ["a"]), (1, "value", 120, 5)],
        table={"n": {60: "gap", 120: 5}},
    )


def test_e8_still_missing_says_nothing() -> None:
    both = node("n", reads("a"), reads("b"))
    arrivals = [*of_bars((60, 1), source="b"), *of_bars((60, 2), (0, 4))]
    holds([bars(), bars("b")], [both], arrivals,
          n=[(1, "skip", 0, ["a", "b"]), (1, "value", 60, 3)])  # fmt: skip


def test_e8_equal_bits_suppress_that_buckets_correction_only() -> None:
    """n counts two rows before and after; its reader sees the bar itself too."""
    count = node("n", reads("a", rows=2), function="count")
    nodes = [count, node("m", reads("n"), reads("a"))]
    holds(
        [bars()],
        nodes,
        of_bars((0, 1), (60, 2), (60, 8)),
        n=[(1, "value", 60, 2)],
        m=[(1, "value", 60, 4), (2, "correction", 60, 4, 10, 1)],
    )


def test_e8_nan_equals_nan() -> None:
    two = node("n", reads("a", rows=2), function="sum")
    holds([bars()], [two], of_bars((0, 1), (60, None), (0, 4)), n=[(1, "value", 60, NAN)])


def test_e8_zero_and_minus_zero_differ() -> None:
    last = node("n", reads("a"), function="last")
    holds([bars()], [last], of_bars((0, 0.0), (0, -0.0)),
          n=[(0, "value", 0, 0.0), (1, "correction", 0, 0.0, -0.0, 1)])  # fmt: skip


EMA = node("n", reads("a", rows=3), function="ema")


def test_e8_a_recursive_node_is_replayed_to_its_last_row() -> None:
    """alpha = 1/2: 0, 0, 0, 0 becomes 32, 16, 8, 4."""
    holds(
        [bars()],
        [EMA],
        of_bars((0, 0), (60, 0), (120, 0), (180, 0), (0, 32)),
        n=[(2, "value", 120, 0), (3, "value", 180, 0),
           (4, "correction", 120, 0, 8, 1), (4, "correction", 180, 0, 4, 1)],
    )  # fmt: skip


def test_e8_equal_outputs_do_not_end_a_replay() -> None:
    """The row 180 is NaN before and after; behind it the state still differs."""
    holds(
        [bars()],
        [EMA],
        of_bars((0, 0), (60, 0), (120, 0), (180, None), (240, 0), (60, 32)),
        n=[(2, "value", 120, 0), (3, "value", 180, NAN), (4, "value", 240, 0),
           (5, "correction", 120, 0, 8, 1), (5, "correction", 240, 0, 4, 1)],
    )  # fmt: skip


def test_e8_equal_state_ends_a_replay() -> None:
    highest = node("n", reads("a"), function="cummax")
    holds(
        [bars()],
        [highest],
        of_bars((0, 1), (60, 2), (120, 8), (180, 3), (0, 4)),
        n=[(0, "value", 0, 1), (1, "value", 60, 2), (2, "value", 120, 8), (3, "value", 180, 8),
           (4, "correction", 0, 1, 4, 1), (4, "correction", 60, 2, 4, 1)],
    )  # fmt: skip


def test_e8_a_late_row_of_a_recursive_node_is_taken_in_its_place() -> None:
    holds(
        [bars()],
        [node("n", reads("a"), function="cumsum")],
        of_bars((0, 1), (120, 4), (60, 2)),
        n=[
            (0, "value", 0, 1),
            (1, "skip", 60, ["a"]),
            (1, "value", 120, 5),
            (2, "correction", 60, None, 3, 1),
            (2, "correction", 120, 5, 7, 1),
        ],
    )


def test_e8_a_coarser_and_a_finer_reader_are_corrected() -> None:
    nodes = [node("c", reads("a", rows=2), interval=120), node("n", reads("a"), reads("c", required=False))]
    holds(
        [bars()],
        nodes,
        [*FOUR, event("a", 0, 33)],
        c=[(1, "value", 0, 3), (3, "value", 120, 12), (4, "correction", 0, 3, 35, 1)],
        n=[(0, "value", 0, 1), (1, "value", 60, 5), (2, "value", 120, 7), (3, "value", 180, 20),
           (4, "correction", 0, 1, 33, 1), (4, "correction", 60, 5, 37, 1), (4, "correction", 120, 7, 39, 1)],
    )  # fmt: skip


def test_e12_dedup_comes_before_lateness() -> None:
    arrivals = of_bars((0, 1), (300, 2), (0, 1))
    holds([bars(on_late="ignore")], [BAR], arrivals,
          counters={"a": {"arrivals": 3, "used": 2, "duplicate": 1}})  # fmt: skip


def test_e12_corrections_come_before_closing() -> None:
    """The late tick of u corrects 0; it also wakes u, alone with t at 130, and 60 closes after that."""
    both = node(
        "n", reads("t", time=60, required=False), reads("u", time=60, required=False), all_idle="hold"
    )
    sources = [ticks(idle_timeout=10), ticks("u", idle_timeout=10)]
    arrivals = [*of_ticks((5, 1), (130, 2)), event("u", 61, 4), tick(100), event("t", 6, 8, at=100)]
    holds(
        sources,
        [both],
        arrivals,
        n=[(2, "value", 0, 1), (4, "correction", 0, 1, 9, 1), (4, "value", 60, 4)],
    )


def test_e12_what_an_arrival_causes_is_told_in_its_step() -> None:
    arrivals = [*FOUR[:2], *of_bars((180, 8), (120, 4)), finished("a")]
    holds([bars()], [TWO], arrivals, end=240,
          n=[(1, "value", 60, 3), (2, "skip", 120, ["a"]), (2, "value", 180, 10),
             (3, "correction", 120, None, 6, 1), (3, "correction", 180, 10, 12, 1)])  # fmt: skip
