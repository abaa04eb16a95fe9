"""The parts of a case, read from its plain description, which is documented in the package.

Nothing here decides anything about time except what follows from the shape of the graph alone: which input is
finer or coarser, where a node's origin is and which bucket is its first (readings 1 and 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NEVER = float("-inf")
FOREVER = float("inf")

TICK, OWN, FINER, COARSER = "tick", "own", "finer", "coarser"


@dataclass
class Source:
    """Where events come from, with the event-time settings of its entries."""

    name: str
    interval: int | None
    origin: float
    lateness: int
    on_late: str
    allowed_lateness: int | None
    idle_timeout: int | None
    identity: str


@dataclass
class Edge:
    """One input of a node. A window is either `rows` or `time`; ticks always have `time`."""

    name: str
    of: str
    relation: str
    interval: int  # of what it reads; 0 for ticks
    computed: bool
    rows: int | None
    time: int | None
    required: bool
    complete: bool


@dataclass
class Computed:
    """A node that reads other nodes or tick streams."""

    name: str
    interval: int
    origin: float
    first: int
    on_missing: str
    all_idle: str
    coarse_frontier: str
    function: str
    edges: list[Edge]


@dataclass
class Case:
    """A whole case: sources, then nodes in an order in which every node comes after its inputs."""

    sources: dict[str, Source]
    nodes: dict[str, Computed]
    arrivals: list[dict[str, Any]]
    end: float
    origins: dict[str, float] = field(default_factory=dict)
    firsts: dict[str, float] = field(default_factory=dict)


def read(description: Mapping[str, Any]) -> Case:
    """The case that a description describes; a description that makes no sense is refused."""
    end = description.get("end")
    case = Case({}, {}, list(description["arrivals"]), FOREVER if end is None else end)
    for one in description["sources"]:
        source = _source(one)
        case.sources[source.name] = source
        case.origins[source.name] = case.firsts[source.name] = source.origin
    for one in description["nodes"]:
        if one["name"] in case.sources or one["name"] in case.nodes:
            raise ValueError(f"two nodes are called {one['name']!r}")
        case.nodes[one["name"]] = _node(one, case)
    _check_arrivals(case)
    return case


def _source(one: Mapping[str, Any]) -> Source:
    origin = one.get("origin")
    return Source(
        one["name"],
        one.get("interval"),
        NEVER if origin is None else origin,
        one.get("lateness", 0),
        one.get("on_late", "recompute"),
        one.get("allowed_lateness"),
        one.get("idle_timeout"),
        one.get("identity", "event_id"),
    )


def _node(one: Mapping[str, Any], case: Case) -> Computed:
    name, interval = one["name"], one["interval"]
    edges = [_edge(each, one, case) for each in one["inputs"]]
    near = [edge for edge in edges if edge.relation != COARSER]
    origin = one.get("origin")
    if origin is None:
        origin = max(case.origins[edge.of] for edge in near or edges)
    first = min(case.firsts[edge.of] for edge in near or edges)
    if not near and one.get("origin") is not None:
        first = origin
    if first == NEVER:
        raise ValueError(f"node {name!r} has no first bucket: give its sources (or the node) an origin")
    first = int(first // interval * interval)
    case.origins[name], case.firsts[name] = origin, first
    return Computed(
        name,
        interval,
        origin,
        first,
        one.get("on_missing", "skip"),
        one.get("all_idle", "flush"),
        one.get("coarse_frontier", "structural"),
        one["function"],
        edges,
    )


def _edge(one: Mapping[str, Any], node: Mapping[str, Any], case: Case) -> Edge:
    of, interval, window = one["of"], node["interval"], one["window"]
    theirs = case.nodes[of].interval if of in case.nodes else case.sources[of].interval
    rows, time = window.get("rows"), window.get("time")
    if theirs is None:
        relation = TICK
        rows, time = None, rows * interval if time is None else time
    elif theirs == interval:
        relation = OWN
    elif interval % theirs == 0:
        relation = FINER
    elif theirs % interval == 0:
        relation = COARSER
    else:
        raise ValueError(
            f"{node['name']!r} ({interval}) and {of!r} ({theirs}): neither interval divides the other"
        )
    required, complete = one.get("required", True), one.get("complete", False)
    return Edge(one["name"], of, relation, theirs or 0, of in case.nodes, rows, time, required, complete)


def _check_arrivals(case: Case) -> None:
    finished = set()
    for one in case.arrivals:
        if "finished" in one:
            finished.add(one["finished"])
        elif "source" in one:
            if one["source"] in finished:
                raise ValueError(f"an event of {one['source']!r} arrives after its end")
            interval, ts = case.sources[one["source"]].interval, one["event_ts"]
            if interval is not None and ts % interval:
                raise ValueError(
                    f"bar of {one['source']!r} at {ts} does not start at a multiple of {interval}"
                )
    if finished and case.end == FOREVER:
        raise ValueError("a source finishes, so the case needs an end")
