"""The readings of docs/decisions/0001, by number: 14 to 25."""

from __future__ import annotations

import math

from unit.flow.rules import WAYS, holds, same
from unit.oracle.told import bars, event, finished, node, reads, tick, ticks

SUM = node("n", reads("t", time=60))
BAR = node("n", reads("a"))
FAILING = node("n", reads("a"), on_missing="fail")
RAISING = node("n", reads("a"), function="raise_if_ends_in_3")
NO_NEGATIVES = node("n", reads("a"), function="none_if_negative")
RESUME = {"resume": "n"}


def of_bars(*pairs: tuple[int, float | None], source: str = "a") -> list[dict]:
    return [event(source, ts, value) for ts, value in pairs]


def of_ticks(*pairs: tuple[int, float | None]) -> list[dict]:
    return of_bars(*pairs, source="t")


def test_reading_14_what_an_input_closed_after_halting_is_missing_not_warm_up() -> None:
    nodes = [FAILING, node("m", reads("n"))]
    holds([bars()], nodes, of_bars((0, 1), (120, 4), (180, 8)),
          m=[(0, "value", 0, 1), *[(1, "skip", b, ["n"]) for b in (60, 120)], (2, "skip", 180, ["n"])])  # fmt: skip


def test_reading_14_a_bucket_an_idle_input_has_not_closed_is_no_record_and_gets_its_version_0_later() -> None:
    """n's source is idle, so m goes on without it; what n says later about 0 is m's version 0."""
    nodes = [node("n", reads("b")), node("m", reads("n"), reads("a"))]
    arrivals = [tick(10), event("a", 0, 1, at=10), event("b", 0, 8, at=11)]
    holds(
        [bars(), bars("b", idle_timeout=10)],
        nodes,
        arrivals,
        m=[(2, "value", 0, 9)],
        watermark={"m": 60},
    )


def test_reading_15_nothing_required_and_nothing_there_is_a_gap_under_fail_too() -> None:
    one = node("n", reads("a", required=False), on_missing="fail")
    holds([bars()], [one], of_bars((60, 2), (120, 4)),
          n=[(0, "skip", 0, ["a"]), (0, "value", 60, 2), (1, "value", 120, 4)])  # fmt: skip


def test_reading_16_a_recorded_bucket_that_loses_its_input_is_withdrawn_and_the_node_goes_on() -> None:
    nodes = [NO_NEGATIVES, node("m", reads("n"), on_missing="fail")]
    holds([bars()], nodes, of_bars((0, 1), (0, -1), (60, 2)),
          m=[(0, "value", 0, 1), (1, "correction", 0, 1, None, 1), (2, "value", 60, 2)])  # fmt: skip


def test_reading_16_a_late_version_0_is_judged_as_if_it_closed_now_and_may_fail() -> None:
    """The bar of 0 ends the warm-up of 60, where a bar is missing."""
    two = node("n", reads("a", rows=2), on_missing="fail")
    holds([bars()], [two], of_bars((120, 4), (0, 1), (180, 8)), n=[(1, "fail", 60, ["a"])])


def test_reading_17_a_correction_that_raises_tells_a_version_without_value() -> None:
    holds([bars()], [RAISING], of_bars((0, 1), (0, 3)),
          n=[(0, "value", 0, 1), (1, "correction", 0, 1, None, 1)])  # fmt: skip


def test_reading_17_also_where_there_was_no_value_before() -> None:
    holds([bars()], [RAISING], of_bars((60, 2), (0, 3)),
          n=[(0, "skip", 0, ["a"]), (0, "value", 60, 2), (1, "correction", 0, None, None, 1)])  # fmt: skip


def test_reading_18_a_halted_node_tells_not_even_refusals_and_its_entries_go_on() -> None:
    """Halted at 60: the late tick of 5 is dropped unsaid and counted, that of 200 is stored."""
    one = SUM | {"on_missing": "fail"}
    arrivals = [*of_ticks((5, 1), (130, 2), (6, 4), (200, 8))]
    holds(
        [ticks(on_late="ignore")],
        [one],
        arrivals,
        n=[(1, "value", 0, 1), (1, "fail", 60, ["t"])],
        counters={"t>n": {"arrivals": 4, "used": 3, "late_dropped": 1}},
    )


def test_reading_18_resuming_judges_every_closed_bucket_until_it_halts_again() -> None:
    """60 is healed, 120 was closed and has its bar, 180 has none."""
    arrivals = [*of_bars((0, 1), (120, 4), (240, 16), (60, 2)), RESUME, *of_bars((300, 32))]
    holds(
        [bars()],
        [FAILING],
        arrivals,
        n=[
            (0, "value", 0, 1),
            (1, "fail", 60, ["a"]),
            (4, "correction", 60, None, 2, 1),
            (4, "value", 120, 4),
            (4, "fail", 180, ["a"]),
        ],
    )


def test_reading_19_before_the_origin_is_looked_at_before_anything_else() -> None:
    """Neither a duplicate nor late: twice the same, and long closed."""
    arrivals = [*of_ticks((600, 1), (-1, 2), (-1, 2))]
    holds(
        [ticks(on_late="ignore")],
        [SUM],
        arrivals,
        counters={"t>n": {"arrivals": 3, "used": 1, "before_origin": 2}},
    )


def test_reading_19_the_event_is_still_seen_it_moves_the_frontier() -> None:
    holds([ticks(origin=600)], [SUM], of_ticks((100, 1)), watermark={"n": 100})


def test_reading_19_and_wakes_the_source() -> None:
    """u wakes with an event before its origin: n waits for it at 60 again."""
    both = node("n", reads("t", time=60), reads("u", time=60, required=False))
    arrivals = [
        event("u", 60, 1, at=0),
        tick(10),
        event("t", 70, 1, at=10),
        event("u", -5, 1, at=11),
        event("t", 200, 1, at=12),
    ]
    holds([ticks(), ticks("u", idle_timeout=10)], [both], arrivals, watermark={"n": 70})


def of_revisions(*pairs: tuple[float, int | None]) -> list[dict]:
    return [event("a", 0, value, revision=number) for value, number in pairs]


def test_reading_20_a_lesser_revision_is_dropped_as_a_duplicate() -> None:
    holds([bars()], [BAR], of_revisions((1, 2), (4, 1)), a=[(0, "value", 0, 1), (1, "duplicate", 0)])


def test_reading_20_an_equal_revision_wins_by_arriving_last() -> None:
    holds([bars()], [BAR], of_revisions((1, 2), (4, 2)),
          n=[(0, "value", 0, 1), (1, "correction", 0, 1, 4, 1)])  # fmt: skip


def test_reading_20_without_a_number_the_last_to_arrive_wins() -> None:
    holds([bars()], [BAR], of_revisions((1, None), (4, None)),
          n=[(0, "value", 0, 1), (1, "correction", 0, 1, 4, 1)])  # fmt: skip


def test_reading_20_a_duplicate_with_a_greater_number_leaves_it_behind() -> None:
    holds(
        [bars()],
        [BAR],
        of_revisions((1, 1), (1, 5), (4, 3), (8, 5)),
        a=[(0, "value", 0, 1), (1, "duplicate", 0), (2, "duplicate", 0), (3, "correction", 0, 1, 8, 1)],
    )


def test_reading_21_the_side_output_remembers_every_identity_time_and_value() -> None:
    """1, 2 and 1 again: the third is a duplicate though another value came between."""
    source = ticks(on_late="side_output")
    holds(
        [source],
        [SUM],
        of_ticks((60, 0), (5, 1), (5, 2), (5, 1), (5, 2)),
        counters={"t>n": {"arrivals": 5, "used": 1, "side_output": 2, "duplicate": 2}},
    )
    by_id = source | {"identity": "event_id"}
    moved = [event("t", ts, 1, event_id=name) for ts, name in ((60, "y"), (5, "x"), (6, "x"), (5, "x"))]
    holds([by_id], [SUM], moved,
          counters={"t>n": {"arrivals": 4, "used": 1, "side_output": 2, "duplicate": 1}})  # fmt: skip


BY_ID = ticks(identity="event_id")


def test_reading_22_an_event_id_with_another_time_moves_and_corrects_both_buckets() -> None:
    arrivals = [
        event("t", 5, 1, event_id="x"),
        event("t", 6, 2, event_id="y"),
        event("t", 65, 4, event_id="z"),
        event("t", 120, 8, event_id="w"),
        event("t", 66, 1, event_id="x"),
    ]
    holds(
        [BY_ID],
        [SUM],
        arrivals,
        n=[
            (2, "value", 0, 3),
            (3, "value", 60, 4),
            (4, "correction", 0, 3, 2, 1),
            (4, "correction", 60, 4, 5, 1),
        ],
    )


def test_reading_22_it_is_late_by_its_new_time() -> None:
    """From the closed bucket 0 to the open 60: in time, and the closed one is corrected all the same."""
    begin = [event("t", 5, 1, event_id="x"), event("t", 6, 2, event_id="y"), event("t", 65, 4, event_id="z")]
    ignoring = BY_ID | {"on_late": "ignore"}
    holds([ignoring], [SUM], [*begin, event("t", 66, 1, event_id="x")],
          n=[(2, "value", 0, 3), (3, "correction", 0, 3, 2, 1)])  # fmt: skip
    holds([ignoring], [SUM], [*begin, event("t", 7, 4, event_id="z")],
          n=[(2, "value", 0, 3), (3, "late", 7)])  # fmt: skip


def test_reading_23_the_last_arrival_is_the_latest_in_order_not_the_greatest_time() -> None:
    """At 100 and then, with an older clock, at 2: silent since 2."""
    both = node("n", reads("a"), reads("b", required=False))
    arrivals = [
        event("b", 0, 1, at=100),
        event("b", 60, 2, at=2),
        event("a", 0, 1, at=5),
        event("a", 60, 2, at=6),
        event("a", 120, 4, at=7),
        tick(12),
    ]
    holds([bars(), bars("b", idle_timeout=10)], [both], arrivals, watermark={"n": 180})


def test_reading_23_where_the_only_active_inputs_have_finished_the_watermark_is_plus_infinity() -> None:
    both = node("n", reads("a", required=False), reads("b", required=False))
    arrivals = [*of_bars((0, 1), (60, 2)), finished("a"), tick(100)]
    holds(
        [bars(), bars("b", idle_timeout=10)],
        [both],
        arrivals,
        end=180,
        n=[(3, "value", 0, 1), (3, "value", 60, 2), (3, "skip", 120, ["a", "b"])],
        watermark={"n": math.inf},
    )


def test_reading_24_the_end_bounds_closing_bars_included_not_the_watermark() -> None:
    """The bar of 120 ends after the end 150 and does not close; by the watermark 180 it leaves, that of 60 is late."""
    holds(
        [bars(on_late="ignore")],
        [BAR],
        of_bars((0, 1), (120, 4), (60, 2)),
        end=150,
        a=[(0, "value", 0, 1), (2, "late", 60)],
        n=[(0, "value", 0, 1), (1, "skip", 60, ["a"])],
        table={"a": {0: 1}},
        watermark={"a": 180},
    )


def test_reading_24_an_unbounded_h_is_never_exceeded_even_at_plus_infinity() -> None:
    both = node("n", reads("t", time=60, required=False), reads("u", time=60, required=False))
    arrivals = [tick(5), event("u", 1, 1, at=5), finished("u"), event("t", 2, 2, at=6)]
    holds([ticks(idle_timeout=1), ticks("u")], [both], arrivals, end=60,
          n=[(2, "value", 0, 1), (3, "correction", 0, 1, 3, 1)])  # fmt: skip
    bounded = ticks(idle_timeout=1, allowed_lateness=10**9)
    holds([bounded, ticks("u")], [both], arrivals, end=60, n=[(2, "value", 0, 1), (3, "too_late", 2)])


WARM_AND_COLD = [NO_NEGATIVES, node("m", reads("n", rows=2))]


def test_reading_25_a_bucket_out_of_warm_up_only_for_a_while_keeps_its_gap() -> None:
    """The row 0 was there when 60 and 120 closed, and was then withdrawn. In a batch both are warm-up."""
    arrivals = [*of_bars((0, 1), (120, 4), (0, -1)), finished("a")]
    n = {0: "gap", 60: "gap", 120: 4}
    holds([bars()], WARM_AND_COLD, arrivals, end=180, table={"n": n, "m": {60: "gap", 120: "gap"}})
    batch = [bars(lateness=10_000)]
    holds(batch, WARM_AND_COLD, arrivals, end=180, table={"n": n, "m": {}})


def test_reading_25_values_never_depend_on_the_order() -> None:
    """Whatever the lateness, so whatever had closed when -1 came, the values of m are those of the batch."""
    arrivals = [*of_bars((0, 1), (60, 2), (120, 4), (0, -1), (180, 8)), finished("a")]
    for lateness in (0, 60, 120, 10_000):
        sources = [bars(lateness=lateness)]
        case = {"id": "", "sources": sources, "nodes": WARM_AND_COLD, "arrivals": arrivals, "end": 240}
        for way, judge in WAYS.items():
            found = judge(case)["final_table"]["m"]
            values = {bucket: value for bucket, value in found.items() if value != "gap"}
            same(values, {120: 6, 180: 12}, f"{way}, L = {lateness}")
            assert set(found) - set(values) <= {60}


def test_reading_25_the_first_bar_of_another_interval_turns_none_into_too_few() -> None:
    """Without any bar of c the buckets are gaps; with its first they would be warm-up."""
    fine = node("n", reads("a"), reads("c", rows=2))
    sources = [bars(), bars("c", 120)]
    later = [*of_bars((240, 30), source="c"), *of_bars((0, 1), (60, 2)), *of_bars((0, 10), source="c")]
    holds(sources, [fine], later,
          n=[(1, "skip", 0, ["c"]), (2, "skip", 60, ["c"])], table={"n": {0: "gap", 60: "gap"}})  # fmt: skip
    batch = [later[3], later[0], *later[1:3]]
    holds(sources, [fine], batch, table={"n": {0: "gap"}})
