"""E9, E10, E13 and E14: allowed lateness, origins, the future guard and conservation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qmtl import ClockTick, Event, Node, StreamInput
from qmtl.core.graph import ir

from unit.flow.rules import holds
from unit.flow.sdk import SECOND, backtest, bar, ledger, table
from unit.oracle.told import bars, event, node, reads, tick, ticks

SUM = node("n", reads("t", time=60))
BAR = node("n", reads("a"))


def of_bars(*pairs: tuple[int, float | None], source: str = "a") -> list[dict]:
    return [event(source, ts, value) for ts, value in pairs]


def of_ticks(*pairs: tuple[int, float | None]) -> list[dict]:
    return of_bars(*pairs, source="t")


def test_e9_too_late_from_closing_point_plus_h_on() -> None:
    """The bar of 0 ends at 60: with H = 60 it is too late once wm is 120, not at 119."""
    arrivals = of_bars((0, 1), (60, 2), (0, 4))
    told = [(0, "value", 0, 1), (1, "value", 60, 2)]
    holds([bars(allowed_lateness=60)], [BAR], arrivals, a=[*told, (2, "too_late", 0)], n=told)
    corrected = [*told, (2, "correction", 0, 1, 4, 1)]
    holds([bars(allowed_lateness=61)], [BAR], arrivals, a=corrected, n=corrected)


def test_e9_of_ticks_the_closing_point_is_the_end_of_the_readers_bucket() -> None:
    nodes = [SUM, node("m", reads("t", time=300), interval=300)]
    holds(
        [ticks(allowed_lateness=100)],
        nodes,
        of_ticks((5, 1), (300, 2), (6, 4)),
        counters={
            "t>n": {"arrivals": 3, "used": 2, "too_late": 1},
            "t>m": {"arrivals": 3, "used": 3},
        },
    )


@pytest.mark.parametrize(("on_late", "fate"), [("ignore", "late_dropped"), ("side_output", "side_output")])
def test_e9_ignore_and_side_output_take_every_late_event_whatever_h(on_late: str, fate: str) -> None:
    arrivals = of_bars((0, 1), (6000, 2), (0, 4))
    source = bars(on_late=on_late, allowed_lateness=0)
    holds([source], [BAR], arrivals, counters={"a": {"arrivals": 3, "used": 2, fate: 1}})


def test_e9_h_is_unbounded_unless_given() -> None:
    holds([bars()], [BAR], of_bars((0, 1), (6000, 2), (0, 4)), counters={"a": {"arrivals": 3, "used": 3}})


def test_e9_h_bounds_corrections_at_the_entry_only() -> None:
    """b's bar is in time at its own entry; n closed 600 seconds ago and is corrected all the same."""
    both = node("n", reads("a"), reads("b", required=False))
    arrivals = [
        tick(10),
        *[event("a", ts, 1, at=10) for ts in range(0, 660, 60)],
        event("b", 0, 8, at=11),
    ]
    told = [(1 + bucket // 60, "value", bucket, 1) for bucket in range(0, 660, 60)]
    holds(
        [bars(), bars("b", idle_timeout=10, allowed_lateness=0)],
        [both],
        arrivals,
        n=[*told, (12, "correction", 0, 1, 9, 1)],
    )


def test_e9_l_delays_the_watermark() -> None:
    """A bar that comes k = 1 bars late is waited for with L > k·I, not with L = I."""
    arrivals = of_bars((0, 1), (120, 4), (60, 2), (180, 8), (240, 16))
    waited = [(1, "value", 0, 1), (3, "value", 60, 2), (4, "value", 120, 4)]
    holds([bars(lateness=120)], [BAR], arrivals, n=waited)
    holds([bars(lateness=60, on_late="ignore")], [BAR], arrivals,
          counters={"a": {"arrivals": 5, "used": 4, "late_dropped": 1}})  # fmt: skip


SETTINGS: dict[str, Callable[[StreamInput], Any]] = {
    "lateness": lambda _: StreamInput("A", interval="1m", lateness="1s").close.sma(2),
    "allowed_lateness": lambda _: StreamInput("A", interval="1m", allowed_lateness="1s").close.sma(2),
    "on_late": lambda _: StreamInput("A", interval="1m", on_late="ignore").close.sma(2),
    "idle_timeout": lambda _: StreamInput("A", interval="1m", idle_timeout="1s").close.sma(2),
    "required": lambda stream: _summed(stream.window(2, required=False)),
    "complete": lambda stream: _summed(stream.window(2, complete=True)),
    "on_missing": lambda stream: _summed(stream.window(2), on_missing="fail"),
}


def _summed(window: Any, **settings: Any) -> Any:
    return Node(total, inputs={"a": window}, outputs=("total",), **settings)


def total(view: Any) -> float:
    return float(view.a["close"].sum())


def spread(view: Any) -> float:
    return float(view.a["price"].max() - view.a["price"].min())


@pytest.mark.parametrize("setting", SETTINGS)
def test_e9_every_setting_is_part_of_the_node_s_identity(setting: str) -> None:
    stream = StreamInput("A", interval="1m")
    function = setting in ("required", "complete", "on_missing")
    default = _summed(stream.window(2)) if function else stream.close.sma(2)
    assert SETTINGS[setting](stream).lanes.node.node_id != default.lanes.node.node_id


def test_e9_the_defaults() -> None:
    stream = StreamInput("A", interval="1m")
    settings = stream.lanes.event_time
    assert (settings.lateness_ns, settings.allowed_lateness_ns) == (0, None)
    assert settings.on_late is ir.OnLate.RECOMPUTE
    made = _summed(stream.window(2)).lanes.node
    assert made.closing.on_missing is ir.OnMissing.SKIP
    assert (made.edges[0].required, made.edges[0].complete) == (True, False)


def test_e10_a_late_event_advances_its_own_frontier_never_backwards() -> None:
    """With L = 0 a late bar lies behind the frontier: 180 stays."""
    holds([bars()], [BAR], of_bars((120, 4), (0, 1)), watermark={"a": 180, "n": 180})


def test_e10_a_refused_event_makes_its_source_active() -> None:
    """u wakes with an event that is dropped as late, and is waited for again: n stays at u's frontier."""
    both = node("n", reads("t", time=60), reads("u", time=60, required=False))
    arrivals = [
        event("u", 70, 1, at=0),
        tick(10),
        event("t", 130, 1, at=10),
        event("u", 2, 1, at=11),
        event("t", 200, 1, at=12),
    ]
    holds(
        [ticks(), ticks("u", idle_timeout=10, on_late="ignore")],
        [both],
        arrivals,
        n=[(2, "skip", 0, ["t"]), (2, "skip", 60, ["t"]), (3, "late", 2)],
        watermark={"n": 130},
    )


def test_e10_before_the_origin_is_dropped_and_counted() -> None:
    holds(
        [bars(origin=60)],
        [BAR],
        of_bars((0, 1), (60, 2)),
        a=[(0, "before_origin", 0), (1, "value", 60, 2)],
        n=[(1, "value", 60, 2)],
        counters={"a": {"arrivals": 2, "used": 1, "before_origin": 1}},
    )


def closes(interval: str = "1m", **settings: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"out": StreamInput("A", interval=interval, fields=("close",), **settings).close * 1}


def test_e10_a_backtest_s_origin_is_its_earliest_data() -> None:
    """Not the first to arrive: the bar of 0 arrives second, is late, and is used."""
    run = backtest(closes(), [bar(60, 2), bar(0, 1), bar(120, 4)])
    assert table(run) == {0: 1, 60: 2, 120: 4}
    assert run.counters["A"]["before_origin"] == 0


def test_e10_the_start_of_a_run_bounds_what_is_emitted_not_what_is_seen() -> None:
    def two() -> dict[str, Any]:
        return {"out": StreamInput("A", interval="1m", fields=("close",)).close.sum(2)}

    run = backtest(two, [bar(0, 1), bar(60, 2), bar(120, 4)], start="1970-01-01T00:01:00Z")
    assert table(run) == {60: 3, 120: 6}
    assert [one[2] for one in ledger(run)] == [60, 120]


def guarded(items: list[Any], **settings: Any) -> Any:
    return backtest(closes(max_future_skew="10s", **settings), items, finished=False)


def test_e13_an_event_further_ahead_than_the_skew_is_quarantined_and_counted() -> None:
    """The bar's time is its start: 120 is 11 ahead of a clock at 109, and 10 ahead of one at 110."""
    ahead = guarded([bar(0, 1, at=60 * SECOND), bar(120, 4, at=109 * SECOND)])
    assert ahead.counters["A"] | {"used": 1, "quarantined": 1} == ahead.counters["A"]
    within = guarded([bar(0, 1, at=60 * SECOND), bar(120, 4, at=110 * SECOND)])
    assert within.counters["A"] | {"used": 2, "quarantined": 0} == within.counters["A"]


def test_e13_one_bad_timestamp_does_not_close_everything() -> None:
    year_off = bar(31_536_000, 9, at=61 * SECOND)
    run = guarded([bar(0, 1, at=60 * SECOND), year_off, bar(60, 2, at=120 * SECOND)])
    assert table(run) == {0: 1, 60: 2}
    assert run.watermark("out") == 120 * SECOND
    assert run.counters["A"]["late_dropped"] == run.counters["A"]["too_late"] == 0


def test_e13_without_the_setting_nothing_is_quarantined() -> None:
    run = backtest(closes(), [bar(0, 1, at=60 * SECOND), bar(31_536_000, 9, at=61 * SECOND)], finished=False,
                   end="1970-01-01T00:03:00Z")  # fmt: skip
    assert run.counters["A"]["quarantined"] == 0


def test_e13_ticks_are_guarded_too() -> None:
    def ticks_of_a() -> dict[str, Any]:
        stream = StreamInput("A", fields=("price",), identity="event_ts", max_future_skew="10s")
        return {"out": Node(spread, inputs={"a": stream.window("1m")}, outputs=("out",), interval="1m")}

    items = [bar(5, 1, at=5 * SECOND), bar(600, 2, at=6 * SECOND), bar(60, 4, at=60 * SECOND)]
    run = backtest(ticks_of_a, items, finished=False)
    (counters,) = run.counters.values()
    assert (counters["used"], counters["quarantined"]) == (2, 1)


def test_e13_a_quarantined_event_is_an_arrival_that_makes_its_source_active() -> None:
    """E11: any arrival. It moves no frontier."""
    items = [bar(0, 1, at=60 * SECOND), ClockTick(90 * SECOND), bar(600, 9, at=91 * SECOND)]
    run = guarded(items, idle_timeout="20s")
    assert run.watermark("out") == 60 * SECOND


@pytest.mark.parametrize(
    ("settings", "fate"),
    [
        ({}, "used"),
        ({"on_late": "ignore"}, "late_dropped"),
        ({"on_late": "side_output"}, "side_output"),
        ({"allowed_lateness": 0}, "too_late"),
        ({"origin": 60}, "before_origin"),
    ],
)
def test_e14_each_arrival_is_counted_in_exactly_one_fate(settings: dict[str, Any], fate: str) -> None:
    """In time, again, and one of a closed bucket."""
    arrivals = of_bars((60, 1), (60, 1), (0, 2))
    counters = {"arrivals": 3, "used": 1, "duplicate": 1}
    counters[fate] = counters.get(fate, 0) + 1
    holds([bars(**settings)], [BAR], arrivals, counters={"a": counters})


def test_e14_every_reader_of_ticks_is_an_entry_of_its_own() -> None:
    nodes = [SUM, node("m", reads("t", time=120), interval=120)]
    holds(
        [ticks(on_late="ignore")],
        nodes,
        of_ticks((60, 1), (5, 2)),
        counters={
            "t>n": {"arrivals": 2, "used": 1, "late_dropped": 1},
            "t>m": {"arrivals": 2, "used": 2},
        },
    )


def test_e14_all_fates_of_one_stream() -> None:
    """Before the origin, in time, again, revised, in time, too late, from the future."""
    items = [
        Event("A", ts * SECOND, value, at=at * SECOND)
        for ts, value, at in (
            (0, 1, 60), (60, 2, 120), (60, 2, 120), (60, 3, 121), (300, 4, 360), (120, 5, 361), (9000, 6, 362)
        )
    ]  # fmt: skip
    run = backtest(
        closes(max_future_skew="10s", allowed_lateness="2m"),
        items,
        finished=False,
        origin="1970-01-01T00:01:00Z",
    )
    assert run.counters["A"] == {
        "arrivals": 7, "used": 3, "duplicate": 1, "late_dropped": 0, "side_output": 0,
        "too_late": 1, "before_origin": 1, "quarantined": 1,
    }  # fmt: skip
