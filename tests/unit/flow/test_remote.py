"""A graph that is computed in several plans, which tell each other what closed, says what one plan says (E15, C2)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from qmtl.core.flow.building import build
from qmtl.core.flow.clock import begins
from qmtl.core.flow.engine import Engine
from qmtl.core.flow.feed import EVENT, FINISHED
from qmtl.core.flow.remote import Outbox, Told, accept, stub
from qmtl.core.flow.timeline import FOREVER, GAP, NEVER, NULL, VALUE
from qmtl.core.graph.ir import Node, NodeKind
from qmtl.runtime.ledger import cells_of
from qmtl.testing.differential import NS, batch_of, engine_of, play
from qmtl.testing.oracle import random_case


class Slots:
    """The plans of a case, each with the nodes of one slot and stubs of what they read elsewhere."""

    def __init__(self, case: Mapping[str, Any], home: Mapping[str, int]) -> None:
        self.case, self.home = case, home
        whole = engine_of(case, compiled=True)
        nodes = {node.node_id: node for group in whole.plan.groups for node in group.nodes}
        order = [one["name"] for one in (*case["sources"], *case["nodes"])]
        given = {one["name"]: one.get("origin") for one in (*case["sources"], *case["nodes"])}
        self.origins = {name: at * NS for name, at in given.items() if at is not None}
        known = begins(whole.plan, self.origins)
        self.engines: dict[int, Engine] = {}
        self.outboxes: dict[int, Outbox] = {}
        self.readers: dict[tuple[str, int], None] = {}  # of nodes, by slot
        for slot in sorted(set(home.values())):
            self.engines[slot] = self._engine(slot, nodes, order, known)
        for slot, engine in self.engines.items():
            told = [name for name in order if home[name] == slot and nodes[name].kind is not NodeKind.TICKS]
            self.outboxes[slot] = Outbox(engine, told)

    def _engine(
        self, slot: int, nodes: Mapping[str, Node], order: list[str], known: Mapping[str, Any]
    ) -> Engine:
        mine = [nodes[name] for name in order if self.home[name] == slot]
        read = {edge.node.node_id for node in mine for edge in node.edges}
        plan = []
        for name in order:
            node, local = nodes[name], self.home[name] == slot
            if local or (name in read and node.kind is NodeKind.TICKS):
                plan.append(node)
            elif name in read:
                plan.append(stub(node, *known[name]))
                self.readers[name, slot] = None
        sources = [[node] for node in plan if node.kind in (NodeKind.BARS, NodeKind.TICKS)]
        end = self.case.get("end")
        limit = FOREVER if end is None else end * NS
        engine = Engine(build(plan), sources, [("value",)] * len(sources), self.origins, limit)
        engine.names = [node.node_id for (node,) in sources]  # type: ignore[attr-defined]
        return engine

    def run(self, chance: Random) -> None:
        ahead: dict[tuple[int, int], deque[list[Told]]] = {}  # steps from one slot to another, in order
        for arrival in self.case["arrivals"]:
            for slot, engine in self.engines.items():
                name = arrival.get("source", arrival.get("finished"))
                if name is None or name in engine.names:  # type: ignore[attr-defined]
                    self._arrive(engine, arrival)
                    self._send(slot, ahead)
            while any(ahead.values()) and chance.random() < 0.7:
                self._deliver(ahead, chance)
        while any(ahead.values()):
            self._deliver(ahead, chance)

    def _arrive(self, engine: Engine, arrival: Mapping[str, Any]) -> None:
        batch = batch_of(self.case, [arrival])
        whole = [one["name"] for one in self.case["sources"]]
        mine: list[str] = engine.names  # type: ignore[attr-defined]
        if batch.kind[0] in (EVENT, FINISHED):
            batch.source[0] = mine.index(whole[batch.source[0]])
        columns = [
            [column[whole.index(name)] for name in mine]
            for column in (batch.values, batch.event_id, batch.revision)
        ]
        times = (batch.kind, batch.source, batch.event_ns, batch.available_ns, batch.row)
        engine.advance(type(batch)(*times, *columns))

    def _send(self, slot: int, ahead: dict[tuple[int, int], deque[list[Told]]]) -> None:
        told = self.outboxes[slot].collect()
        for other in self.engines:
            wanted = [one for one in told if (one.node_id, other) in self.readers]
            if wanted:
                ahead.setdefault((slot, other), deque()).append(wanted)

    def _deliver(self, ahead: dict[tuple[int, int], deque[list[Told]]], chance: Random) -> None:
        pair = chance.choice([pair for pair, waiting in ahead.items() if waiting])
        accept(self.engines[pair[1]], ahead[pair].popleft())
        self._send(pair[1], ahead)


def invariant(case: Mapping[str, Any]) -> bool:
    """Whether E15 holds for a case: all recomputes, unbounded, nothing idles, fails or raises."""
    return all(
        one.get("on_late", "recompute") == "recompute"
        and one.get("allowed_lateness") is None
        and one.get("idle_timeout") is None
        for one in case["sources"]
    ) and all(
        one.get("on_missing", "skip") == "skip" and not one["function"].startswith("raise")
        for one in case["nodes"]
    )


def alike(got: dict[int, str], wanted: dict[int, str]) -> bool:
    """Equal but for what was recorded once and then lost its rows: it stays a null where it had a record (E8)."""
    return all(
        got.get(bucket) == wanted.get(bucket)
        or {got.get(bucket), wanted.get(bucket)} <= {"null", "gap", None}
        for bucket in got.keys() | wanted.keys()
    )


def table(engine: Engine, name: str) -> dict[int, str]:
    """Values by bucket (ns), "gap", and "null" for a value that was withdrawn."""
    group, lane = engine.plan.home[name]
    cells = cells_of(engine, group, lane, NEVER)
    words = {VALUE: "", GAP: "gap", NULL: "null"}
    return {
        bucket: words[status] or repr(value)
        for bucket, status, value in zip(
            cells.bucket.tolist(), cells.status.tolist(), cells.value[:, 0].tolist(), strict=True
        )
        if status in words
    }


@pytest.mark.parametrize("part", range(4))
def test_slots_say_what_one_plan_says(part: int) -> None:
    compared = moved = 0
    for seed in range(part * 1000, part * 1000 + 1000):
        case, chance = random_case(seed), Random(seed)
        if not invariant(case):
            continue
        home = {one["name"]: chance.randrange(3) for one in (*case["sources"], *case["nodes"])}
        whole, slots = play(case, compiled=True), Slots(case, home)
        slots.run(chance)
        moved += len(slots.readers)
        for one in (*case["sources"], *case["nodes"]):
            if one["interval"] is None:
                continue
            name, engine = one["name"], slots.engines[home[one["name"]]]
            got, wanted = table(engine, name), table(whole, name)
            assert alike(got, wanted), (seed, name, got, wanted)
            compared += 1
    assert compared > 100 < moved
