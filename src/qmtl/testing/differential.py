"""Oracle cases run on the engine, told in the oracle's words, so that the two can be compared emission by emission.

A case is described in :mod:`qmtl.testing.oracle`. Functions of nodes run as authors' Python functions; with
``compiled=True`` those that have a built-in operator of the same meaning run as that operator instead, which takes the
compiled path through the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qmtl.core.flow.engine import Engine
from qmtl.core.flow.feed import CLOCK_TICK, EVENT, FINISHED
from qmtl.core.flow.entry import Fate
from qmtl.core.flow.plan import build
from qmtl.core.flow.timeline import FOREVER, NEVER
from qmtl.core.graph.ir import (
    NS,
    AllIdle,
    Closing,
    CoarseFrontier,
    Edge,
    EventTime,
    Node,
    NodeKind,
    OnLate,
    OnMissing,
    TickIdentity,
    Window,
)
from qmtl.ops.registry import bind
from qmtl.runtime.ledger import cells_of

OPERATORS = {"sum": "sum", "ema": "ema"}  # of one own-interval input by rows


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Columnar arrivals of a case."""

    kind: np.ndarray
    source: np.ndarray
    event_ns: np.ndarray
    available_ns: np.ndarray
    row: np.ndarray
    values: list[np.ndarray]
    event_id: list[Any]
    revision: list[Any]


def engine_of(
    case: Mapping[str, Any], functions: Mapping[str, Any], *, compiled: bool
) -> tuple[Engine, dict[str, Node]]:
    """The engine of a case before its first arrival, and its nodes by name."""
    nodes = {one["name"]: _source(one) for one in case["sources"]}
    for one in case["nodes"]:
        nodes[one["name"]] = _node(one, nodes, functions, compiled)
    sources = [[nodes[one["name"]]] for one in case["sources"]]
    end = case.get("end")
    plan = build(list(nodes.values()))
    limit = FOREVER if end is None else end * NS
    engine = Engine(plan, sources, [("value",)] * len(sources), _origins(case), limit)
    for one in case["nodes"]:
        group, lane = plan.home[one["name"]]
        if group.kind is NodeKind.FUNCTION:
            engine.flow.log.inputs[group.index, lane] = []
    return engine, nodes


def _origins(case: Mapping[str, Any]) -> dict[str, int]:
    given = {one["name"]: one.get("origin") for one in (*case["sources"], *case["nodes"])}
    return {name: origin * NS for name, origin in given.items() if origin is not None}


def _ns(value: int | None) -> int | None:
    return None if value is None else value * NS


def _source(one: Mapping[str, Any]) -> Node:
    settings = EventTime(
        one.get("lateness", 0) * NS,
        OnLate(one.get("on_late", "recompute")),
        _ns(one.get("allowed_lateness")),
        _ns(one.get("idle_timeout")),
        None,
        TickIdentity(one.get("identity", "event_ts")),
    )
    kind = NodeKind.TICKS if one["interval"] is None else NodeKind.BARS
    return Node(
        kind,
        kind.value,
        _ns(one["interval"]),
        ("value",),
        stream=one["name"],
        event_time=settings,
        node_id=one["name"],
    )


def _node(
    one: Mapping[str, Any], nodes: Mapping[str, Node], functions: Mapping[str, Any], compiled: bool
) -> Node:
    interval = one["interval"] * NS
    edges = tuple(_edge(each, nodes) for each in one["inputs"])
    closing = Closing(
        OnMissing(one.get("on_missing", "skip")),
        AllIdle(one.get("all_idle", "flush")),
        CoarseFrontier(one.get("coarse_frontier", "structural")),
    )
    name, function = one["name"], one["function"]
    if compiled and function in OPERATORS and _plain(one, edges, interval):
        return _operator(one, edges, closing, interval)
    return Node(
        NodeKind.FUNCTION,
        name,
        interval,
        ("value",),
        edges,
        closing=closing,
        node_id=name,
        function=functions[function],
    )


def _plain(one: Mapping[str, Any], edges: Sequence[Edge], interval: int) -> bool:
    edge = edges[0]
    return (
        len(edges) == 1
        and edge.node.interval_ns == interval
        and edge.window.rows is not None
        and edge.required
        and not edge.complete
        and one.get("on_missing", "skip") == "skip"
    )


def _operator(one: Mapping[str, Any], edges: tuple[Edge, ...], closing: Closing, interval: int) -> Node:
    rows = edges[0].window.rows
    _, params, kernel = bind(OPERATORS[one["function"]], {"n": rows})
    edge = replace(edges[0], name="x", single=True)
    return Node(
        NodeKind.OPERATOR,
        OPERATORS[one["function"]],
        interval,
        ("value",),
        (edge,),
        tuple(sorted(params.items())),
        closing=closing,
        node_id=one["name"],
        kernel=kernel,
    )


def _edge(one: Mapping[str, Any], nodes: Mapping[str, Node]) -> Edge:
    window = one["window"]
    made = Window(window["rows"], None) if "rows" in window else Window(None, window["time"] * NS)
    return Edge(
        one["name"],
        nodes[one["of"]],
        ("value",),
        made,
        one.get("required", True),
        one.get("complete", False),
        single=False,
    )


def batch_of(case: Mapping[str, Any]) -> Batch:
    """The arrivals of a case as columns."""
    names = [one["name"] for one in case["sources"]]
    tables: list[list[list[float]]] = [[] for _ in names]
    ids: list[list[Any]] = [[] for _ in names]
    revisions: list[list[Any]] = [[] for _ in names]
    rows = []
    for one in case["arrivals"]:
        if "tick" in one:
            rows.append((CLOCK_TICK, -1, one["tick"] * NS, one["tick"] * NS, -1))
        elif "finished" in one:
            rows.append((FINISHED, names.index(one["finished"]), 0, 0, -1))
        else:
            at = names.index(one["source"])
            rows.append((EVENT, at, one["event_ts"] * NS, one.get("at", 0) * NS, len(tables[at])))
            tables[at].append([float("nan") if one["value"] is None else float(one["value"])])
            ids[at].append(one.get("event_id"))
            revisions[at].append(one.get("revision"))
    columns = np.array(rows, np.int64).reshape(-1, 5)
    return Batch(
        columns[:, 0].astype(np.uint8),
        columns[:, 1],
        columns[:, 2],
        columns[:, 3],
        columns[:, 4],
        [np.array(t, np.float64).reshape(-1, 1) for t in tables],
        [None if not i or i[0] is None else np.array(i, object) for i in ids],
        [None if not r or r[0] is None else np.array(r, np.int64) for r in revisions],
    )


def final_table(engine: Engine, name: str) -> dict[int, Any]:
    """Latest value of every closed bucket in seconds; "gap" where a gap or a withdrawn value stands."""
    group, lane = engine.plan.home[name]
    cells = cells_of(engine, group, lane, NEVER)
    table: dict[int, Any] = {}
    for bucket, status, value in zip(
        cells.bucket.tolist(), cells.status.tolist(), cells.value[:, 0].tolist(), strict=True
    ):
        if status == 1:
            table[bucket // NS] = value
        elif status in (2, 4) and group.kind is not NodeKind.BARS:
            table[bucket // NS] = "gap"
    return table


def watermark(engine: Engine, name: str) -> int | None:
    """A node's watermark in seconds, rounded down; None for minus infinity."""
    group, lane = engine.plan.home[name]
    clocks, clock = engine.clocks, int(group.clocks[lane])
    own = clocks.lateness[clock] < 0 or group.kind is NodeKind.BARS
    value = int(clocks.wm[clock] if own else clocks.front[clock])
    return None if value == NEVER else value // NS


def counters(engine: Engine) -> dict[str, dict[str, int]]:
    """E14 by entry: the stream's name for bars, ``stream>reader`` for ticks."""
    found: dict[str, dict[str, int]] = {}
    for source in engine.sources:
        for entry in source.bars:
            found[entry.group.nodes[entry.lane].node_id] = entry.counters
        for tick in source.ticks:
            found[f"{tick.up.nodes[tick.lane].node_id}>{tick.reader.nodes[0].node_id}"] = tick.counters
    return found


__all__ = ["Fate", "batch_of", "counters", "engine_of", "final_table", "watermark"]
