"""What the simulated workers compute: small random graphs over a few slots, and data that comes late or never."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import numpy as np

from qmtl.core.flow.view import View
from qmtl.core.graph.ir import NS, Edge, Node, NodeKind, Window
from qmtl.runtime.worker.feed import Feed
from qmtl.runtime.worker.messages import Events, Finished
from qmtl.runtime.worker.spread import STREAMS, Spread, spread
from qmtl.testing.differential import SCANS, nodes_of, origins_of
from qmtl.testing.oracle.random_arrivals import Manner, draw_arrivals
from qmtl.testing.oracle.random_case import random_case

PLANS = 24  # graphs that the seeds share: what is compiled for one serves all of its seeds
NODES = 4  # at most, or a run takes too long
EVENTS = 20
RESUMED = "resumed"  # a scan whose later answers all move with an earlier row
WRITER = "writer"  # the node whose function tries to write into what it is shown


@dataclass(frozen=True, eq=False)
class Layout:
    """A graph, spread over the slots of a log."""

    case: Mapping[str, Any]  # without arrivals
    spread: Spread
    slots: int
    shaky: frozenset[
        str
    ]  # nodes whose function raises, and what reads them: when they halt depends on the order


@dataclass(frozen=True, eq=False)
class Workload:
    """A layout with the data of one seed: `events` by stream, in their order of arrival."""

    layout: Layout
    events: Mapping[str, list[Mapping[str, Any]]]

    @property
    def case(self) -> dict[str, Any]:
        """As a case of the oracle: stream after stream, which is one of the orders that make no difference (E15)."""
        told = [event for events in self.events.values() for event in events]
        ended = [{"finished": name} for name in self.events]
        return {**self.layout.case, "arrivals": told + ended}


def workload(seed: int) -> Workload:
    """Of a seed: one of the graphs, and data of its own."""
    chance = Random(f"{seed}/data")  # noqa: S311
    layout = _layouts()[seed % PLANS]
    sources = [dict(one) for one in layout.case["sources"]]
    manner = Manner(clocked=False, finished=False, repeats=0.25, lowest=-7, holes=0.2)
    start, speed = layout.case["start"], layout.case["speed"]
    drawn = draw_arrivals(chance, sources, manner, start=start, speed=speed, count=EVENTS)
    events: dict[str, list[Mapping[str, Any]]] = {one["name"]: [] for one in sources}
    for one in drawn:
        value = (
            float("nan") if chance.random() < 0.12 else one["value"]
        )  # scans answer NaN and keep their state
        events[one["source"]].append(one | {"value": value})
    return Workload(layout, events)


@cache
def _layouts() -> list[Layout]:
    found: list[Layout] = []
    number = 0
    while len(found) < PLANS:
        layout = _layout(number)
        if layout is not None:
            found.append(layout)
        number += 1
    return found


def _layout(number: int) -> Layout | None:
    """The graph of a random case, where slots tell each other of its nodes."""
    drawn = random_case(number)
    case: dict[str, Any] = {"sources": [_tamed(one) for one in drawn["sources"]], "id": f"S{number}"}
    case["nodes"] = [_calm(one) for one in drawn["nodes"]]
    shaky = _shaken(case["nodes"]) if number % 4 == 0 else frozenset()
    bars = [one for one in case["sources"] if one["interval"] is not None]
    if len(case["sources"]) < 2 or len(case["nodes"]) > NODES or not bars:
        return None
    case["nodes"].append(_resumed(bars[0]))
    smallest = min(one["interval"] or 60 for one in case["sources"])
    case["start"], case["speed"] = 0, smallest // 2
    for one in case["sources"]:
        one["origin"] = 0
    case["end"] = EVENTS * smallest // len(case["sources"])
    slots = 2 + number % 3
    nodes = list(nodes_of(case, compiled=True).values())
    nodes.append(_writer(nodes[-1]))
    case["nodes"].append(_told_writer(nodes[-2]))
    made = spread(nodes, slots, origins_of(case), case["end"] * NS)
    telling = {made.nodes[key].kind for key in made.readers} - {NodeKind.TICKS}
    return Layout(case, made, slots, shaky) if telling and len(made.slots()) > 1 else None


def _tamed(one: Mapping[str, Any]) -> dict[str, Any]:
    """No idleness; late ticks are always used: their fate depends on who else has arrived (E15)."""
    free = {"on_late": "recompute", "allowed_lateness": None} if one["interval"] is None else {}
    return {**one, "idle_timeout": None, **free}


def _shaken(nodes: list[dict[str, Any]]) -> frozenset[str]:
    """Make the first window function one that raises; who is halted with it."""
    first = next((one for one in nodes if one["function"] not in SCANS), None)
    if first is None:
        return frozenset()
    first["function"] = "raise_if_ends_in_3"
    found = {first["name"]}
    for one in nodes:
        if any(edge["of"] in found for edge in one["inputs"]):
            found.add(one["name"])
    return frozenset(found)


def _calm(one: Mapping[str, Any]) -> dict[str, Any]:
    """Nothing that halts a node: when it halts depends on the order of arrivals (E15)."""
    function = "sum" if one["function"] == "raise_if_ends_in_3" else one["function"]
    return {**one, "function": function, "on_missing": "skip"}


def _resumed(of: Mapping[str, Any]) -> dict[str, Any]:
    """A running sum over a stream of bars."""
    edge = {"name": "x", "of": of["name"], "window": {"rows": 1}, "required": True, "complete": False}
    return {"name": RESUMED, "interval": of["interval"], "function": "cumsum", "inputs": [edge]}


def _writer(of: Node) -> Node:
    edge = Edge("x", of, ("value",), Window(2, None), single=True)
    return Node(
        NodeKind.FUNCTION, WRITER, of.interval_ns, ("value",), (edge,), node_id=WRITER, function=written
    )


def _told_writer(of: Node) -> dict[str, Any]:
    """What it should answer, in the oracle's words."""
    window = {"name": "x", "of": of.node_id, "window": {"rows": 2}}
    assert of.interval_ns is not None
    return {"name": WRITER, "interval": of.interval_ns // NS, "function": "sum", "inputs": [window]}


def written(view: View) -> float:
    """Tries to change what it is shown, and answers what it has seen before."""
    seen = float(view.x.sum())
    with suppress(ValueError):  # as it should be: a view is read-only
        view.x[:] = -1.0
    return seen


class PacedFeed(Feed):
    """The events of a stream, a few at a time, as they become available; positions are their numbers."""

    def __init__(
        self, node: Node, events: list[Mapping[str, Any]], available: Callable[[int], int], chance: Random
    ) -> None:
        """`available`: how many of so many events are there by now; more than that: its end is known too."""
        self._node, self._events, self._available, self._chance = node, events, available, chance

    def read(self, position: int | str) -> tuple[Events | Finished | None, int]:
        position, count = int(position), len(self._events)
        there = self._available(count)
        if position < min(there, count):
            stop = min(there, count, position + self._chance.choice((1, 2, 2, 3, 4)))
            return message(self._node, self._events[position:stop]), stop
        if position == count < there:
            return Finished(self._node.node_id), position + 1
        return None, position


def message(node: Node, events: list[Mapping[str, Any]]) -> Events:
    """Events of a case as a record tells them."""
    times = np.array([one["event_ts"] for one in events], np.int64) * NS
    values = np.array([float("nan") if one["value"] is None else one["value"] for one in events], np.float64)
    revisions = [one.get("revision") for one in events]
    ids: list[Any] = [one.get("event_id") for one in events]
    return Events(
        node.node_id,
        times.tobytes(),
        np.zeros(len(events), np.int64).tobytes(),
        values.tobytes(),
        None if None in ids else ids,
        None if None in revisions else np.array(revisions, np.int64).tobytes(),
    )


def streams(layout: Layout) -> list[Node]:
    return [node for node in layout.spread.nodes.values() if node.kind in STREAMS]
