"""E11: idleness is decided at clock ticks, and only there."""

from __future__ import annotations

from told import bars, event, finished, judged, node, reads, tick, ticks, told

SOURCES = [ticks(idle_timeout=40), ticks("u", idle_timeout=40)]
BOTH = node("n", reads("t", time=60), reads("u", time=60, required=False))
BEGIN = [event("u", 6, 10, at=2), event("t", 5, 1, at=1), event("t", 66, 2, at=30)]


def test_silent_for_the_timeout_is_idle_at_the_next_tick() -> None:
    assert told(SOURCES, [BOTH], [*BEGIN, tick(42)], branch="E11.idle") == [(3, "value", 0, 11)]


def test_silent_for_less_is_not_idle() -> None:
    assert told(SOURCES, [BOTH], [*BEGIN, tick(41)], branch="E11.not_yet_idle") == []


def test_the_time_of_an_arrival_makes_nobody_idle() -> None:
    assert told(SOURCES, [BOTH], [*BEGIN, event("t", 130, 1, at=500)], branch="E2.ticks") == []


def test_the_watermark_passes_the_frontier_of_an_idle_input() -> None:
    arrivals = [*BEGIN, tick(42), event("t", 130, 2, at=43)]
    assert told(SOURCES, [BOTH], arrivals, branch="E11.idle_is_not_waited_for") == [
        (3, "value", 0, 11),
        (4, "value", 60, 2),
    ]


def test_an_arrival_makes_its_source_active_and_waited_for() -> None:
    arrivals = [*BEGIN, tick(42), event("u", 70, 1, at=43), event("t", 200, 2, at=43)]
    assert told(SOURCES, [BOTH], arrivals, branch="E11.active_again") == [(3, "value", 0, 11)]


def test_a_source_without_a_timeout_is_never_idle() -> None:
    sources = [ticks(), ticks("u")]
    assert judged(sources, [BOTH], [*BEGIN, tick(10_000)])["final_watermark"]["n"] == 6


def test_a_source_that_never_spoke_arrived_last_at_0() -> None:
    assert told(SOURCES, [BOTH], [event("t", 66, 1, at=39), tick(40)], branch="E11.idle") == [
        (1, "skip", 0, ["t"])
    ]


def test_flush_moves_to_the_largest_frontier() -> None:
    assert told(SOURCES, [BOTH], [*BEGIN, tick(100)], branch="E11.flush") == [(3, "value", 0, 11)]


def test_flush_does_not_depend_on_the_order_of_falling_idle() -> None:
    arrivals = [event("t", 66, 1, at=1), event("u", 125, 2, at=30)]
    one = judged(SOURCES, [BOTH], [*arrivals, tick(41), tick(70)])
    other = judged(SOURCES, [BOTH], [*arrivals, tick(70)])
    assert one["final_watermark"]["n"] == other["final_watermark"]["n"] == 125


def test_hold_stays_where_it_is() -> None:
    held = BOTH | {"all_idle": "hold"}
    assert told(SOURCES, [held], [*BEGIN, tick(100)], branch="E11.hold") == []


def test_a_node_whose_inputs_are_all_idle_is_idle_to_its_readers() -> None:
    nodes = [node("m", reads("u", time=60)), node("n", reads("m", required=False), reads("t", time=60))]
    assert told(SOURCES, nodes, [*BEGIN, tick(42)], branch="E11.idle_is_not_waited_for") == [
        (3, "value", 0, 1)
    ]


def test_an_idle_bar_stream_is_idle_to_its_readers() -> None:
    both = node("n", reads("a"), reads("b", required=False))
    sources = [bars(), bars("b", idle_timeout=10)]
    arrivals = [event("a", 0, 1, at=5), tick(10)]
    assert told(sources, [both], arrivals, branch="E11.idle") == [(1, "value", 0, 1)]


def test_a_finished_source_is_not_idle_and_not_waited_for() -> None:
    """Reading 23: beside idle inputs only, its end closes everything."""
    arrivals = [*BEGIN, finished("t"), tick(100)]
    assert told(SOURCES, [BOTH], arrivals, end=120, branch="E11.idle") == [
        (4, "value", 0, 11),
        (4, "value", 60, 2),
    ]
