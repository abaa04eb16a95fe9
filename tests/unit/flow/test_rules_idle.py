"""E11: idleness."""

from __future__ import annotations

from typing import Any

from qmtl import ClockTick, StreamInput

from unit.flow.rules import holds
from unit.flow.sdk import SECOND, backtest, bar, table
from unit.oracle.told import bars, event, finished, node, reads, tick, ticks

T, U = ticks(idle_timeout=40), ticks("u", idle_timeout=40)
BOTH = node("n", reads("t", time=60), reads("u", time=60, required=False))


def at(source: str, ts: int, value: float, now: int) -> dict:
    return event(source, ts, value, at=now)


BEGIN = [at("u", 6, 10, 2), at("t", 5, 1, 3), at("t", 66, 2, 30)]


def test_e11_idle_from_the_timeout_on() -> None:
    """u arrived last at 2: at 41 it is silent for 39, at 42 for 40."""
    holds([T, U], [BOTH], [*BEGIN, tick(41)], n=[], watermark={"n": 6})
    holds([T, U], [BOTH], [*BEGIN, tick(42)], n=[(3, "value", 0, 11)], watermark={"n": 66})


def test_e11_only_a_clock_tick_decides() -> None:
    """An arrival at 500 says nothing about how long u has been silent."""
    holds([T, U], [BOTH], [*BEGIN, at("t", 130, 4, 500)], n=[], watermark={"n": 6})


def test_e11_without_a_timeout_a_source_is_never_idle() -> None:
    holds([T, ticks("u")], [BOTH], [*BEGIN, tick(100_000)], n=[], watermark={"n": 6})


def test_e11_idleness_belongs_to_the_source_so_all_its_readers_pass_it() -> None:
    nodes = [BOTH, node("m", reads("u", time=120, required=False), reads("t", time=120), interval=120)]
    arrivals = [*BEGIN, at("t", 120, 4, 31), tick(42)]
    holds([T, U], nodes, arrivals, n=[(4, "value", 0, 11), (4, "value", 60, 2)], m=[(4, "value", 0, 13)])


def test_e11_any_arrival_makes_it_active() -> None:
    """The watermark waits for u again: it stays at 66 though t is at 200."""
    arrivals = [*BEGIN, tick(42), at("u", 7, 20, 43), at("t", 200, 4, 44)]
    holds(
        [T, U],
        [BOTH],
        arrivals,
        n=[(3, "value", 0, 11), (4, "correction", 0, 11, 31, 1)],
        watermark={"n": 66},
    )


def test_e11_an_arrival_of_an_idle_source_in_time_at_its_closed_reader_corrects() -> None:
    """A tick is judged by the reader's watermark, so for it "late" and "closed" are the same."""
    late = U | {"on_late": "ignore"}
    arrivals = [*BEGIN, tick(42), at("u", 7, 20, 43)]
    holds([T, late], [BOTH], arrivals, n=[(3, "value", 0, 11), (4, "late", 7)])


def test_e11_a_duplicate_wakes_too() -> None:
    arrivals = [*BEGIN, tick(42), event("u", 6, 10, at=43), at("t", 200, 4, 44)]
    holds([T, U], [BOTH], arrivals, n=[(3, "value", 0, 11), (4, "duplicate", 6)], watermark={"n": 66})


def test_e11_a_node_whose_inputs_are_all_idle_is_idle_to_its_readers() -> None:
    nodes = [node("m", reads("u", time=60)), node("n", reads("m", required=False), reads("t", time=60))]
    holds([T, U], nodes, [*BEGIN, tick(42)], m=[], n=[(3, "value", 0, 1)], watermark={"n": 66})


def test_e11_all_idle_flush_moves_to_the_largest_frontier() -> None:
    holds([T, U], [BOTH], [*BEGIN, at("u", 125, 4, 31), tick(100)],
          n=[(3, "value", 0, 11), (4, "value", 60, 2)], watermark={"n": 125})  # fmt: skip


def test_e11_flush_takes_each_frontier_less_its_lateness() -> None:
    sources = [T, U | {"lateness": 50}]
    holds(sources, [BOTH], [*BEGIN, at("u", 115, 4, 31), tick(100)], watermark={"n": 66})
    holds(sources, [BOTH], [*BEGIN, at("u", 125, 4, 31), tick(100)], watermark={"n": 75})


def test_e11_flush_does_not_depend_on_the_order_of_falling_idle() -> None:
    """u, the leader, falls idle first; then t. Or both at once."""
    arrivals = [at("u", 125, 4, 1), at("t", 66, 2, 30)]
    for clock in ([tick(41), tick(70)], [tick(70)]):
        holds([T, U], [BOTH], [*arrivals, *clock], watermark={"n": 125},
              table={"n": {0: "gap", 60: 2}})  # fmt: skip


def test_e11_all_idle_hold_stays() -> None:
    held = BOTH | {"all_idle": "hold"}
    holds([T, U], [held], [*BEGIN, tick(100)], n=[], watermark={"n": 6})


def test_e11_hold_goes_on_when_one_wakes() -> None:
    """t alone is active then: u is not waited for."""
    held = BOTH | {"all_idle": "hold"}
    arrivals = [*BEGIN, tick(100), at("t", 67, 4, 101)]
    holds([T, U], [held], arrivals, n=[(4, "value", 0, 11)], watermark={"n": 67})


def test_e11_an_idle_bar_stream_is_idle_to_its_readers() -> None:
    both = node("n", reads("a"), reads("b", required=False))
    arrivals = [at("a", 0, 1, 5), tick(10)]
    holds([bars(), bars("b", idle_timeout=10)], [both], arrivals, n=[(1, "value", 0, 1)])


def test_e11_idle_is_not_plus_infinity() -> None:
    """All sources idle: nothing closes beyond what was seen."""
    one = node("n", reads("a"))
    holds([bars(idle_timeout=10)], [one], [at("a", 0, 1, 5), tick(1000)], end=600,
          n=[(0, "value", 0, 1)], watermark={"a": 60, "n": 60})  # fmt: skip


def test_e11_flush_lets_a_bar_stream_close_what_its_lateness_held_back_only_to_frontier_less_l() -> None:
    """One source, L = 60: frontier 120 − 60. There is nothing larger, so idleness closes nothing more."""
    one = node("n", reads("a"))
    arrivals = [at("a", 0, 1, 1), at("a", 60, 2, 2), tick(100)]
    holds([bars(idle_timeout=10, lateness=60)], [one], arrivals, n=[(1, "value", 0, 1)], watermark={"a": 60})


def test_e11_a_finished_source_beside_an_idle_one_closes_everything() -> None:
    arrivals = [*BEGIN, finished("t"), tick(100)]
    holds([T, U], [BOTH], arrivals, end=180,
          n=[(4, "value", 0, 11), (4, "value", 60, 2), (4, "skip", 120, ["t"])])  # fmt: skip


def test_e11_in_a_backtest_the_clock_is_a_feed_s_clock_ticks() -> None:
    def sum_of_both() -> dict[str, Any]:
        a = StreamInput("A", interval="1m", fields=("close",))
        b = StreamInput("B", interval="1m", fields=("close",), idle_timeout="30s")
        return {"out": a.close + b.close}

    items = [bar(0, 1), bar(0, 2, "B"), bar(60, 4), bar(120, 8)]
    quiet = backtest(sum_of_both, items, finished=False)
    assert quiet.watermark("out") == 60 * SECOND
    idle = backtest(sum_of_both, [*items, ClockTick(180 * SECOND)], finished=False)
    assert idle.watermark("out") == 180 * SECOND
    assert table(idle)[0] == 3 and table(idle)[60] != table(idle)[60]
    after = backtest(sum_of_both, [*items, ClockTick(500 * SECOND)], finished=False)
    assert after.watermark("out") == 180 * SECOND  # a tick after the last bar's end counts too
