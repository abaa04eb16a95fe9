"""E6: presence, completeness, gaps, failures and halts."""

from __future__ import annotations

from unit.flow.rules import holds
from unit.oracle.told import bars, event, finished, node, reads, ticks

RESUME = {"resume": "n"}


def of_bars(*pairs: tuple[int, float | None], source: str = "a") -> list[dict]:
    return [event(source, ts, value) for ts, value in pairs]


def of_ticks(*pairs: tuple[int, float | None]) -> list[dict]:
    return of_bars(*pairs, source="t")


def test_e6_own_interval_is_present_with_its_value_at_the_bucket() -> None:
    both = node("n", reads("a"), reads("b"))
    arrivals = [*of_bars((0, 10), (120, 30), source="b"), *of_bars((0, 1), (60, 2), (120, 4))]
    holds(
        [bars(), bars("b")],
        [both],
        arrivals,
        n=[(2, "value", 0, 11), (3, "skip", 60, ["b"]), (4, "value", 120, 34)],
    )


def test_e6_finer_is_present_with_one_event_in_the_bucket() -> None:
    coarse = node("n", reads("a", rows=1), interval=180)
    holds(
        [bars()],
        [coarse],
        of_bars((60, 1), (480, 2), (600, 4), (720, 8), (780, 16)),
        n=[(1, "value", 0, 1), (1, "skip", 180, ["a"]), (1, "value", 360, 2), (3, "value", 540, 4)],
    )


def test_e6_ticks_are_present_with_one_event_in_the_bucket_not_in_the_window() -> None:
    two = node("n", reads("t", time=120))
    holds([ticks()], [two], of_ticks((5, 1), (65, 2), (185, 4), (240, 8)),
          n=[(2, "value", 60, 3), (2, "skip", 120, ["t"]), (3, "value", 180, 4)])  # fmt: skip


def test_e6_coarser_is_present_with_any_bar_ended_by_then() -> None:
    """However long ago: the bar of 0 is still there at 240 though that of 120 never came."""
    fine = node("n", reads("a"), reads("c"))
    arrivals = [*of_bars((0, 10), (240, 30), source="c"), *of_bars((0, 1), (60, 2), (120, 4), (180, 8))]
    holds(
        [bars(), bars("c", 120)],
        [fine],
        arrivals,
        n=[(2, "skip", 0, ["c"]), (3, "value", 60, 12), (4, "value", 120, 14), (5, "value", 180, 18)],
    )


def test_e6_complete_is_false_unless_asked_for() -> None:
    holds([bars()], [node("n", reads("a"), interval=120)], of_bars((0, 1), (180, 2)),
          n=[(1, "value", 0, 1), (1, "value", 120, 2)])  # fmt: skip


def test_e6_complete_by_rows_is_every_sub_bar_of_the_bucket() -> None:
    """Three rows of which one lies in the bucket before: that one's neighbour may be missing."""
    coarse = node("n", reads("a", rows=3, complete=True), interval=120)
    holds(
        [bars()],
        [coarse],
        of_bars((60, 2), (120, 4), (180, 8), (240, 16)),
        n=[(2, "value", 120, 14)],
    )
    holds([bars()], [coarse], of_bars((0, 1), (60, 2), (120, 4), (240, 16), (300, 32)),
          n=[(3, "skip", 120, ["a"]), (4, "value", 240, 52)])  # fmt: skip


def test_e6_complete_by_time_is_every_sub_bar_of_every_bucket_of_the_window() -> None:
    coarse = node("n", reads("a", time=240, complete=True), interval=120)
    holds(
        [bars()],
        [coarse],
        of_bars((60, 2), (120, 4), (180, 8), (240, 16), (300, 32)),
        n=[(2, "skip", 120, ["a"]), (4, "value", 240, 60)],
    )


def test_e6_complete_ticks_are_at_least_one_in_every_bucket_of_the_window() -> None:
    two = node("n", reads("t", time=120, complete=True))
    holds(
        [ticks()],
        [two],
        of_ticks((5, 1), (65, 2), (130, 4), (250, 8), (310, 16), (360, 32)),
        n=[
            (2, "value", 60, 3),
            (3, "value", 120, 6),
            (3, "skip", 180, ["t"]),
            (4, "skip", 240, ["t"]),
            (5, "value", 300, 24),
        ],
    )


def test_e6_skip_records_a_gap_marker_without_value() -> None:
    holds([bars()], [node("n", reads("a"))], of_bars((0, 1), (120, 4)),
          n=[(0, "value", 0, 1), (1, "skip", 60, ["a"]), (1, "value", 120, 4)],
          table={"n": {0: 1, 60: "gap", 120: 4}})  # fmt: skip


def test_e6_a_gap_names_every_required_input_that_is_missing() -> None:
    three = node("n", reads("a"), reads("b"), reads("c", required=False))
    arrivals = [*of_bars((60, 1), source="b"), *of_bars((60, 1), source="c"), *of_bars((60, 1))]
    holds(
        [bars(), bars("b"), bars("c")],
        [three],
        arrivals,
        n=[(2, "skip", 0, ["a", "b"]), (2, "value", 60, 3)],
    )


FAILING = node("n", reads("a"), on_missing="fail")


def test_e6_fail_records_a_marker_and_the_later_buckets_close_without_record() -> None:
    reader = node("m", reads("n", required=False), reads("a", required=False))
    holds(
        [bars()],
        [FAILING, reader],
        of_bars((0, 1), (120, 4), (180, 8)),
        n=[(0, "value", 0, 1), (1, "fail", 60, ["a"])],
        m=[(0, "value", 0, 2), (1, "skip", 60, ["n", "a"]), (1, "value", 120, 4), (2, "value", 180, 8)],
        table={"n": {0: 1, 60: "gap"}},
        watermark={"n": 240, "m": 240},
    )


def test_e6_a_halted_node_tells_nothing_whatever_comes() -> None:
    """The bar that was missing, and a revision of the one before."""
    arrivals = of_bars((0, 1), (120, 4), (60, 2), (0, 16))
    holds([bars()], [FAILING], arrivals, n=[(0, "value", 0, 1), (1, "fail", 60, ["a"])])


def test_e6_resuming_corrects_the_marker_and_emits_version_0_of_the_later_ones() -> None:
    arrivals = [*of_bars((0, 1), (120, 4), (60, 2), (180, 8)), RESUME, *of_bars((240, 16))]
    holds(
        [bars()],
        [FAILING],
        arrivals,
        n=[
            (0, "value", 0, 1),
            (1, "fail", 60, ["a"]),
            (4, "correction", 60, None, 2, 1),
            (4, "value", 120, 4),
            (4, "value", 180, 8),
            (5, "value", 240, 16),
        ],
    )


def test_e6_resuming_catches_up_on_corrections_that_came_meanwhile() -> None:
    arrivals = [*of_bars((0, 1), (120, 4), (0, 16), (60, 2)), RESUME]
    holds(
        [bars()],
        [FAILING],
        arrivals,
        n=[
            (0, "value", 0, 1),
            (1, "fail", 60, ["a"]),
            (4, "correction", 0, 1, 16, 1),
            (4, "correction", 60, None, 2, 1),
            (4, "value", 120, 4),
        ],
    )


def test_e6_resuming_a_node_that_has_not_halted_changes_nothing() -> None:
    holds([bars()], [FAILING], [*of_bars((0, 1)), RESUME, *of_bars((60, 2))],
          n=[(0, "value", 0, 1), (2, "value", 60, 2)])  # fmt: skip


def test_e6_a_function_that_raises_halts_its_node_too() -> None:
    raises = node("n", reads("a"), function="raise_if_ends_in_3")
    arrivals = [*of_bars((0, 1), (60, 3), (120, 4), (60, 2)), RESUME]
    holds(
        [bars()],
        [raises],
        arrivals,
        n=[
            (0, "value", 0, 1),
            (1, "fail", 60, []),
            (4, "correction", 60, None, 2, 1),
            (4, "value", 120, 4),
        ],
    )


def test_e6_a_node_that_halts_does_not_halt_its_readers() -> None:
    nodes = [FAILING, node("m", reads("n"))]
    arrivals = [*of_bars((0, 1), (120, 4), (60, 2)), RESUME]
    holds(
        [bars()],
        nodes,
        arrivals,
        m=[
            (0, "value", 0, 1),
            (1, "skip", 60, ["n"]),
            (1, "skip", 120, ["n"]),
            (3, "correction", 60, None, 2, 1),
            (3, "correction", 120, None, 4, 1),
        ],
    )


def test_e6_an_optional_input_may_be_empty() -> None:
    both = node("n", reads("a"), reads("b", required=False), on_missing="fail")
    arrivals = [*of_bars((60, 20), source="b"), *of_bars((0, 1), (60, 2))]
    holds([bars(), bars("b")], [both], arrivals, n=[(1, "value", 0, 1), (2, "value", 60, 22)])


def test_e6_a_bucket_at_which_no_input_is_present_is_always_a_gap() -> None:
    both = node("n", reads("a", required=False), reads("b", required=False), on_missing="fail")
    arrivals = [*of_bars((60, 20), source="b"), *of_bars((60, 2))]
    holds([bars(), bars("b")], [both], arrivals, n=[(1, "skip", 0, ["a", "b"]), (1, "value", 60, 22)])


def test_e6_an_entry_of_bars_records_no_gaps() -> None:
    arrivals = [*of_bars((0, 1), (120, 4)), finished("a")]
    holds(
        [bars()],
        [node("n", reads("a"))],
        arrivals,
        end=240,
        a=[(0, "value", 0, 1), (1, "value", 120, 4)],
        n=[(0, "value", 0, 1), (1, "skip", 60, ["a"]), (1, "value", 120, 4), (2, "skip", 180, ["a"])],
        table={"a": {0: 1, 120: 4}},
    )


def test_e6_nan_is_a_value_and_present() -> None:
    holds([bars()], [node("n", reads("a"), function="count")], of_bars((0, None), (60, 2)),
          n=[(0, "value", 0, 0), (1, "value", 60, 1)])  # fmt: skip
