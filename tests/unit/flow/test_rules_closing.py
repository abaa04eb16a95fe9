"""E1 to E4: buckets, frontiers, watermarks and closing."""

from __future__ import annotations

import math

from unit.flow.rules import holds
from unit.oracle.told import bars, event, finished, node, reads, tick, ticks

SUM = node("n", reads("t", time=60))
BAR = node("n", reads("a"))


def of_bars(*pairs: tuple[int, float | None], source: str = "a") -> list[dict]:
    return [event(source, ts, value) for ts, value in pairs]


def test_e1_a_bucket_is_half_open() -> None:
    arrivals = [event("t", 0, 1), event("t", 59, 2), event("t", 60, 4), event("t", 120, 8)]
    holds([ticks()], [SUM], arrivals, n=[(2, "value", 0, 3), (3, "value", 60, 4)])


def test_e1_an_event_belongs_to_the_multiple_of_the_interval_below_it() -> None:
    by_90 = node("n", reads("t", time=90), interval=90)
    arrivals = [event("t", 89, 1), event("t", 90, 2), event("t", 181, 4)]
    holds([ticks()], [by_90], arrivals, n=[(1, "value", 0, 1), (2, "value", 90, 2)])


def test_e1_floor_is_toward_minus_infinity() -> None:
    arrivals = [event("t", -61, 1), event("t", -60, 2), event("t", -1, 4), event("t", 0, 8)]
    holds([ticks(origin=-120)], [SUM], arrivals, n=[(1, "value", -120, 1), (3, "value", -60, 6)])


def test_e2_the_frontier_of_ticks_is_the_largest_event_time_seen() -> None:
    arrivals = [event("t", 70, 1), event("t", 65, 2)]
    holds([ticks()], [SUM], arrivals, n=[(0, "skip", 0, ["t"])], watermark={"n": 70})


def test_e2_the_frontier_of_bars_is_the_largest_end_seen() -> None:
    holds([bars()], [BAR], of_bars((60, 1), (0, 2)), watermark={"a": 120, "n": 120})


def test_e2_nothing_seen_is_minus_infinity() -> None:
    both = node("n", reads("a"), reads("t", time=60))
    holds([bars(), ticks()], [both], of_bars((0, 1), (60, 2)), n=[], watermark={"a": 120, "n": None})


def test_e2_a_source_read_to_its_end_is_at_plus_infinity() -> None:
    both = node("n", reads("a"), reads("b", required=False))
    arrivals = [*of_bars((0, 1)), finished("b"), *of_bars((60, 2))]
    holds(
        [bars(), bars("b")],
        [both],
        arrivals,
        end=600,
        n=[(1, "value", 0, 1), (2, "value", 60, 2)],
        watermark={"a": 120, "b": math.inf, "n": 120},
    )


def test_e2_a_bar_stream_is_seen_by_its_readers_at_the_end_of_its_last_closed_bucket() -> None:
    """Its own watermark is 250 − 100 = 140 after the third bar, so it has closed up to 120."""
    arrivals = of_bars((0, 1), (60, 2), (180, 4))
    holds(
        [bars(lateness=100)],
        [BAR],
        arrivals,
        a=[(2, "value", 0, 1), (2, "value", 60, 2)],
        n=[(2, "value", 0, 1), (2, "value", 60, 2)],
        watermark={"a": 140, "n": 120},
    )


NEGATIVE_IS_NONE = node("n", reads("a"), function="none_if_negative")
RAISES_AT_3 = node("n", reads("a"), function="raise_if_ends_in_3")


def test_e2_a_node_that_closed_with_a_gap_has_moved_on() -> None:
    reader = node("m", reads("n", required=False), reads("a", required=False))
    holds(
        [bars()],
        [NEGATIVE_IS_NONE, reader],
        of_bars((0, -1), (60, 2)),
        n=[(0, "skip", 0, []), (1, "value", 60, 2)],
        m=[(0, "value", 0, -1), (1, "value", 60, 4)],
    )


def test_e2_a_node_in_warm_up_has_moved_on() -> None:
    nodes = [node("n", reads("a", rows=3)), node("m", reads("n", required=False), reads("a"))]
    holds(
        [bars()],
        nodes,
        of_bars((0, 1), (60, 2), (120, 4)),
        n=[(2, "value", 120, 7)],
        m=[(0, "value", 0, 1), (1, "value", 60, 2), (2, "value", 120, 11)],
    )


def test_e2_a_node_that_failed_has_moved_on() -> None:
    reader = node("m", reads("n", required=False), reads("a"))
    holds(
        [bars()],
        [RAISES_AT_3, reader],
        of_bars((0, 3), (60, 2)),
        n=[(0, "fail", 0, [])],
        m=[(0, "value", 0, 3), (1, "value", 60, 2)],
        watermark={"n": 120, "m": 120},
    )


def test_e2_a_bar_stream_that_closed_an_empty_bucket_has_moved_on() -> None:
    both = node("n", reads("a"), reads("b", required=False))
    arrivals = [*of_bars((120, 1), source="b"), *of_bars((0, 1), (60, 2))]
    holds([bars(), bars("b")], [both], arrivals, n=[(1, "value", 0, 1), (2, "value", 60, 2)])


COARSE_AND_FINE = [bars(), bars("c", 300)]
FINE = node("n", reads("a", required=False), reads("c", required=False))


def test_e2_structural_a_coarse_bar_reaches_to_just_before_the_next_ones_end() -> None:
    """c has closed up to 300, and no unseen bar of it can end before 600."""
    arrivals = [*of_bars((0, 10), source="c"), *of_bars((540, 1))]
    holds(
        COARSE_AND_FINE,
        [FINE],
        arrivals,
        n=[
            *[(1, "skip", bucket, ["a", "c"]) for bucket in (0, 60, 120, 180)],
            *[(1, "value", bucket, 10) for bucket in (240, 300, 360, 420, 480)],
        ],
        watermark={"n": 599},
    )


def test_e2_structural_the_bucket_that_ends_with_the_coarse_bar_waits_for_it() -> None:
    arrivals = [
        *of_bars((0, 10), source="c"),
        *of_bars((240, 1), (540, 2), (600, 4)),
        *of_bars((300, 20), source="c"),
    ]
    late = [(2, "value", bucket, 11) for bucket in (300, 360, 420, 480)]  # a shows its latest row, 240
    holds(
        COARSE_AND_FINE,
        [FINE],
        arrivals,
        n=[
            *[(1, "skip", bucket, ["a", "c"]) for bucket in (0, 60, 120, 180)],
            (1, "value", 240, 11),
            *late,
            (4, "value", 540, 22),
            (4, "value", 600, 24),
        ],
    )


def test_e2_strict_waits_for_the_next_coarse_bar() -> None:
    arrivals = [*of_bars((0, 10), source="c"), *of_bars((240, 1), (360, 2)), *of_bars((300, 20), source="c")]
    holds(
        COARSE_AND_FINE,
        [FINE | {"coarse_frontier": "strict"}],
        arrivals,
        n=[
            *[(1, "skip", bucket, ["a", "c"]) for bucket in (0, 60, 120, 180)],
            (1, "value", 240, 11),
            (3, "value", 300, 11),
            (3, "value", 360, 12),
        ],
        watermark={"n": 420},
    )


def test_e2_structural_holds_for_a_coarser_computed_node_too() -> None:
    coarse = node("c", reads("a", time=120), interval=120)
    fine = node("n", reads("a"), reads("c", required=False))
    holds(
        [bars()],
        [coarse, fine],
        of_bars((0, 1), (60, 2), (120, 4), (180, 8)),
        c=[(1, "value", 0, 3), (3, "value", 120, 12)],
        n=[(0, "value", 0, 1), (1, "value", 60, 5), (2, "value", 120, 7), (3, "value", 180, 20)],
    )


def test_e3_the_watermark_is_the_least_of_its_inputs() -> None:
    both = node("n", reads("t", time=60), reads("u", time=60))
    arrivals = [event("t", 200, 1), event("u", 61, 2), event("u", 119, 4)]
    holds([ticks(), ticks("u")], [both], arrivals, n=[(1, "skip", 0, ["t", "u"])], watermark={"n": 119})


def test_e3_lateness_of_bars_delays_their_own_watermark_and_no_other() -> None:
    """The reader waits once: it closes with its input, not another 60 later."""
    arrivals = of_bars((0, 1), (60, 2), (120, 4))
    holds(
        [bars(lateness=60)],
        [BAR, node("m", reads("n"))],
        arrivals,
        a=[(1, "value", 0, 1), (2, "value", 60, 2)],
        m=[(1, "value", 0, 1), (2, "value", 60, 2)],
        watermark={"a": 120, "n": 120, "m": 120},
    )


def test_e3_lateness_of_ticks_counts_at_each_of_their_readers() -> None:
    nodes = [SUM, node("m", reads("n"))]
    arrivals = [event("t", 5, 1), event("t", 89, 2), event("t", 90, 4)]
    holds(
        [ticks(lateness=30)],
        nodes,
        arrivals,
        n=[(2, "value", 0, 1)],
        m=[(2, "value", 0, 1)],
        watermark={"n": 60, "m": 60},
    )


def test_e3_each_input_is_taken_with_its_own_lateness() -> None:
    both = node("n", reads("t", time=60), reads("u", time=60))
    arrivals = [event("t", 90, 1), event("u", 200, 2)]
    holds([ticks(lateness=30), ticks("u", lateness=150)], [both], arrivals, watermark={"n": 50})


def test_e3_the_watermark_never_decreases() -> None:
    """u was idle while t went to 130; its tick at 3 does not take the watermark back."""
    both = node("n", reads("t", time=60), reads("u", time=60, required=False))
    arrivals = [tick(10), event("t", 5, 1, at=10), event("t", 130, 2, at=11), event("u", 61, 4, at=12)]
    holds(
        [ticks(), ticks("u", idle_timeout=10)],
        [both],
        arrivals,
        n=[(2, "value", 0, 1), (2, "skip", 60, ["t"])],
        watermark={"n": 130},
    )


def test_e3_when_every_source_has_ended_every_bucket_up_to_the_end_closes() -> None:
    holds(
        [bars()],
        [BAR],
        [*of_bars((0, 1)), finished("a")],
        end=240,
        n=[(0, "value", 0, 1), *[(1, "skip", bucket, ["a"]) for bucket in (60, 120, 180)]],
        watermark={"a": math.inf, "n": math.inf},
    )


def test_e4_equality_closes() -> None:
    arrivals = [event("t", 5, 1), event("t", 59, 2), event("t", 60, 4)]
    holds([ticks()], [SUM], arrivals, n=[(2, "value", 0, 3)])


def test_e4_one_before_the_end_does_not_close() -> None:
    holds([ticks(lateness=1)], [SUM], [event("t", 5, 1), event("t", 60, 2)], n=[], watermark={"n": 59})


def test_e4_buckets_close_in_ascending_order() -> None:
    holds(
        [bars()],
        [BAR],
        of_bars((0, 1), (180, 2)),
        n=[(0, "value", 0, 1), (1, "skip", 60, ["a"]), (1, "skip", 120, ["a"]), (1, "value", 180, 2)],
    )
