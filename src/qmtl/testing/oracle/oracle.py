"""A case from its first arrival to its last."""

from __future__ import annotations

from typing import Any

from qmtl.testing.oracle.case import FOREVER, NEVER, TICK, Case, read
from qmtl.testing.oracle.clock import tell_time
from qmtl.testing.oracle.correct import Changes, step_bars, step_node
from qmtl.testing.oracle.entry import LATE, SIDE_OUTPUT, USED, Entry
from qmtl.testing.oracle.state import NodeState, SourceState, World


def run(description: dict[str, Any]) -> dict[str, Any]:
    """Everything the nodes of a case emit, and what is left at its end; see the package for both formats."""
    case = read(description)
    world = _world(case)
    for step, arrival in enumerate(case.arrivals):
        changes: Changes = {}
        if "tick" in arrival:
            tell_time(case, world, arrival["tick"])
        elif "finished" in arrival:
            world.sources[arrival["finished"]].frontier = FOREVER
            world.sources[arrival["finished"]].idle = False
            world.hits["E2.finished"] += 1
        elif "resume" not in arrival:
            changes = _arrive(arrival, step, case, world)
        for name, source in case.sources.items():
            if source.interval is not None:
                step_bars(name, step, case, world, changes)
        for node in case.nodes.values():
            step_node(node, step, case, world, changes, arrival.get("resume") == node.name)
    return _result(world)


def _world(case: Case) -> World:
    world = World()
    for name, source in case.sources.items():
        world.sources[name] = SourceState()
        if source.interval is not None:
            world.nodes[name] = NodeState(source.interval)
            world.entries[name] = Entry(source, source.interval, world.hits)
    for name, node in case.nodes.items():
        world.nodes[name] = NodeState(node.interval)
        for edge in node.edges:
            if edge.relation == TICK:
                world.entries[f"{edge.of}>{name}"] = Entry(case.sources[edge.of], node.interval, world.hits)
    return world


def _arrive(arrival: dict[str, Any], step: int, case: Case, world: World) -> Changes:
    """E12: dedup, classify and store at every entry of the source; then its frontier (E2, E10)."""
    name = arrival["source"]
    source, state = case.sources[name], world.sources[name]
    value = arrival["value"]
    event = arrival | {"value": float("nan") if value is None else float(value)}
    state.last_arrival = arrival.get("at", 0)
    changes: Changes = {}
    fates = []
    for key, entry in world.entries.items():
        if key.split(">")[0] != name:
            continue
        node = world.nodes[key.split(">")[-1]]
        fate, changes[key] = entry.take(event, state.arrived, node.wm)
        fates.append(fate)
        if fate != USED and not node.halted:
            node.emissions.append(_refusal(arrival, step, fate, entry.interval))
        if fate == USED and source.interval is not None:
            _count_closed_readers(event["event_ts"], name, case, world)
    if state.idle:
        world.hits["E11.active_again"] += 1
        if any(fate not in (USED,) for fate in fates):
            world.hits["E10.refused_event_wakes_its_source"] += 1
    ts = event["event_ts"]
    state.idle = False
    state.arrived += 1
    if ts < 0:
        world.hits["E1.negative_time"] += 1
    if state.frontier > NEVER and ts < state.frontier - (source.interval or 0):
        world.hits["E10.frontier_is_a_maximum"] += 1
    state.frontier = max(state.frontier, ts + (source.interval or 0))
    return changes


def _count_closed_readers(ts: int, name: str, case: Case, world: World) -> None:
    bars = world.nodes[name]
    for node in case.nodes.values():
        reads = any(edge.of == name for edge in node.edges)
        if reads and bars.closed <= ts and ts + bars.interval <= world.nodes[node.name].closed:
            world.hits["E8.in_time_but_its_reader_had_closed"] += 1


def _refusal(arrival: dict[str, Any], step: int, fate: str, interval: int) -> dict[str, Any]:
    told = {
        "step": step,
        "kind": "side_output",
        "upstream": arrival["source"],
        "event_ts": arrival["event_ts"],
        "value": arrival["value"],
        "bucket": arrival["event_ts"] // interval * interval,
    }
    if fate != SIDE_OUTPUT:
        told |= {"kind": "dropped", "reason": "late" if fate == LATE else fate}
    return told


def _result(world: World) -> dict[str, Any]:
    return {
        "emissions": {name: state.emissions for name, state in world.nodes.items()},
        "final_watermark": {
            name: None if state.wm == NEVER else state.wm for name, state in world.nodes.items()
        },
        "final_table": {
            name: {b: "gap" if value is None else value for b, (_, value) in sorted(state.records.items())}
            for name, state in world.nodes.items()
        },
        "counters": {key: entry.counters for key, entry in world.entries.items()},
        "branches": world.hits,
    }
