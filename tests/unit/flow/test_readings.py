"""The readings of docs/decisions/0001, by number: 1 to 13."""

from __future__ import annotations

import math
from typing import Any

import pytest

from qmtl import StreamInput
from qmtl.core.errors import UserError
from qmtl.testing.oracle import run

from unit.flow.rules import holds
from unit.flow.sdk import backtest, bar, ledger, table
from unit.oracle.told import bars, event, node, reads, tick, ticks

SUM = node("n", reads("t", time=60))
BAR = node("n", reads("a"))


def of_bars(*pairs: tuple[int, float | None], source: str = "a") -> list[dict]:
    return [event(source, ts, value) for ts, value in pairs]


def minute(name: str = "A", **settings: Any) -> Any:
    return StreamInput(name, interval="1m", fields=("close",), **settings).close


def test_reading_1_a_backtest_has_one_origin_per_stream_its_own_earliest_data() -> None:
    """B begins at 120; A's bars from 0 on are used, and the sum is a gap until B is there."""
    run = backtest(
        lambda: {"out": minute("A") + minute("B")},
        [bar(0, 1), bar(60, 2), bar(120, 4), bar(120, 8, "B")],
    )
    assert run.counters["A"]["used"] == 3
    assert table(run)[120] == 12
    assert [one[1] for one in ledger(run)] == ["gap", "initial"]


def test_reading_1_the_origin_given_is_that_of_every_stream() -> None:
    items = [bar(0, 1), bar(0, 1, "B"), bar(60, 2), bar(60, 4, "B")]
    run = backtest(lambda: {"out": minute("A") + minute("B")}, items, origin="1970-01-01T00:01:00Z")
    assert {name: one["before_origin"] for name, one in run.counters.items()} == {"A": 1, "B": 1}
    assert table(run)[60] == 6


def test_reading_1_a_node_s_origin_is_the_latest_of_its_finer_and_own_inputs_recursively() -> None:
    """m's origin is that of b, two nodes up: its span of 120 is warm-up at 120 and none at 180."""
    nodes = [node("n", reads("a"), reads("b")), node("m", reads("n", time=120))]
    arrivals = [*of_bars((120, 10), (180, 20), source="b"), *of_bars((0, 1), (60, 2), (120, 4), (180, 8))]
    holds([bars(), bars("b", origin=120)], nodes, arrivals, m=[(5, "value", 180, 42)])


def test_reading_1_a_coarser_input_does_not_count_unless_there_are_only_coarser_ones() -> None:
    both = node("n", reads("a", time=120), reads("c", required=False))
    arrivals = [*of_bars((0, 1), (60, 2))]
    holds([bars(), bars("c", 120, origin=120)], [both], [*of_bars((120, 8), source="c"), *arrivals],
          n=[(2, "value", 60, 3)])  # fmt: skip
    only = node("n", reads("c", time=60))
    holds([bars("c", 120, origin=120)], [only], of_bars((120, 8), source="c"),
          n=[(0, "skip", 120, ["c"]), (0, "value", 180, 8), (0, "value", 240, 8)])  # fmt: skip


def test_reading_2_the_first_bucket_contains_the_earliest_reachable_data() -> None:
    """The least origin, 120, not the latest, 180, and not the first bar there is."""
    both = node("n", reads("a", required=False), reads("b", required=False))
    arrivals = [*of_bars((180, 1)), *of_bars((180, 10), source="b")]
    holds(
        [bars(origin=120), bars("b", origin=180)],
        [both],
        arrivals,
        n=[(1, "skip", 120, ["a", "b"]), (1, "value", 180, 11)],
    )


def test_reading_2_of_ticks_too() -> None:
    holds([ticks(origin=130)], [node("n", reads("t", time=10))], [event("t", 240, 1)],
          n=[(0, "skip", 120, ["t"]), (0, "skip", 180, ["t"])])  # fmt: skip


def test_reading_2_no_gap_is_told_before_the_first_bucket() -> None:
    holds([bars(origin=600)], [BAR], of_bars((660, 1)), n=[(0, "skip", 600, ["a"]), (0, "value", 660, 1)])


def test_reading_3_warm_up_by_rows_is_asked_of_every_own_edge_optional_ones_too() -> None:
    both = node("n", reads("a"), reads("b", rows=3, required=False))
    arrivals = [*of_bars((0, 10), (60, 20), (120, 30), source="b"), *of_bars((0, 1), (60, 2), (120, 4))]
    holds([bars(), bars("b")], [both], arrivals, n=[(5, "value", 120, 64)])


def test_reading_4_an_input_in_warm_up_is_judged_at_its_latest_bucket_ended_by_then() -> None:
    """c has its first record at 120, the bucket that ends at 240: n from 180 on."""
    nodes = [node("c", reads("a", time=240), interval=120), node("n", reads("a"), reads("c"))]
    arrivals = of_bars((0, 1), (60, 2), (120, 4), (180, 8), (240, 16))
    holds(
        [bars()],
        nodes,
        arrivals,
        c=[(3, "value", 120, 15)],
        n=[(3, "value", 180, 23), (4, "value", 240, 31)],
    )


def test_reading_4_streams_are_never_in_warm_up() -> None:
    both = node("n", reads("a"), reads("b"))
    arrivals = [*of_bars((60, 10), source="b"), *of_bars((0, 1), (60, 2))]
    holds([bars(), bars("b")], [both], arrivals, n=[(1, "skip", 0, ["b"]), (2, "value", 60, 12)])


NO_NEGATIVES = node("n", reads("a"), function="none_if_negative")


def test_reading_5_a_withdrawn_value_is_absent_to_its_readers() -> None:
    nodes = [NO_NEGATIVES, node("m", reads("n", required=False), reads("a"))]
    holds([bars()], nodes, of_bars((0, 1), (0, -1)),
          m=[(0, "value", 0, 2), (1, "correction", 0, 2, -1, 1)])  # fmt: skip


def test_reading_5_a_recorded_bucket_never_returns_to_warm_up() -> None:
    """The row before 60 is gone, and 60 keeps a record: a version without value, later one with."""
    nodes = [NO_NEGATIVES, node("m", reads("n", rows=2))]
    holds(
        [bars()],
        nodes,
        of_bars((0, 1), (60, 2), (0, -1), (0, 4)),
        m=[(1, "value", 60, 3), (2, "correction", 60, 3, None, 1), (3, "correction", 60, None, 6, 2)],
        table={"m": {60: 6}},
    )


def test_reading_6_a_bucket_that_is_no_row_is_computed_where_another_interval_is_present() -> None:
    """At 120 a has no bar: its edge shows the rows 0 and 60, and the ticks of 120 are there."""
    both = node("n", reads("a", rows=2, required=False), reads("t", time=60, required=False))
    arrivals = [event("t", 130, 16), *of_bars((0, 1), (60, 2), (180, 8)), event("t", 240, 0)]
    holds(
        [ticks(), bars()],
        [both],
        arrivals,
        n=[(2, "value", 60, 3), (4, "value", 120, 19), (4, "value", 180, 10)],
        shown={"n": {60: {"a": [[0, 1], [60, 2]], "t": []}, 120: {"a": [[0, 1], [60, 2]], "t": [[130, 16]]},
                     180: {"a": [[60, 2], [180, 8]], "t": []}}},
    )  # fmt: skip


def test_reading_6_where_nothing_is_present_it_is_a_gap() -> None:
    both = node("n", reads("a", rows=2, required=False), reads("t", time=60, required=False))
    arrivals = [event("t", 240, 16), *of_bars((0, 1), (60, 2), (180, 8))]
    holds([ticks(), bars()], [both], arrivals,
          n=[(2, "value", 60, 3), (3, "skip", 120, ["a", "t"]), (3, "value", 180, 10)])  # fmt: skip


def test_reading_7_misaligned_bars_are_refused_as_malformed_input() -> None:
    with pytest.raises(ValueError, match="does not start at a multiple of 60"):
        run({"sources": [bars()], "nodes": [BAR], "arrivals": of_bars((30, 1))})
    with pytest.raises(UserError, match="does not start at a multiple of 1m"):
        backtest(lambda: {"out": minute() * 1}, [bar(30, 1)])


def test_reading_8_a_finished_source_is_never_idle_and_holds_nothing_back() -> None:
    """b has ended: `hold` does not hold, because not all inputs are idle."""
    both = node("n", reads("a", required=False), reads("b", required=False), all_idle="hold")
    arrivals = [*of_bars((0, 1)), {"finished": "b"}, tick(100)]
    holds(
        [bars(idle_timeout=10), bars("b", idle_timeout=10)],
        [both],
        arrivals,
        end=120,
        n=[(1, "value", 0, 1), (2, "skip", 60, ["a", "b"])],
    )


def test_reading_8_closing_never_passes_the_run_s_end() -> None:
    """The bucket 120 ends at 180, after the end 179."""
    holds([bars()], [BAR], [*of_bars((0, 1)), {"finished": "a"}], end=179,
          n=[(0, "value", 0, 1), (1, "skip", 60, ["a"])])  # fmt: skip


FAILING = node("n", reads("a"), on_missing="fail")
RAISING = node("n", reads("a"), function="raise_if_ends_in_3")


def test_reading_9_a_failed_node_records_failed_and_closes_later_buckets_without_record() -> None:
    holds(
        [bars()],
        [FAILING],
        of_bars((60, 2), (120, 4)),
        n=[(0, "fail", 0, ["a"])],
        table={"n": {0: "gap"}},
        watermark={"n": 180},
    )


def test_reading_9_a_correction_that_raises_withdraws_the_value_and_halts() -> None:
    holds(
        [bars()],
        [RAISING],
        of_bars((0, 1), (60, 2), (0, 3), (120, 4), (60, 5)),
        n=[(0, "value", 0, 1), (1, "value", 60, 2), (2, "correction", 0, 1, None, 1)],
        table={"n": {0: "gap", 60: 2}},
    )


def test_reading_10_every_nan_is_the_same_and_the_zeros_differ() -> None:
    last = node("n", reads("a"), function="last")
    holds([bars()], [last], of_bars((0, math.nan), (0, -math.nan), (60, 0.0), (60, -0.0)),
          n=[(0, "value", 0, math.nan), (2, "value", 60, 0.0), (3, "correction", 60, 0.0, -0.0, 1)],
          counters={"a": {"arrivals": 4, "used": 3, "duplicate": 1}})  # fmt: skip


def test_reading_11_buckets_before_the_first_close_and_nothing_comes_of_them() -> None:
    """c has closed no bucket that could be recorded; its frontier is floor(60 / 300) * 300 = 0, not -inf."""
    nodes = [node("c", reads("a"), interval=300), node("n", reads("a"), reads("c", required=False))]
    holds([bars()], nodes, of_bars((0, 1), (60, 2)), c=[], n=[(0, "value", 0, 1), (1, "value", 60, 2)])


def test_reading_11_before_a_stream_s_origin_too() -> None:
    """A bar before b's origin is dropped, but b is seen: it has closed up to 60."""
    both = node("n", reads("a"), reads("b", required=False))
    arrivals = [*of_bars((0, 10), source="b"), *of_bars((0, 1))]
    holds([bars(), bars("b", origin=600)], [both], arrivals, n=[(1, "value", 0, 1)])


def test_reading_12_an_own_input_by_time_takes_part_in_what_a_row_is() -> None:
    """b is a span, and still 60, where it has no bar, is no row of a."""
    both = node("n", reads("a", rows=2), reads("b", time=60))
    arrivals = [*of_bars((0, 10), (120, 30), source="b"), *of_bars((0, 1), (60, 2), (120, 4))]
    holds([bars(), bars("b")], [both], arrivals, n=[(3, "skip", 60, ["b"]), (4, "value", 120, 35)])


def test_reading_12_warm_up_by_time_is_asked_of_optional_and_coarser_edges_too() -> None:
    optional = node("n", reads("a"), reads("t", time=180, required=False))
    arrivals = [event("t", 500, 0), *of_bars((0, 1), (60, 2), (120, 4))]
    holds([bars(), ticks()], [optional], arrivals, n=[(3, "value", 120, 4)])
    coarser = node("n", reads("a"), reads("c", time=240, required=False))
    arrivals = [*of_bars((0, 1), (60, 2), (120, 4), (180, 8)), *of_bars((0, 16), (120, 32), source="c")]
    holds([bars(), bars("c", 120)], [coarser], arrivals, n=[(5, "value", 180, 40)])


def test_reading_13_presence_is_what_lies_in_the_bucket_however_long_the_window() -> None:
    long = node("n", reads("t", time=300))
    arrivals = [event("t", ts, 1) for ts in (0, 60, 120, 180, 240, 420)]
    holds([ticks()], [long], arrivals,
          n=[(5, "value", 240, 5), (5, "skip", 300, ["t"]), (5, "skip", 360, ["t"])])  # fmt: skip


def test_reading_13_what_an_incomplete_optional_input_has_is_shown_but_counts_as_absent() -> None:
    coarse = [reads("a", rows=2, complete=True, required=False)]
    arrivals = of_bars((0, 1), (60, 2), (180, 8))
    holds([bars()], [node("n", *coarse, interval=120)], arrivals,
          n=[(1, "value", 0, 3), (2, "skip", 120, ["a"])])  # fmt: skip
    beside = node("n", *coarse, reads("t", time=120), interval=120)
    holds(
        [bars(), ticks()],
        [beside],
        [*[event("t", ts, 100) for ts in (0, 120, 240)], *arrivals],
        n=[(4, "value", 0, 103), (5, "value", 120, 110)],
        shown={"n": {0: {"a": [[0, 1], [60, 2]], "t": [[0, 100]]},
                     120: {"a": [[60, 2], [180, 8]], "t": [[120, 100]]}}},
    )  # fmt: skip


def test_reading_13_a_span_that_is_no_multiple_of_the_bucket() -> None:
    """90 before the end of the bucket 60: every sub-bar that begins in [30, 120), and the part [30, 60)."""
    odd = node("n", reads("t", time=90, complete=True))
    holds([ticks()], [odd], [event("t", ts, 1) for ts in (10, 70, 120)], n=[(2, "skip", 60, ["t"])])
    holds([ticks()], [odd], [event("t", ts, 1) for ts in (40, 70, 120)], n=[(2, "value", 60, 2)])
    fine = node("n", reads("a", time=180, complete=True), interval=120)
    holds([bars()], [fine], of_bars((60, 1), (120, 2), (180, 4)), n=[(2, "value", 120, 7)])
