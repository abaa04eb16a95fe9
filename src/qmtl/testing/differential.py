"""Oracle cases run on the engine, told in the oracle's words, so that the two can be compared emission by emission.

A case is described in :mod:`qmtl.testing.oracle`. Functions of nodes run as authors' Python functions; with
``compiled=True`` those that have a built-in operator of the same meaning run as that operator instead, which takes the
compiled path through the engine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qmtl.core.flow.building import build
from qmtl.core.flow.emission import Refusal
from qmtl.core.flow.engine import Engine
from qmtl.core.flow.entry import Fate
from qmtl.core.flow.feed import CLOCK_TICK, EVENT, FINISHED
from qmtl.core.flow.plan import EdgePlan, Group
from qmtl.core.flow.timeline import FAILED, FOREVER, GAP, NEVER, NULL, VALUE
from qmtl.core.flow.view import View
from qmtl.core.flow.windows import Shown
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
from qmtl.runtime.ledger import Emissions, cells_of, emissions
from qmtl.testing.oracle.value import WINDOW_FUNCTIONS

SCANS = {"ema": "ema", "cumsum": "cumsum", "cummax": "cummax"}
OPERATORS = {"sum": "sum"} | SCANS  # of one required input of the node's own interval, by rows


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
    flat: None = None


def nodes_of(case: Mapping[str, Any], *, compiled: bool) -> dict[str, Node]:
    """The sources and nodes of a case by name, in their order."""
    nodes = {one["name"]: _source(one) for one in case["sources"]}
    for one in case["nodes"]:
        nodes[one["name"]] = _node(one, nodes, compiled)
    return nodes


def engine_of(case: Mapping[str, Any], *, compiled: bool) -> Engine:
    """The engine of a case before its first arrival."""
    nodes = nodes_of(case, compiled=compiled)
    sources = [[nodes[one["name"]]] for one in case["sources"]]
    end = case.get("end")
    plan = build(list(nodes.values()))
    limit = FOREVER if end is None else end * NS
    engine = Engine(plan, sources, [("value",)] * len(sources), origins_of(case), limit)
    for one in case["nodes"]:
        group, lane = plan.home[one["name"]]
        if group.kind is NodeKind.FUNCTION:
            engine.flow.log.inputs[group.index, lane] = []
    return engine


def origins_of(case: Mapping[str, Any]) -> dict[str, int]:
    """Origins by name, ns (E10)."""
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
        TickIdentity(one.get("identity", "event_id")),
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


def _node(one: Mapping[str, Any], nodes: Mapping[str, Node], compiled: bool) -> Node:
    interval = one["interval"] * NS
    edges = tuple(_edge(each, nodes, interval) for each in one["inputs"])
    closing = Closing(
        OnMissing(one.get("on_missing", "skip")),
        AllIdle(one.get("all_idle", "flush")),
        CoarseFrontier(one.get("coarse_frontier", "structural")),
    )
    name, function = one["name"], one["function"]
    plain = _plain(one, edges, interval)
    if (compiled and plain and function in OPERATORS) or function in SCANS:
        return _operator(one, edges, closing, interval)
    return Node(
        NodeKind.FUNCTION,
        name,
        interval,
        ("value",),
        edges,
        closing=closing,
        node_id=name,
        function=_called(WINDOW_FUNCTIONS[function]),
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
    function = one["function"]
    _, params, kernel = bind(OPERATORS[function], {} if function.startswith("cum") else {"n": rows})
    edge = replace(edges[0], name="x", single=True)
    return Node(
        NodeKind.OPERATOR,
        OPERATORS[function],
        interval,
        ("value",),
        (edge,),
        params,
        closing=closing,
        node_id=one["name"],
        kernel=kernel,
    )


def _edge(one: Mapping[str, Any], nodes: Mapping[str, Node], interval: int) -> Edge:
    window = one["window"]
    of, rows = nodes[one["of"]], window.get("rows")
    if rows is not None and of.kind is NodeKind.TICKS:  # P of ticks means P buckets of the node
        window = {"time": rows * interval // NS}
    made = Window(rows, None) if "rows" in window else Window(None, window["time"] * NS)
    return Edge(
        one["name"],
        nodes[one["of"]],
        ("value",),
        made,
        one.get("required", True),
        one.get("complete", False),
        single=False,
    )


def _called(function: Callable[[Any], float | None]) -> Callable[[View], float | None]:
    """A function of the oracle as an author's function."""

    def called(view: View) -> float | None:
        windows = {name: view[name] for name in view.__dict__ if name != "bucket"}
        return function(
            {
                name: list(zip(seen.times.tolist(), seen["value"].tolist(), strict=True))
                for name, seen in windows.items()
            }
        )

    return called


def batch_of(case: Mapping[str, Any], arrivals: Sequence[Mapping[str, Any]]) -> Batch:
    """Some arrivals of a case as columns."""
    names = [one["name"] for one in case["sources"]]
    tables: list[list[list[float]]] = [[] for _ in names]
    ids: list[list[Any]] = [[] for _ in names]
    revisions: list[list[Any]] = [[] for _ in names]
    rows = []
    for one in arrivals:
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
        columns[:, 1].astype(np.int32),
        columns[:, 2].copy(),
        columns[:, 3].copy(),
        columns[:, 4].copy(),
        [np.array(t, np.float64).reshape(-1, 1) for t in tables],
        [None if not i or i[0] is None else np.array(i, object) for i in ids],
        [None if not r or r[0] is None else np.array(r, np.int64) for r in revisions],
    )


def play(case: Mapping[str, Any], cuts: Sequence[int] = (), *, compiled: bool = False) -> Engine:
    """The engine after all arrivals of a case, given to it in batches that end at `cuts`."""
    engine = engine_of(case, compiled=compiled)
    arrivals, start = case["arrivals"], 0
    stops = sorted({*cuts, *(n for n, one in enumerate(arrivals) if "resume" in one), len(arrivals)})
    for stop in stops:
        if arrivals[start:stop] and "resume" in arrivals[start]:
            engine.resume(arrivals[start]["resume"])
            start += 1
        engine.advance(batch_of(case, arrivals[start:stop]))
        start = stop
    return engine


def told(case: Mapping[str, Any], cuts: Sequence[int] = (), *, compiled: bool = False) -> dict[str, Any]:
    """What the engine makes of a case, in the words of the oracle's results (without `branches`)."""
    engine = play(case, cuts, compiled=compiled)
    names = [one["name"] for one in case["sources"] if one["interval"] is not None]
    names += [one["name"] for one in case["nodes"]]
    return {
        "emissions": {name: emissions_of(case, engine, name) for name in names},
        "final_watermark": {name: watermark(engine, name) for name in names},
        "final_table": {name: final_table(engine, name) for name in names},
        "counters": counters(engine),
        "compiled": {node.node_id for group in engine.plan.groups if group.compiled for node in group.nodes},
    }


def emissions_of(case: Mapping[str, Any], engine: Engine, name: str) -> list[dict[str, Any]]:
    """Everything a node told, in order: refusals, then by step corrections and closings by bucket."""
    group, lane = engine.plan.home[name]
    shown = {
        (b, step): (seen, missing)
        for b, step, seen, missing in engine.flow.log.inputs.get((group.index, lane), ())
    }
    columns = emissions(engine, group, lane, NEVER)
    result = [
        (refusal.step, 0, _refused(refusal, group))
        for refusal in engine.flow.log.refusals
        if refusal.reader == name
    ]
    for n in range(len(columns.bucket)):
        for bucket in range(int(columns.bucket[n]), int(columns.until[n]), group.interval):
            step = int(columns.step[n])
            seen, missing = shown.get((bucket, step), ((), []))
            inputs = {e.name: _rows(e, s) for e, s in zip(group.edges, seen, strict=bool(seen))}
            result.append((step, 1, _emission(columns, n, bucket // NS, step, inputs, missing)))
    return [one for *_, one in sorted(result, key=lambda each: each[:2])]


def _rows(edge: EdgePlan, shown: Shown) -> list[list[float]]:
    """The rows of a window that the input really has."""
    rows = zip(shown.times.tolist(), shown.values[:, 0].tolist(), shown.real.tolist(), strict=True)
    return [[ts // NS, value] for ts, value, real in rows if real]


def _emission(
    columns: Emissions, n: int, bucket: int, step: int, inputs: dict[str, Any], missing: list[str]
) -> dict[str, Any]:
    base: dict[str, Any] = {"step": step, "bucket": bucket}
    kind, version = columns.kind[n], int(columns.version[n])
    output = float(columns.value[n, 0]) if columns.has_value[n] else None
    if version == 0 and kind != "initial":
        return base | {"kind": "gap_fail" if kind == "failed" else "gap_skip", "missing": missing}
    base |= {
        "kind": "correction" if version else "initial",
        "inputs": inputs,
        "output": output,
        "version": version,
    }
    if version:
        base["retract"] = float(columns.retract[n, 0]) if columns.has_retract[n] else None
    return base


def _refused(refusal: Refusal, group: Group) -> dict[str, Any]:
    ts = refusal.ts // NS
    one: dict[str, Any] = {
        "step": refusal.step,
        "kind": "side_output",
        "upstream": refusal.source,
        "event_ts": ts,
        "value": refusal.values[0],
        "bucket": refusal.ts // group.interval * group.interval // NS,
    }
    if refusal.fate is not Fate.SIDE_OUTPUT:
        one |= {"kind": "dropped", "reason": "late" if refusal.fate is Fate.LATE else refusal.fate.value}
    return one


def final_table(engine: Engine, name: str) -> dict[int, Any]:
    """Latest value of every recorded bucket in seconds; "gap" where there is none."""
    group, lane = engine.plan.home[name]
    cells = cells_of(engine, group, lane, NEVER)
    recorded = zip(cells.bucket.tolist(), cells.status.tolist(), cells.value[:, 0].tolist(), strict=True)
    return {
        bucket // NS: value if status == VALUE else "gap"
        for bucket, status, value in recorded
        if status in (VALUE, GAP, NULL, FAILED)
    }


def watermark(engine: Engine, name: str) -> float | None:
    """A node's watermark in seconds; None for minus infinity, infinite where every source has ended."""
    group, lane = engine.plan.home[name]
    value = engine.clocks.watermark(group, lane)
    return None if value == NEVER else math.inf if value == FOREVER else value // NS


def counters(engine: Engine) -> dict[str, dict[str, int]]:
    """E14 by entry: the stream's name for bars, ``stream>reader`` for ticks."""
    found: dict[str, dict[str, int]] = {}
    for source in engine.sources:
        for entry in source.bars:
            found[entry.group.nodes[entry.lane].node_id] = entry.counters
        for tick in source.ticks:
            found[f"{tick.up.nodes[tick.lane].node_id}>{tick.reader.nodes[0].node_id}"] = tick.counters
    return found


def difference(case: Mapping[str, Any], wanted: Mapping[str, Any], got: Mapping[str, Any]) -> str:
    """Where two results first differ, or nothing."""
    for part in ("counters", "final_watermark", "emissions", "final_table"):
        for name in wanted[part]:
            one, other = wanted[part][name], got[part].get(name)
            if part == "emissions" and name in got["compiled"]:  # operators do not say what they were shown
                one, other = _unshown(one), _unshown(other)
            if repr(one) == repr(other) or _alike(one, other):
                continue
            if isinstance(one, list) and isinstance(other, list):
                at = next(
                    (n for n, pair in enumerate(zip(one, other, strict=False)) if not _alike(*pair)),
                    min(len(one), len(other)),
                )
                return f"{case['id']} {part} of {name} at {at}: wanted {one[at : at + 1]}, got {other[at : at + 1]}"
            return f"{case['id']} {part} of {name}: wanted {one}, got {other}"
    return ""


def _unshown(emitted: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in one.items() if k not in ("inputs", "missing")} for one in emitted]


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return repr(float(one)) == repr(float(other))
    return bool(one == other)
