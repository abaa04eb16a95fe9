"""E15: the final table is a function of the set of events."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from qmtl import StreamInput
from qmtl.testing.differential import told
from qmtl.testing.oracle import run

from unit.flow.rules import WAYS, same
from unit.flow.sdk import backtest, bar, table
from unit.oracle.told import bars, event, finished, node, reads, ticks

NODES = [
    node("n", reads("a", rows=2)),
    node("c", reads("a", rows=2), reads("t", time=120, required=False), interval=120),
    node("m", reads("n"), reads("c", required=False)),
]
SOURCES = [bars(), ticks(identity="event_id")]
EVENTS = [
    event("a", 0, 1),
    event("a", 60, 2),
    event("a", 180, 8),
    event("t", 61, 16, event_id="x"),
    event("t", 130, 32, event_id="y"),
]
# n: 1 + 2, a gap, 2 + 8. c: 1 + 2 + 16, 2 + 8 + 32. m: n and the latest c that has ended.
TABLE = {
    "n": {60: 3, 120: "gap", 180: 10},
    "c": {0: 19, 120: 42},
    "m": {60: 22, 120: "gap", 180: 52},
}
NAMES = ("sma", "ema", "std")
ENDS = [finished("a"), finished("t")]


def case(arrivals: list[dict[str, Any]], sources: list[dict[str, Any]] = SOURCES) -> dict[str, Any]:
    return {"id": "case", "sources": sources, "nodes": NODES, "arrivals": arrivals, "end": 240}


def assert_table(result: dict[str, Any], what: str) -> None:
    for name, expected in TABLE.items():
        same(result["final_table"][name], expected, f"{what}: {name}")


def test_e15_whatever_the_order_of_arrival() -> None:
    for order in permutations(EVENTS):
        for way in (run, told):
            assert_table(way(case([*order, *ENDS])), str([one["event_ts"] for one in order]))


def test_e15_whatever_the_batching() -> None:
    late = [EVENTS[n] for n in (4, 2, 0, 3, 1)]
    arrivals = [*late, *ENDS]
    for mask in range(1 << (len(arrivals) - 1)):
        cuts = [n + 1 for n in range(len(arrivals) - 1) if mask >> n & 1]
        assert_table(told(case(arrivals), cuts), f"cut at {cuts}")
        assert_table(told(case(arrivals), cuts, compiled=True), f"cut at {cuts}, compiled")


def test_e15_whatever_the_lateness() -> None:
    late = [EVENTS[n] for n in (4, 2, 0, 3, 1)]
    for lateness in (0, 1, 60, 119, 10_000):
        sources = [one | {"lateness": lateness} for one in SOURCES]
        for way, judge in WAYS.items():
            assert_table(judge(case([*late, *ENDS], sources)), f"L = {lateness}, {way}")


def test_e15_of_one_identity_the_revisions_keep_their_own_order() -> None:
    revised = [EVENTS[0], event("a", 60, 5), *EVENTS[2:]]
    after = event("a", 60, 2)
    for order in permutations(revised):
        at = order.index(revised[1])
        for place in range(at + 1, len(order) + 1):
            arrivals = [*order[:place], after, *order[place:]]
            assert_table(told(case([*arrivals, *ENDS])), str([one["event_ts"] for one in arrivals]))


def test_e15_versions_and_steps_may_differ() -> None:
    in_order = told(case([*EVENTS[:3], *EVENTS[3:], *ENDS]))["emissions"]["n"]
    late = told(case([*EVENTS[1:], EVENTS[0], *ENDS]))["emissions"]["n"]
    assert in_order != late


def test_e15_the_times_of_arrival_play_no_part() -> None:
    for clock in (0, -3600, 3600):
        arrivals = [one | {"at": clock + n} for n, one in enumerate(EVENTS)]
        for way, judge in WAYS.items():
            assert_table(judge(case([*arrivals, *ENDS])), f"{clock}, {way}")


def test_e15_through_the_sdk() -> None:
    def outputs() -> dict[str, Any]:
        close = StreamInput("A", interval="1m", fields=("close",)).close
        return {"sma": close.sma(2), "ema": close.ema(3), "std": close.std(3)}

    prices = [(0, 101.25), (60, 99.75), (120, 100.5), (240, 104.125), (300, 103.0)]
    expected = {name: table(backtest(outputs, [bar(*one) for one in prices]), name) for name in NAMES}
    for order in permutations(prices):
        shuffled = backtest(outputs, [bar(*one) for one in order])
        for name, values in expected.items():
            same(table(shuffled, name), values, f"{name} in order {[ts for ts, _ in order]}")
