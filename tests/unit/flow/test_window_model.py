"""The engine's windows against a list that is sorted anew at every step.

One bar stream, a node with a window of rows and a node with a window of time. Bars come in order, late, again,
revised, with holes and as NaN, one batch at a time; after each batch the engine's tables, counters and watermarks are
the model's, and in the end every retraction is what was told before.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from qmtl.testing.differential import (
    batch_of,
    counters,
    emissions_of,
    engine_of,
    final_table,
    play,
    watermark,
)

from unit.flow.rules import same
from unit.oracle.told import Plain, bars, event, node, reads

MINUTE = 60
VALUES = st.one_of(st.integers(-8, 8), st.sampled_from([0.25, -0.0, None]))
NODES = ("a", "rows", "time")


def number(value: float | None) -> float:
    return math.nan if value is None else float(value)


class Model:
    """What the rules say of one bar stream of origin 0, from a dict of its bars."""

    def __init__(self, rows: int, span: int, lateness: int, on_late: str, horizon: int | None) -> None:
        self.rows, self.span, self.lateness = rows, span, lateness
        self.on_late, self.horizon = on_late, horizon
        self.bars: dict[int, float] = {}
        self.aside: set[tuple[int, str]] = set()
        self.frontier = -math.inf
        self.fates = dict.fromkeys(("used", "duplicate", "late_dropped", "side_output", "too_late"), 0)

    @property
    def wm(self) -> float:
        return self.frontier - self.lateness

    def take(self, ts: int, value: float) -> None:
        fate = self.fate(ts, value)
        self.fates[fate] += 1
        if fate == "used":
            self.bars[ts] = value
        elif fate == "side_output":
            self.aside.add((ts, repr(value)))
        self.frontier = max(self.frontier, ts + MINUTE)

    def fate(self, ts: int, value: float) -> str:
        """E7 to E9."""
        if (ts in self.bars and repr(self.bars[ts]) == repr(value)) or (ts, repr(value)) in self.aside:
            return "duplicate"
        if ts + MINUTE > self.wm:
            return "used"
        if self.on_late != "recompute":
            return {"ignore": "late_dropped", "side_output": "side_output"}[self.on_late]
        too_late = self.horizon is not None and ts + MINUTE + self.horizon <= self.wm
        return "too_late" if too_late else "used"

    def tables(self) -> dict[str, dict[int, Any]]:
        """E4 to E6 for every closed bucket."""
        closed = range(0, int(self.wm) // MINUTE * MINUTE, MINUTE) if self.bars and self.wm > 0 else range(0)
        rows = sorted(self.bars)
        return {
            "a": {b: self.bars[b] for b in rows if b in closed},
            "rows": {b: self.by_rows(b, rows) for b in closed if self.warm(b, rows)},
            "time": {b: self.by_time(b, rows) for b in closed if b + MINUTE - self.span >= 0},
        }

    def warm(self, b: int, rows: list[int]) -> bool:
        return len([ts for ts in rows if ts < b]) >= self.rows - 1

    def by_rows(self, b: int, rows: list[int]) -> Any:
        return self.added([ts for ts in rows if ts <= b][-self.rows :]) if b in self.bars else "gap"

    def by_time(self, b: int, rows: list[int]) -> Any:
        inside = [ts for ts in rows if b + MINUTE - self.span <= ts < b + MINUTE]
        return self.added(inside) if b in self.bars else "gap"

    def added(self, times: list[int]) -> float:
        return math.fsum(self.bars[ts] for ts in times)


class Windows(RuleBasedStateMachine):
    compiled = False

    @initialize(
        rows=st.integers(1, 5),
        span=st.sampled_from([60, 120, 180, 300, 90, 61]),
        lateness=st.sampled_from([0, 0, 1, 60, 150]),
        on_late=st.sampled_from(["recompute", "recompute", "recompute", "ignore", "side_output"]),
        horizon=st.sampled_from([None, None, 0, 120]),
    )
    def begin(self, rows: int, span: int, lateness: int, on_late: str, horizon: int | None) -> None:
        source = bars(lateness=lateness, on_late=on_late, allowed_lateness=horizon)
        nodes = [
            node("rows", reads("a", rows=rows), function="sum"),
            node("time", reads("a", time=span), function="sum"),
        ]
        self.case: Plain = {"id": "windows", "sources": [source], "nodes": nodes, "arrivals": [], "end": None}
        self.cuts: list[int] = []
        self.model = Model(rows, span, lateness, on_late, horizon)
        self.engine = engine_of(self.case, compiled=self.compiled)
        self.top = -MINUTE

    def feed(self, pairs: list[tuple[int, float | None]]) -> None:
        batch = [event("a", ts, value) for ts, value in pairs]
        self.engine.advance(batch_of(self.case, batch))
        self.case["arrivals"] += batch
        self.cuts.append(len(self.case["arrivals"]))
        for ts, value in pairs:
            self.model.take(ts, number(value))
        self.top = max(self.top, *(ts for ts, _ in pairs))

    @rule(steps=st.lists(st.tuples(st.sampled_from([1, 1, 1, 1, 2, 3]), VALUES), min_size=1, max_size=8))
    def in_order_with_holes(self, steps: list[tuple[int, float | None]]) -> None:
        pairs, ts = [], self.top
        for step, value in steps:
            ts += step * MINUTE
            pairs.append((ts, value))
        self.feed(pairs)

    @rule(backs=st.lists(st.tuples(st.integers(0, 12), VALUES), min_size=1, max_size=4))
    def late_or_revised(self, backs: list[tuple[int, float | None]]) -> None:
        self.feed([(max(self.top - back * MINUTE, 0), value) for back, value in backs])

    @rule(data=st.data())
    def again(self, data: st.DataObject) -> None:
        if self.model.bars:
            ts = data.draw(st.sampled_from(sorted(self.model.bars)))
            self.feed([(ts, self.model.bars[ts])])

    @rule(data=st.data(), value=VALUES)
    def revised(self, data: st.DataObject, value: float | None) -> None:
        if self.model.bars:
            self.feed([(data.draw(st.sampled_from(sorted(self.model.bars))), value)])

    @rule(jumps=st.lists(st.tuples(st.integers(-6, 4), VALUES), min_size=2, max_size=10))
    def everything_in_one_batch(self, jumps: list[tuple[int, float | None]]) -> None:
        self.feed([(max(self.top + jump * MINUTE, 0), value) for jump, value in jumps])

    @invariant()
    def the_tables_are_the_model_s(self) -> None:
        for name, expected in self.model.tables().items():
            same(final_table(self.engine, name), expected, name)
        wm = self.model.wm
        same(watermark(self.engine, "a"), None if wm == -math.inf else wm, "watermark of a")
        fates = {"arrivals": sum(self.model.fates.values())} | self.model.fates
        found = counters(self.engine)["a"]
        same({fate: found[fate] for fate in fates}, fates, "counters")

    def teardown(self) -> None:
        """The changelog folds to the table, every retraction being what was told before, versions gapless."""
        if not hasattr(self, "model"):
            return
        same(
            {name: final_table(play(self.case, self.cuts, compiled=self.compiled), name) for name in NODES},
            self.model.tables(),
            "fed again from the beginning",
        )
        for name in NODES:
            folded: dict[int, Any] = {}
            versions: dict[int, int] = {}
            for one in emissions_of(self.case, self.engine, name):
                if one["kind"] in ("dropped", "side_output"):
                    continue
                b = one["bucket"]
                versions[b] = versions.get(b, -1) + 1
                assert one.get("version", 0) == versions[b]
                if "retract" in one:
                    same(one["retract"], folded[b], f"retraction at {b} of {name}")
                folded[b] = one.get("output")
            table = {b: "gap" if value is None else value for b, value in folded.items()}
            same(table, final_table(self.engine, name), f"changelog of {name}")


class CompiledWindows(Windows):
    compiled = True


FEW = settings(max_examples=40, stateful_step_count=12, deadline=None)
MANY = settings(max_examples=200, stateful_step_count=25, deadline=None)

TestWindows = Windows.TestCase
TestWindows.settings = FEW
TestCompiledWindows = CompiledWindows.TestCase
TestCompiledWindows.settings = FEW


@pytest.mark.slow
@pytest.mark.parametrize("machine", [Windows, CompiledWindows])
def test_many_runs(machine: type[Windows]) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(machine, settings=MANY)
