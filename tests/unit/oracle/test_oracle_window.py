"""E5 and E17: what a window shows, and warm-up."""

from __future__ import annotations

import math

from told import bars, event, judged, node, reads, ticks, told

NAN = math.nan


def shown(sources: list, nodes: list, arrivals: list, of: str = "n") -> dict[int, dict]:
    """The inputs of every bucket that got a value at once."""
    emissions = judged(sources, nodes, arrivals)["emissions"][of]
    return {one["bucket"]: one["inputs"] for one in emissions if one["kind"] == "initial"}


def of_bars(*times: int, source: str = "a") -> list[dict]:
    return [event(source, ts, ts // 60 + 1) for ts in times]


def test_rows_of_the_own_interval() -> None:
    assert told([bars()], [node("n", reads("a", rows=2))], of_bars(0, 60, 120), branch="E5.rows_of_own") == [
        (1, "value", 60, 3),
        (2, "value", 120, 5),
    ]


def test_a_window_of_rows_reaches_over_a_hole() -> None:
    two = node("n", reads("a", rows=2))
    assert told([bars()], [two], of_bars(0, 120, 180), branch="E5.rows_over_a_hole") == [
        (1, "skip", 60, ["a"]),
        (1, "value", 120, 4),
        (2, "value", 180, 7),
    ]


def test_a_bucket_gets_a_value() -> None:
    assert told([bars()], [node("n", reads("a"))], of_bars(0), branch="E5.value") == [(0, "value", 0, 1)]


def test_required_inputs_are_aligned_at_the_rows_all_of_them_have() -> None:
    both = node("n", reads("a", rows=2), reads("b", rows=2))
    arrivals = [*of_bars(0, 60, 120), *of_bars(0, 120, source="b")]
    assert shown([bars(), bars("b")], [both], arrivals) == {
        120: {"a": [[0, 1], [120, 3]], "b": [[0, 1], [120, 3]]}
    }


def test_an_optional_input_shows_nan_where_it_has_no_value_at_a_row() -> None:
    both = node("n", reads("a", rows=2), reads("b", rows=2, required=False), function="sum")
    arrivals = [*of_bars(0, source="b"), *of_bars(0, 60), *of_bars(120, source="b")]
    sources = [bars(), bars("b")]
    (emitted,) = told(sources, [both], arrivals, branch="E5.rows_nan_where_optional_has_none")
    assert emitted[:3] == (3, "value", 60) and math.isnan(emitted[3])
    assert shown(sources, [both], arrivals) == {60: {"a": [[0, 1], [60, 2]], "b": [[0, 1]]}}


def test_where_none_is_required_a_row_is_where_any_has_its_value() -> None:
    both = node("n", reads("a", rows=2, required=False), reads("b", rows=2, required=False))
    arrivals = [*of_bars(0), *of_bars(60, source="b"), *of_bars(120)]
    assert shown([bars(), bars("b")], [both], arrivals) == {60: {"a": [[0, 1]], "b": [[60, 2]]}}


def test_a_bucket_that_is_no_row_shows_the_rows_before_it() -> None:
    """Reading 6: the coarser input is there, so the bucket has a value."""
    mixed = node("n", reads("a", required=False), reads("b"))
    arrivals = [event("b", -300, 100), *of_bars(0, 120)]
    sources = [bars(), bars("b", 300, origin=None)]
    assert told(sources, [mixed], arrivals, branch="E5.bucket_that_is_no_row")[1] == (2, "value", 60, 101)


def test_rows_of_a_finer_input_are_its_latest_bars() -> None:
    coarse = node("n", reads("a", rows=3), interval=120)
    assert told([bars()], [coarse], of_bars(0, 60, 120, 180), branch="E5.rows_of_finer") == [
        (3, "value", 120, 9)
    ]


def test_rows_of_a_coarser_input_are_those_that_have_ended() -> None:
    fine = node("n", reads("a"), reads("b", rows=2))
    sources = [bars(), bars("b", 120)]
    arrivals = [*of_bars(0), event("b", 0, 10), event("b", 120, 20), *of_bars(60, 120, 180)]
    assert told(sources, [fine], arrivals, branch="E5.rows_of_coarser")[-1] == (5, "value", 180, 34)


def test_ticks_of_a_span() -> None:
    two = node("n", reads("t", time=120))
    arrivals = [event("t", ts, value) for ts, value in ((5, 1), (59, 2), (60, 4), (119, 8), (120, 16))]
    assert told([ticks()], [two], arrivals, branch="E5.time_of_tick") == [(4, "value", 60, 15)]


def test_rows_of_ticks_mean_a_span_of_as_many_buckets() -> None:
    arrivals = [event("t", 5, 1), event("t", 60, 4), event("t", 120, 16)]
    assert told([ticks()], [node("n", reads("t", rows=2))], arrivals, branch="E5.time_of_tick") == [
        (2, "value", 60, 5)
    ]


def test_bars_of_the_own_interval_of_a_span_do_not_reach_over_a_hole() -> None:
    two = node("n", reads("a", time=120))
    assert told([bars()], [two], of_bars(0, 120, 180), branch="E5.time_of_own") == [
        (1, "skip", 60, ["a"]),
        (1, "value", 120, 3),
        (2, "value", 180, 7),
    ]


def test_finer_bars_of_a_span() -> None:
    coarse = node("n", reads("a", time=180), interval=120)
    assert told([bars()], [coarse], of_bars(0, 60, 120, 180), branch="E5.time_of_finer") == [
        (3, "value", 120, 9)
    ]


def test_of_a_coarser_input_a_span_shows_the_latest_bar() -> None:
    fine = node("n", reads("a"), reads("b", time=60))
    sources = [bars(), bars("b", 120)]
    arrivals = [event("b", 0, 10), event("b", 120, 20), *of_bars(0, 60, 120, 180)]
    assert told(sources, [fine], arrivals, branch="E5.time_of_coarser") == [
        (2, "skip", 0, ["b"]),
        (3, "value", 60, 12),
        (4, "value", 120, 13),
        (5, "value", 180, 24),
    ]


def test_warm_up_by_rows_leaves_no_record() -> None:
    three = node("n", reads("a", rows=3))
    assert told([bars()], [three], of_bars(0, 60, 120), branch="E5.warm_up_rows") == [(2, "value", 120, 6)]


def test_a_hole_in_warm_up_is_no_gap() -> None:
    three = node("n", reads("a", rows=3))
    assert told([bars()], [three], of_bars(0, 120, 180), branch="E5.warm_up_rows") == [(2, "value", 180, 8)]


def test_the_longest_window_of_rows_decides_on_warm_up() -> None:
    both = node("n", reads("a"), reads("b", rows=3, required=False))
    arrivals = [one for ts in (0, 60, 120) for one in (*of_bars(ts), *of_bars(ts, source="b"))]
    assert [one[2] for one in told([bars(), bars("b")], [both], arrivals, branch="E5.warm_up_rows")] == [120]


def test_some_bars_of_another_interval_but_too_few_are_warm_up() -> None:
    coarse = node("n", reads("a", rows=3), interval=120)
    branch = "E5.warm_up_bars_of_other_interval"
    assert told([bars()], [coarse], of_bars(0, 60, 120, 180), branch=branch) == [(3, "value", 120, 9)]


def test_no_bar_at_all_of_another_interval_is_a_gap() -> None:
    coarse = node("n", reads("a", rows=3), reads("t", time=120, required=False), interval=120)
    arrivals = [event("a", 120, 1), event("t", 120, 1)]
    assert told([bars(), ticks()], [coarse], arrivals, branch="E6.absent_finer") == [(1, "skip", 0, ["a"])]


def test_a_span_that_begins_before_the_origin_is_warm_up() -> None:
    source = ticks(origin=30)
    arrivals = [event("t", 40, 1), event("t", 70, 2), event("t", 130, 4)]
    assert told([source], [node("n", reads("t", time=60))], arrivals, branch="E5.warm_up_time") == [
        (2, "value", 60, 2)
    ]


def test_the_latest_origin_of_the_inputs_counts() -> None:
    both = node("n", reads("t", time=60, required=False), reads("u", time=60, required=False))
    sources = [ticks(), ticks("u", origin=60)]
    arrivals = [event("t", 5, 1), event("u", 70, 2), event("t", 130, 4), event("u", 130, 4)]
    assert told(sources, [both], arrivals, branch="E5.warm_up_time") == [(3, "value", 60, 2)]


def test_a_required_input_in_warm_up_is_warm_up() -> None:
    nodes = [node("m", reads("a", rows=3)), node("n", reads("m"), reads("a"))]
    assert told([bars()], nodes, of_bars(0, 60, 120), branch="E5.warm_up_input") == [(2, "value", 120, 9)]


def test_an_optional_input_in_warm_up_is_only_empty() -> None:
    nodes = [node("m", reads("a", rows=2)), node("n", reads("m", required=False), reads("a"))]
    assert told([bars()], nodes, of_bars(0, 60), branch="E6.optional_absent") == [
        (0, "value", 0, 1),
        (1, "value", 60, 5),
    ]


def test_nan_is_a_value() -> None:
    arrivals = [event("a", 0, None), event("a", 60, 1)]
    emitted = told([bars()], [node("n", reads("a"), function="sum")], arrivals, branch="E17.nan_is_a_value")
    assert math.isnan(emitted[0][3]) and emitted[1] == (1, "value", 60, 1)


def test_nan_leaves_no_trace_in_a_finite_window() -> None:
    two = node("n", reads("a", rows=2), function="sum")
    arrivals = [event("a", ts, value) for ts, value in ((0, None), (60, 1), (120, 2))]
    emitted = told([bars()], [two], arrivals, branch="E17.nan_is_a_value")
    assert math.isnan(emitted[0][3]) and emitted[1] == (2, "value", 120, 3)


def test_a_recursive_node_answers_nan_and_keeps_its_state() -> None:
    ema = node("n", reads("a", rows=3), function="ema")
    arrivals = [event("a", 60 * n, value) for n, value in enumerate((4, 8, None, 2, 4))]
    emitted = told([bars()], [ema], arrivals, branch="E17.nan_is_a_value")
    assert math.isnan(emitted[0][3]) and emitted[1:] == [(3, "value", 180, 4), (4, "value", 240, 4)]


def test_a_recursive_node_begins_with_the_first_row_even_in_warm_up() -> None:
    ema = node("n", reads("a", rows=3), function="ema")
    arrivals = [event("a", 60 * n, value) for n, value in enumerate((16, 0, 0))]
    assert told([bars()], [ema], arrivals, branch="E5.warm_up_rows") == [(2, "value", 120, 4)]
