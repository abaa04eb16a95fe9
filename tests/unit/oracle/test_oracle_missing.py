"""E6: presence, completeness, gaps, failures and halts."""

from __future__ import annotations

from told import bars, event, finished, judged, node, reads, ticks, told


def test_an_own_input_is_absent_without_its_value_at_the_bucket() -> None:
    both = node("n", reads("a"), reads("b"))
    arrivals = [event("a", 0, 1), event("b", 60, 1), event("a", 60, 1)]
    assert told([bars(), bars("b")], [both], arrivals, branch="E6.absent_own") == [
        (1, "skip", 0, ["b"]),
        (2, "value", 60, 2),
    ]


def test_a_finer_input_is_present_with_one_bar_in_the_bucket() -> None:
    coarse = node("n", reads("a", time=240), interval=120)
    arrivals = [event("a", 0, 1), event("a", 180, 2), event("a", 420, 4)]
    assert told([bars()], [coarse], arrivals, branch="E6.absent_finer") == [
        (1, "value", 120, 3),
        (2, "skip", 240, ["a"]),
        (2, "value", 360, 4),
    ]


def test_ticks_are_absent_without_one_in_the_bucket_though_the_window_has_some() -> None:
    two = node("n", reads("t", time=120))
    arrivals = [event("t", 5, 1), event("t", 150, 2)]
    assert told([ticks()], [two], arrivals, branch="E6.absent_tick") == [(1, "skip", 60, ["t"])]


def test_a_coarser_input_is_absent_before_its_first_bar_has_ended() -> None:
    fine = node("n", reads("a"), reads("b"))
    arrivals = [event("b", 0, 10), event("a", 0, 1), event("a", 60, 2)]
    assert told([bars(), bars("b", 120)], [fine], arrivals, branch="E6.absent_coarser") == [
        (1, "skip", 0, ["b"]),
        (2, "value", 60, 12),
    ]


def test_complete_by_rows_asks_for_every_sub_bar_of_the_bucket() -> None:
    coarse = node("n", reads("a", rows=2, complete=True), interval=120)
    arrivals = [event("a", ts, 1) for ts in (0, 60, 180, 240, 300)]
    assert told([bars()], [coarse], arrivals, branch="E6.incomplete_finer_by_rows") == [
        (1, "value", 0, 2),
        (2, "skip", 120, ["a"]),
        (4, "value", 240, 2),
    ]


def test_complete_by_time_asks_for_every_sub_bar_of_the_window() -> None:
    coarse = node("n", reads("a", time=240, complete=True), interval=120)
    arrivals = [event("a", ts, 1) for ts in (0, 60, 180, 240, 300, 360, 420)]
    assert told([bars()], [coarse], arrivals, branch="E6.incomplete_finer_by_time") == [
        (2, "skip", 120, ["a"]),
        (4, "skip", 240, ["a"]),
        (6, "value", 360, 4),
    ]


def test_complete_by_time_of_the_own_interval_asks_for_every_bar_of_the_window() -> None:
    two = node("n", reads("a", time=120, complete=True))
    arrivals = [event("a", ts, 1) for ts in (0, 120, 180)]
    assert told([bars()], [two], arrivals, branch="E6.incomplete_own_by_time") == [
        (1, "skip", 60, ["a"]),
        (1, "skip", 120, ["a"]),
        (2, "value", 180, 2),
    ]


def test_complete_ticks_have_one_in_every_bucket_of_the_window() -> None:
    two = node("n", reads("t", time=120, complete=True))
    arrivals = [event("t", ts, 1) for ts in (5, 130, 185, 240)]
    assert told([ticks()], [two], arrivals, branch="E6.incomplete_tick_by_time") == [
        (1, "skip", 60, ["t"]),
        (2, "skip", 120, ["t"]),
        (3, "value", 180, 2),
    ]


def test_an_incomplete_optional_input_counts_as_absent_where_nothing_else_is_there() -> None:
    """Reading 13."""
    two = node("n", reads("a", time=120, complete=True, required=False))
    arrivals = [event("a", ts, 1) for ts in (0, 120)]
    assert told([bars()], [two], arrivals, branch="E6.incomplete_own_by_time")[-1] == (1, "skip", 120, ["a"])


def test_an_optional_input_may_be_empty() -> None:
    both = node("n", reads("t", time=60), reads("u", time=60, required=False))
    arrivals = [event("t", 5, 1), event("u", 61, 2), event("t", 62, 4)]
    assert told([ticks(), ticks("u")], [both], arrivals, branch="E6.optional_absent") == [(2, "value", 0, 1)]


def test_where_nothing_is_there_it_is_a_gap_that_names_all() -> None:
    both = node("n", reads("t", time=60, required=False), reads("u", time=60, required=False))
    arrivals = [event("t", 61, 1), event("u", 62, 2)]
    assert told([ticks(), ticks("u")], [both], arrivals, branch="E6.nothing_present") == [
        (1, "skip", 0, ["t", "u"])
    ]


def test_nothing_required_and_nothing_there_is_a_gap_under_fail_too() -> None:
    """Reading 15."""
    one = node("n", reads("t", time=60, required=False), on_missing="fail")
    arrivals = [event("t", 61, 1), event("t", 120, 2)]
    assert told([ticks()], [one], arrivals, branch="E6.nothing_present") == [
        (0, "skip", 0, ["t"]),
        (1, "value", 60, 1),
    ]


def test_skip_records_a_gap() -> None:
    one = node("n", reads("t", time=60))
    arrivals = [event("t", 61, 1), event("t", 120, 1)]
    assert told([ticks()], [one], arrivals, branch="E6.skip") == [(0, "skip", 0, ["t"]), (1, "value", 60, 1)]


FAILING = node("n", reads("t", time=60), on_missing="fail")


def test_fail_records_a_failure_and_nothing_more() -> None:
    arrivals = [event("t", 5, 1), event("t", 130, 1), event("t", 70, 1), event("t", 300, 1)]
    assert told([ticks()], [FAILING], arrivals, branch="E6.fail") == [
        (1, "value", 0, 1),
        (1, "fail", 60, ["t"]),
    ]


def test_the_watermark_of_a_halted_node_goes_on() -> None:
    result = judged([ticks()], [FAILING], [event("t", 130, 1), event("t", 300, 1)])
    assert result["branches"]["E6.closed_after_halt"]
    assert result["final_watermark"]["n"] == 300
    assert result["final_table"]["n"] == {0: "gap"}


def test_a_reader_of_a_halted_node_has_gaps() -> None:
    nodes = [FAILING, node("m", reads("n"))]
    arrivals = [event("t", 5, 1), event("t", 180, 1), event("t", 240, 1)]
    assert told([ticks()], nodes, arrivals, of="m", branch="E6.closed_after_halt") == [
        (1, "value", 0, 1),
        (1, "skip", 60, ["n"]),
        (1, "skip", 120, ["n"]),
        (2, "skip", 180, ["n"]),
    ]


def test_a_halted_entry_goes_on_counting_but_tells_no_refusals() -> None:
    arrivals = [event("t", 130, 1), event("t", 130, 1)]
    result = judged([ticks()], [FAILING], arrivals)
    assert result["counters"]["t>n"]["duplicate"] == 1
    assert [one["kind"] for one in result["emissions"]["n"]] == ["gap_fail"]


def test_warm_up_does_not_fail() -> None:
    two = node("n", reads("a", rows=2), on_missing="fail")
    arrivals = [event("a", 60, 1), event("a", 120, 2)]
    assert told([bars()], [two], arrivals, branch="E5.warm_up_rows") == [(1, "value", 120, 3)]


def test_a_function_that_answers_none_makes_a_gap() -> None:
    one = node("n", reads("a"), function="none_if_negative")
    arrivals = [event("a", 0, -1), event("a", 60, 2)]
    assert told([bars()], [one], arrivals, branch="E6.function_gave_none") == [
        (0, "skip", 0, []),
        (1, "value", 60, 2),
    ]


def test_a_function_that_raises_halts_its_node() -> None:
    one = node("n", reads("a"), function="raise_if_ends_in_3")
    arrivals = [event("a", 0, 2), event("a", 60, 3), event("a", 120, 4)]
    assert told([bars()], [one], arrivals, branch="E6.function_raised") == [
        (0, "value", 0, 2),
        (1, "fail", 60, []),
    ]


def test_resuming_corrects_the_marker_and_tells_the_later_buckets() -> None:
    arrivals = [event("t", 5, 1), event("t", 130, 2), event("t", 61, 4), event("t", 180, 8), {"resume": "n"}]
    assert told([ticks()], [FAILING], arrivals, branch="E6.resumed") == [
        (1, "value", 0, 1),
        (1, "fail", 60, ["t"]),
        (4, "correction", 60, None, 4, 1),
        (4, "value", 120, 2),
    ]


def test_a_resumed_node_may_fail_again() -> None:
    arrivals = [event("t", 130, 2), event("t", 240, 4), {"resume": "n"}]
    assert told([ticks()], [FAILING], arrivals, branch="E6.resumed") == [
        (0, "fail", 0, ["t"]),
        (2, "fail", 60, ["t"]),
    ]


def test_a_bar_stream_records_no_gaps() -> None:
    arrivals = [event("a", 0, 1), event("a", 120, 2), finished("a")]
    told_by_a = told(
        [bars()], [node("n", reads("a"))], arrivals, of="a", end=300, branch="E6.bars_record_no_gaps"
    )
    assert told_by_a == [(0, "value", 0, 1), (1, "value", 120, 2)]
