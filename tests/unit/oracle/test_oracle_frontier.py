"""E1 to E4: buckets, frontiers, watermarks and closing."""

from __future__ import annotations

from told import bars, event, finished, judged, node, reads, tick, ticks, told

SUM = node("n", reads("t", time=60))


def test_a_negative_time_belongs_to_the_bucket_below_it() -> None:
    source = ticks(origin=-120)
    assert told([source], [SUM], [event("t", -1, 2), event("t", 0, 1)], branch="E1.negative_time") == [
        (0, "skip", -120, ["t"]),
        (1, "value", -60, 2),
    ]


def test_a_bucket_before_1970_gets_its_value() -> None:
    source = ticks(origin=-60)
    assert told([source], [SUM], [event("t", -60, 3), event("t", 5, 1)], branch="E1.negative_bucket") == [
        (1, "value", -60, 3)
    ]


def test_an_input_that_has_seen_nothing_holds_everything_back() -> None:
    both = node("n", reads("t", time=60), reads("u", time=60))
    arrivals = [event("t", 500, 1)]
    assert told([ticks(), ticks("u")], [both], arrivals, branch="E2.nothing_seen") == []
    assert judged([ticks(), ticks("u")], [both], arrivals)["final_watermark"]["n"] is None


def test_the_frontier_of_ticks_is_the_largest_time_seen() -> None:
    arrivals = [event("t", 5, 1), event("t", 70, 2), event("t", 61, 4)]
    assert told([ticks()], [SUM], arrivals, branch="E2.ticks") == [(1, "value", 0, 1)]
    assert judged([ticks()], [SUM], arrivals)["final_watermark"]["n"] == 70


def test_the_frontier_of_bars_is_their_largest_end() -> None:
    result = judged([bars()], [node("n", reads("a"))], [event("a", 0, 1), event("a", 120, 4)])
    assert result["final_watermark"] == {"a": 180, "n": 180}


def test_the_frontier_of_a_node_is_the_end_of_its_last_bucket_whatever_came_of_it() -> None:
    """Both buckets of `n` are warm-up, and its reader closes its own all the same."""
    nodes = [node("n", reads("a", rows=3)), node("m", reads("n", required=False), reads("a"))]
    result = judged([bars()], nodes, [event("a", 0, 1), event("a", 60, 2)])
    assert result["final_watermark"]["m"] == 120
    assert result["final_table"]["m"] == {0: 1, 60: 2}


def test_a_source_that_has_ended_closes_every_bucket_up_to_the_end_of_the_run() -> None:
    arrivals = [event("t", 5, 1), finished("t")]
    assert told([ticks()], [SUM], arrivals, end=185, branch="E2.finished") == [
        (1, "value", 0, 1),
        (1, "skip", 60, ["t"]),
        (1, "skip", 120, ["t"]),
    ]


def test_one_source_that_has_ended_no_longer_holds_back_the_other() -> None:
    both = node("n", reads("t", time=60), reads("u", time=60))
    arrivals = [event("t", 5, 1), event("u", 6, 2), finished("u"), event("t", 60, 1)]
    assert told([ticks(), ticks("u")], [both], arrivals, end=600, branch="E2.finished") == [
        (3, "value", 0, 3)
    ]


def test_bars_that_end_after_the_end_of_the_run_do_not_close() -> None:
    arrivals = [event("a", 0, 1), event("a", 60, 2), event("a", 120, 4)]
    result = judged([bars()], [node("n", reads("a"))], arrivals, end=130)
    assert result["final_table"] == {"a": {0: 1, 60: 2}, "n": {0: 1, 60: 2}}
    assert result["final_watermark"] == {"a": 180, "n": 120}


FINE_AND_COARSE = [bars(), bars("b", 300, origin=None)]
MIXED = [event("b", -300, 100), event("a", 0, 1), event("a", 240, 2), event("b", 0, 200)]


def test_a_fine_node_does_not_wait_for_the_next_coarse_bar() -> None:
    fine = node("n", reads("a", required=False), reads("b"))
    assert told(FINE_AND_COARSE, [fine], MIXED[:2], branch="E2.structural") == [(1, "value", 0, 101)]


def test_structural_waits_for_the_coarse_bar_that_ends_with_the_bucket() -> None:
    fine = node("n", reads("a", required=False), reads("b"))
    steps = [one[:3] for one in told(FINE_AND_COARSE, [fine], MIXED, branch="E2.structural")]
    assert steps == [(1, "value", 0), *[(2, "value", b) for b in (60, 120, 180)], (3, "value", 240)]


def test_a_strict_coarse_frontier_is_waited_for() -> None:
    fine = node("n", reads("a", required=False), reads("b"), coarse_frontier="strict")
    steps = [one[:3] for one in told(FINE_AND_COARSE, [fine], MIXED, branch="E2.strict")]
    assert steps == [(3, "value", b) for b in (0, 60, 120, 180, 240)]


def test_before_its_first_coarse_bucket_ends_a_fine_node_goes_on() -> None:
    """Reading 11: `c` closed nothing that could be recorded, and still its frontier is known."""
    nodes = [node("c", reads("a", rows=1), interval=300), node("n", reads("a"), reads("c", required=False))]
    assert told([bars()], nodes, [event("a", 0, 1)], branch="E2.structural") == [(0, "value", 0, 1)]


def test_lateness_of_bars_delays_their_own_watermark_once() -> None:
    arrivals = [event("a", ts, 1) for ts in (0, 60, 120)]
    source = bars(lateness=60)
    assert told([source], [node("n", reads("a"))], arrivals, branch="E3.lateness_of_bars") == [
        (1, "value", 0, 1),
        (2, "value", 60, 1),
    ]


def test_lateness_of_ticks_delays_the_node_that_reads_them() -> None:
    arrivals = [event("t", 5, 1), event("t", 80, 2), event("t", 90, 4)]
    assert told([ticks(lateness=30)], [SUM], arrivals, branch="E3.lateness_of_ticks") == [(2, "value", 0, 1)]


def test_the_slowest_active_input_decides() -> None:
    both = node("n", reads("t", time=60), reads("u", time=60))
    arrivals = [event("t", 5, 1), event("t", 500, 2), event("u", 6, 10), event("u", 61, 20)]
    assert told([ticks(), ticks("u")], [both], arrivals, branch="E3.slowest_decides") == [(3, "value", 0, 11)]


def test_the_watermark_does_not_go_back_when_a_slow_source_wakes() -> None:
    both = node("n", reads("t", time=60), reads("u", time=60, required=False))
    sources = [ticks(), ticks("u", idle_timeout=10)]
    arrivals = [event("t", 5, 1, at=1), tick(10), event("t", 130, 2, at=11), event("u", 3, 10, at=12)]
    result = judged(sources, [both], arrivals)
    assert result["branches"]["E3.never_back"]
    assert result["final_watermark"]["n"] == 130


def test_equality_closes() -> None:
    assert told([ticks()], [SUM], [event("t", 5, 1), event("t", 60, 2)], branch="E4.equality_closes") == [
        (1, "value", 0, 1)
    ]


def test_a_watermark_within_a_bucket_closes_those_before_it() -> None:
    assert told([ticks()], [SUM], [event("t", 5, 1), event("t", 61, 2)], branch="E4.past_the_end") == [
        (1, "value", 0, 1)
    ]


def test_several_buckets_close_in_ascending_order() -> None:
    arrivals = [event("t", 5, 1), event("t", 180, 2)]
    assert told([ticks()], [SUM], arrivals, branch="E4.several_ascending") == [
        (1, "value", 0, 1),
        (1, "skip", 60, ["t"]),
        (1, "skip", 120, ["t"]),
    ]
