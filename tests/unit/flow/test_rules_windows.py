"""E5: what the window of an edge shows, and warm-up."""

from __future__ import annotations

import math
from typing import Any

from qmtl import StreamInput
from qmtl import node as function_node
from qmtl.testing.oracle import run

from unit.flow.rules import holds
from unit.flow.sdk import backtest, bar, table
from unit.oracle.told import bars, event, node, reads, ticks

NAN = math.nan


def of_bars(*pairs: tuple[int, float | None], source: str = "a") -> list[dict]:
    return [event(source, ts, value) for ts, value in pairs]


FOUR = of_bars((0, 1), (60, 2), (120, 4), (180, 8))


def test_e5_rows_the_latest_p_of_the_own_interval() -> None:
    two = node("n", reads("a", rows=2))
    holds(
        [bars()],
        [two],
        FOUR,
        n=[(1, "value", 60, 3), (2, "value", 120, 6), (3, "value", 180, 12)],
        shown={"n": {60: {"a": [[0, 1], [60, 2]]}, 120: {"a": [[60, 2], [120, 4]]},
                     180: {"a": [[120, 4], [180, 8]]}}},
    )  # fmt: skip


def test_e5_rows_reach_over_a_hole_and_the_hole_is_one_gap() -> None:
    two = node("n", reads("a", rows=2))
    holds(
        [bars()],
        [two],
        of_bars((0, 1), (60, 2), (180, 8)),
        n=[(1, "value", 60, 3), (2, "skip", 120, ["a"]), (2, "value", 180, 10)],
    )


def test_e5_a_row_has_every_required_input_of_the_own_interval() -> None:
    """b has no bar at 60, so 60 is a gap and no row: at 120 both show 0 and 120."""
    both = node("n", reads("a", rows=2), reads("b", rows=2))
    arrivals = [*of_bars((0, 10), (120, 30), source="b"), *FOUR[:3]]
    holds(
        [bars(), bars("b")],
        [both],
        arrivals,
        n=[(3, "skip", 60, ["b"]), (4, "value", 120, 45)],
        shown={"n": {120: {"a": [[0, 1], [120, 4]], "b": [[0, 10], [120, 30]]}}},
    )


def test_e5_where_none_is_required_any_input_makes_a_row() -> None:
    both = node("n", reads("a", rows=2, required=False), reads("b", rows=2, required=False))
    arrivals = [*of_bars((60, 20), (120, 30), source="b"), *of_bars((0, 1), (120, 4))]
    holds(
        [bars(), bars("b")],
        [both],
        arrivals,
        n=[(3, "value", 60, 21), (3, "value", 120, 54)],
        shown={
            "n": {60: {"a": [[0, 1]], "b": [[60, 20]]}, 120: {"a": [[120, 4]], "b": [[60, 20], [120, 30]]}}
        },
    )


def test_e5_an_optional_input_is_aligned_and_nan_where_it_has_none() -> None:
    both = node("n", reads("a", rows=2), reads("b", rows=2, required=False), function="sum")
    arrivals = [*of_bars((0, 10), (180, 40), source="b"), *FOUR]
    holds(
        [bars(), bars("b")],
        [both],
        arrivals,
        n=[(3, "value", 60, NAN), (4, "value", 120, NAN), (5, "value", 180, NAN)],
        shown={"n": {60: {"a": [[0, 1], [60, 2]], "b": [[0, 10]]}, 120: {"a": [[60, 2], [120, 4]], "b": []},
                     180: {"a": [[120, 4], [180, 8]], "b": [[180, 40]]}}},
    )  # fmt: skip


def test_e5_rows_of_a_coarser_input_are_its_bars_that_have_ended() -> None:
    """The 120s bar of 120 ends at 240: the bucket 180, which ends then too, is the first to see it."""
    fine = node("n", reads("a"), reads("c", rows=2))
    arrivals = [*of_bars((0, 10), (120, 20), (240, 40), source="c"), *FOUR]
    holds(
        [bars(), bars("c", 120)],
        [fine],
        arrivals,
        n=[(3, "skip", 0, ["c"]), (6, "value", 180, 38)],
        shown={"n": {180: {"a": [[180, 8]], "c": [[0, 10], [120, 20]]}}},
    )


def test_e5_rows_of_a_finer_input_are_its_latest_bars_by_end() -> None:
    """Three bars of 60 in a node of 120: one reaches into the bucket before."""
    coarse = node("n", reads("a", rows=3), interval=120)
    holds(
        [bars()],
        [coarse],
        FOUR,
        n=[(3, "value", 120, 14)],
        shown={"n": {120: {"a": [[60, 2], [120, 4], [180, 8]]}}},
    )


def test_e5_rows_of_a_finer_input_reach_over_its_holes() -> None:
    coarse = node("n", reads("a", rows=2), interval=120)
    arrivals = of_bars((0, 1), (60, 2), (180, 8), (420, 16))
    holds([bars()], [coarse], arrivals,
          n=[(1, "value", 0, 3), (2, "value", 120, 10), (3, "skip", 240, ["a"]), (3, "value", 360, 24)])  # fmt: skip


def test_e5_time_shows_every_event_of_a_half_open_span() -> None:
    """D = 90 before the end of each bucket: [30, 120) for the bucket 60."""
    span = node("n", reads("t", time=90))
    arrivals = [event("t", ts, value) for ts, value in ((29, 1), (30, 2), (119, 4), (120, 8))]
    holds(
        [ticks()],
        [span],
        arrivals,
        n=[(3, "value", 60, 6)],
        shown={"n": {60: {"t": [[30, 2], [119, 4]]}}},
    )


def test_e5_ticks_by_rows_are_a_span_of_as_many_buckets() -> None:
    """The same through the SDK, where a window of ticks is declared by rows."""
    of_time = node("n", reads("t", time=120))
    pairs = ((0, 1), (59, 2), (60, 4), (120, 8), (180, 16))
    arrivals = [event("t", ts, value) for ts, value in pairs]
    expected = {60: 7.0, 120: 12.0}
    holds([ticks()], [of_time], arrivals, table={"n": expected})
    by_rows = {"sources": [ticks()], "nodes": [node("n", reads("t", rows=2))], "arrivals": arrivals}
    assert run(by_rows)["final_table"]["n"] == expected

    def two() -> dict:
        stream = StreamInput("A", fields=("value",), identity="event_ts")
        return {"out": total(t=stream.window(2), interval="1m")}

    run_of_two = backtest(two, [bar(*pair) for pair in pairs], finished=False)
    assert {at: value for at, value in table(run_of_two).items() if value == value} == expected


@function_node(outputs=("total",))
def total(view: Any) -> float:
    return float(view.t["value"].sum())


def test_e5_time_of_bars_does_not_reach_over_a_hole() -> None:
    two = node("n", reads("a", time=120))
    holds(
        [bars()],
        [two],
        of_bars((0, 1), (60, 2), (180, 8)),
        n=[(1, "value", 60, 3), (2, "skip", 120, ["a"]), (2, "value", 180, 8)],
    )


def test_e5_time_of_a_coarser_input_is_the_latest_bar_ended_by_then() -> None:
    fine = node("n", reads("a"), reads("c", time=60))
    arrivals = [*of_bars((0, 10), (120, 20), source="c"), *FOUR]
    holds(
        [bars(), bars("c", 120)],
        [fine],
        arrivals,
        n=[(2, "skip", 0, ["c"]), (3, "value", 60, 12), (4, "value", 120, 14), (5, "value", 180, 28)],
    )


def test_e5_nothing_is_seen_ahead() -> None:
    """All bars are there before the reader closes; each bucket still sees only what had ended by its end."""
    nodes = [node("n", reads("a", rows=2), reads("b"))]
    arrivals = [*FOUR, *of_bars((0, 0), (60, 0), (120, 0), source="b")]
    holds([bars(), bars("b")], nodes, arrivals, n=[(5, "value", 60, 3), (6, "value", 120, 6)])


def test_e5_warm_up_by_rows_is_fewer_than_p_minus_1_rows_before() -> None:
    three = node("n", reads("a", rows=3))
    holds([bars()], [three], FOUR, n=[(2, "value", 120, 7), (3, "value", 180, 14)])


def test_e5_a_hole_while_warm_up_lasts_leaves_no_record() -> None:
    """At 60 one row lies before, fewer than two: warm-up. At 180 two do: a gap."""
    three = node("n", reads("a", rows=3))
    holds(
        [bars()],
        [three],
        of_bars((0, 1), (120, 4), (240, 16)),
        n=[(2, "skip", 180, ["a"]), (2, "value", 240, 21)],
        table={"n": {180: "gap", 240: 21}},
    )


def test_e5_warm_up_with_too_few_bars_of_another_required_interval() -> None:
    fine = node("n", reads("a"), reads("c", rows=2))
    arrivals = [*of_bars((0, 10), (120, 20), source="c"), *FOUR[1:]]
    holds([bars(origin=60), bars("c", 120)], [fine], arrivals, n=[(4, "value", 180, 38)])


def test_e5_too_few_bars_of_another_optional_interval_are_no_warm_up() -> None:
    fine = node("n", reads("a"), reads("c", rows=2, required=False))
    arrivals = [*of_bars((0, 10), (120, 20), source="c"), *FOUR]
    holds(
        [bars(), bars("c", 120)],
        [fine],
        arrivals,
        n=[(2, "value", 0, 1), (3, "value", 60, 12), (4, "value", 120, 14), (5, "value", 180, 38)],
    )


def test_e5_warm_up_by_time_lasts_until_the_span_lies_behind_the_origin() -> None:
    """The span of the bucket 60 begins at 0, before the origin 30; that of 120 begins at 60."""
    two = node("n", reads("t", time=120))
    arrivals = [event("t", ts, 1) for ts in (40, 100, 150, 180)]
    holds([ticks(origin=30)], [two], arrivals, n=[(3, "value", 120, 2)])


def test_e5_a_span_that_begins_at_the_origin_is_no_warm_up() -> None:
    two = node("n", reads("t", time=120))
    arrivals = [event("t", ts, 1) for ts in (0, 100, 120)]
    holds([ticks()], [two], arrivals, n=[(2, "value", 60, 2)])


def test_e5_warm_up_by_time_asks_the_latest_origin_of_the_inputs() -> None:
    both = node("n", reads("t", time=120), reads("a", required=False))
    arrivals = [
        *of_bars((60, 10), (120, 20), (180, 30)),
        *[event("t", ts, 1) for ts in (5, 65, 125, 185, 240)],
    ]
    holds([ticks(), bars(origin=60)], [both], arrivals, n=[(6, "value", 120, 22), (7, "value", 180, 32)])


def test_e5_a_coarser_origin_does_not_count_for_warm_up_by_time() -> None:
    both = node("n", reads("t", time=60), reads("c", required=False))
    arrivals = [*of_bars((120, 20), source="c"), event("t", 5, 1), event("t", 60, 2)]
    holds([ticks(), bars("c", 120, origin=120)], [both], arrivals, n=[(2, "value", 0, 1)])


def test_e5_a_node_is_in_warm_up_while_a_required_input_is() -> None:
    nodes = [node("n", reads("a", rows=3)), node("m", reads("n"), reads("a"))]
    holds([bars()], nodes, FOUR, m=[(2, "value", 120, 11), (3, "value", 180, 22)])


def test_e5_warm_up_of_an_optional_input_is_only_absence() -> None:
    nodes = [node("n", reads("a", rows=3)), node("m", reads("n", required=False), reads("a"))]
    holds([bars()], nodes, FOUR[:3], m=[(0, "value", 0, 1), (1, "value", 60, 2), (2, "value", 120, 11)])


def test_e5_warm_up_is_told_as_nothing_not_even_a_gap() -> None:
    both = node("n", reads("a", rows=2), reads("b", rows=2))
    arrivals = [*of_bars((60, 20), source="b"), *of_bars((0, 1), (60, 2))]
    holds([bars(), bars("b")], [both], arrivals, n=[], table={"n": {}}, watermark={"n": 120})
