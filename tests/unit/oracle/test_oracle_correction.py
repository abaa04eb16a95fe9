"""E8 and E12: corrections, how far they go and where they stop."""

from __future__ import annotations

from told import bars, event, finished, judged, node, reads, tick, ticks, told


def of_bars(*pairs: tuple[int, float], source: str = "a") -> list[dict]:
    return [event(source, ts, value) for ts, value in pairs]


IN_ORDER = of_bars((0, 1), (60, 2), (120, 4))


def test_a_late_bar_fills_a_hole() -> None:
    arrivals = of_bars((0, 1), (120, 4), (60, 2))
    assert told([bars()], [node("n", reads("a"))], arrivals, of="a", branch="E8.bar_fills_a_hole") == [
        (0, "value", 0, 1),
        (1, "value", 120, 4),
        (2, "value", 60, 2),
    ]


def test_a_revised_bar_is_corrected() -> None:
    arrivals = [*IN_ORDER, event("a", 0, 8)]
    assert told([bars()], [node("n", reads("a"))], arrivals, of="a", branch="E8.bar_corrected")[-1] == (
        3,
        "correction",
        0,
        1,
        8,
        1,
    )


def test_every_bucket_whose_window_holds_the_change_is_corrected_in_ascending_order() -> None:
    two = node("n", reads("a", rows=2))
    arrivals = [*IN_ORDER, *of_bars((180, 8), (60, 32))]
    assert told([bars()], [two], arrivals, branch="E8.value_to_value")[-2:] == [
        (4, "correction", 60, 3, 33, 1),
        (4, "correction", 120, 6, 36, 1),
    ]


def test_versions_count_up() -> None:
    arrivals = [*of_bars((0, 1)), *of_bars((0, 2), (0, 3))]
    assert told([bars()], [node("n", reads("a"))], arrivals, branch="E8.value_to_value") == [
        (0, "value", 0, 1),
        (1, "correction", 0, 1, 2, 1),
        (2, "correction", 0, 2, 3, 2),
    ]


def test_a_correction_is_never_late_further_down() -> None:
    nodes = [node("n", reads("a")), node("m", reads("n", rows=2))]
    arrivals = [*IN_ORDER, event("a", 60, 32)]
    branch = "E8.correction_of_a_reader_of_nodes"
    assert told([bars()], nodes, arrivals, of="m", branch=branch)[-2:] == [
        (3, "correction", 60, 3, 33, 1),
        (3, "correction", 120, 6, 36, 1),
    ]


def test_a_node_reached_by_two_paths_is_corrected_once() -> None:
    nodes = [node("n", reads("a")), node("m", reads("n"), reads("a"))]
    assert told([bars()], nodes, [*IN_ORDER, event("a", 0, 16)], of="m", branch="E8.value_to_value")[3:] == [
        (3, "correction", 0, 2, 32, 1)
    ]


def test_a_correction_reaches_coarser_and_finer_readers() -> None:
    nodes = [node("c", reads("a", time=120), interval=120), node("n", reads("a"), reads("c"))]
    arrivals = [*IN_ORDER, event("a", 0, 16)]
    assert told([bars()], nodes, arrivals, branch="E8.correction_of_a_reader_of_nodes") == [
        (1, "value", 60, 5),
        (2, "value", 120, 7),
        (3, "correction", 60, 5, 20, 1),
        (3, "correction", 120, 7, 22, 1),
    ]


def test_a_bar_in_time_for_its_stream_corrects_a_reader_that_had_closed() -> None:
    """`b` was idle when `n` closed; its bar is in time at its entry, whatever `on_late` says."""
    both = node("n", reads("a"), reads("b", required=False))
    sources = [bars(), bars("b", idle_timeout=10, on_late="ignore")]
    arrivals = [tick(10), event("a", 0, 1, at=10), event("b", 0, 8, at=11)]
    assert told(sources, [both], arrivals, branch="E8.in_time_but_its_reader_had_closed") == [
        (1, "value", 0, 1),
        (2, "correction", 0, 1, 9, 1),
    ]


def test_a_gap_retracts_null() -> None:
    arrivals = of_bars((0, 1), (120, 4), (60, 2))
    assert told([bars()], [node("n", reads("a"))], arrivals, branch="E8.gap_retracts_null")[-1] == (
        2,
        "correction",
        60,
        None,
        2,
        1,
    )


NO_NEGATIVES = node("n", reads("a"), function="none_if_negative")


def test_a_value_may_turn_into_null() -> None:
    arrivals = of_bars((0, 1), (0, -1))
    assert told([bars()], [NO_NEGATIVES], arrivals, branch="E8.value_to_null") == [
        (0, "value", 0, 1),
        (1, "correction", 0, 1, None, 1),
    ]


def test_null_may_turn_into_a_value_again() -> None:
    arrivals = of_bars((0, 1), (0, -1), (0, 2))
    assert told([bars()], [NO_NEGATIVES], arrivals, branch="E8.null_retracts_null")[-1] == (
        2,
        "correction",
        0,
        None,
        2,
        2,
    )


def test_a_value_is_withdrawn_with_its_required_input() -> None:
    nodes = [NO_NEGATIVES, node("m", reads("n"))]
    assert told([bars()], nodes, of_bars((0, 1), (0, -1)), of="m", branch="E8.input_withdrawn") == [
        (0, "value", 0, 1),
        (1, "correction", 0, 1, None, 1),
    ]


def test_a_recorded_bucket_that_loses_its_input_does_not_fail() -> None:
    """Reading 16."""
    nodes = [NO_NEGATIVES, node("m", reads("n"), on_missing="fail")]
    arrivals = of_bars((0, 1), (0, -1), (60, 2))
    assert told([bars()], nodes, arrivals, of="m", branch="E8.input_withdrawn")[1:] == [
        (1, "correction", 0, 1, None, 1),
        (2, "value", 60, 2),
    ]


def test_a_recorded_bucket_never_returns_to_warm_up() -> None:
    """The rows before it are gone: its value is withdrawn (reading 5)."""
    nodes = [NO_NEGATIVES, node("m", reads("n", rows=2))]
    arrivals = of_bars((0, 1), (60, 2), (0, -1), (0, 4))
    assert told([bars()], nodes, arrivals, of="m", branch="E8.rows_withdrawn") == [
        (1, "value", 60, 3),
        (2, "correction", 60, 3, None, 1),
        (3, "correction", 60, None, 6, 2),
    ]


def test_warm_up_that_now_has_its_rows_gets_version_0_a_value() -> None:
    two = node("n", reads("a", rows=2))
    arrivals = of_bars((60, 2), (0, 1))
    assert told([bars()], [two], arrivals, branch="E8.warm_up_to_value") == [(1, "value", 60, 3)]


def test_warm_up_that_now_has_its_rows_gets_version_0_a_gap() -> None:
    two = node("n", reads("a", rows=2))
    arrivals = of_bars((120, 2), (0, 1))
    assert told([bars()], [two], arrivals, branch="E8.warm_up_to_gap") == [
        (1, "skip", 60, ["a"]),
        (1, "value", 120, 3),
    ]


def test_a_late_version_0_is_judged_like_a_closing() -> None:
    """Reading 16: it lacks a required input, so the node fails there and halts."""
    two = node("n", reads("a", rows=2), on_missing="fail")
    arrivals = of_bars((120, 2), (0, 1), (180, 4))
    assert told([bars()], [two], arrivals, branch="E8.warm_up_to_gap") == [(1, "fail", 60, ["a"])]


def test_still_missing_says_nothing() -> None:
    both = node("n", reads("a"), reads("b"))
    arrivals = [*of_bars((60, 1)), *of_bars((60, 1), source="b"), *of_bars((0, 1))]
    assert told([bars(), bars("b")], [both], arrivals, branch="E8.still_no_value") == [
        (1, "skip", 0, ["a", "b"]),
        (1, "value", 60, 2),
    ]


def test_equal_bits_say_nothing() -> None:
    nodes = [node("n", reads("a"), function="count"), node("m", reads("n"))]
    arrivals = of_bars((0, 1), (0, 2))
    assert told([bars()], nodes, arrivals, branch="E8.equal_bits") == [(0, "value", 0, 1)]
    assert told([bars()], nodes, arrivals, of="m", branch="E8.equal_bits") == [(0, "value", 0, 1)]


def test_nan_and_nan_again_say_nothing() -> None:
    two = node("n", reads("a", rows=2), function="sum")
    emitted = told([bars()], [two], of_bars((0, 1), (60, float("nan")), (0, 2)), branch="E8.equal_nan")
    assert [one[:3] for one in emitted] == [(1, "value", 60)]


EMA = node("n", reads("a", rows=3), function="ema")


def test_a_replay_corrects_every_later_row_of_a_recursive_node() -> None:
    arrivals = of_bars((0, 0), (60, 0), (120, 0), (180, 0), (0, 32))
    assert told([bars()], [EMA], arrivals, branch="E8.scan_replayed")[2:] == [
        (4, "correction", 120, 0, 8, 1),
        (4, "correction", 180, 0, 4, 1),
    ]


def test_equal_outputs_prove_nothing_about_the_state() -> None:
    """The row at 180 answers NaN before and after, and the rows behind it still change."""
    nan = float("nan")
    arrivals = of_bars((0, 0), (60, 0), (120, 0), (180, nan), (240, 0), (60, 32))
    emitted = told([bars()], [EMA], arrivals, branch="E8.equal_nan")
    assert emitted[3:] == [(5, "correction", 120, 0, 8, 1), (5, "correction", 240, 0, 4, 1)]


def test_a_replay_ends_where_the_state_is_equal_again() -> None:
    highest = node("n", reads("a"), function="cummax")
    arrivals = of_bars((0, 1), (60, 2), (120, 8), (180, 3), (0, 4))
    assert told([bars()], [highest], arrivals, branch="E8.scan_equal_output")[4:] == [
        (4, "correction", 0, 1, 4, 1),
        (4, "correction", 60, 2, 4, 1),
    ]


RAISING = node("n", reads("a"), function="raise_if_ends_in_3")


def test_a_correction_that_raises_withdraws_the_value_and_halts() -> None:
    arrivals = of_bars((0, 1), (60, 2), (0, 3), (120, 4), (60, 5))
    assert told([bars()], [RAISING], arrivals, branch="E8.correction_raised") == [
        (0, "value", 0, 1),
        (1, "value", 60, 2),
        (2, "correction", 0, 1, None, 1),
    ]


def test_a_correction_that_raises_where_there_was_no_value_is_told_too() -> None:
    """Reading 17."""
    arrivals = of_bars((60, 2), (0, 3))
    assert told([bars()], [RAISING], arrivals, branch="E8.correction_raised") == [
        (0, "skip", 0, ["a"]),
        (0, "value", 60, 2),
        (1, "correction", 0, None, None, 1),
    ]


def test_a_change_that_no_closed_bucket_shows_moves_nothing() -> None:
    """`c` closes its own bucket; the buckets `n` closed before cannot see it."""
    both = node("n", reads("a"), reads("b", required=False))
    sources = [bars(), bars("b", 120, idle_timeout=1)]
    arrivals = [tick(1), event("a", 0, 1, at=1), event("a", 60, 2, at=2), event("b", 0, 0, at=3)]
    assert told(sources, [both], arrivals, branch="E8.nothing_moved") == [
        (1, "value", 0, 1),
        (2, "value", 60, 2),
    ]


def test_corrections_come_before_closing() -> None:
    """The late tick corrects; it also wakes its source, which alone decides now, and a bucket closes."""
    both = node(
        "n", reads("t", time=60, required=False), reads("u", time=60, required=False), all_idle="hold"
    )
    sources = [ticks(idle_timeout=10), ticks("u", idle_timeout=10)]
    arrivals = [event("t", 5, 1), event("t", 130, 1), event("u", 61, 2), tick(100), event("t", 6, 4, at=100)]
    assert told(sources, [both], arrivals, branch="E12.corrections_before_closing") == [
        (2, "value", 0, 1),
        (4, "correction", 0, 1, 5, 1),
        (4, "value", 60, 2),
    ]


def test_a_finished_source_leaves_its_table_as_it_is() -> None:
    result = judged([bars()], [node("n", reads("a"))], [*IN_ORDER, finished("a")], end=180)
    assert result["final_table"]["n"] == {0: 1, 60: 2, 120: 4}
