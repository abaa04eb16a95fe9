"""Frontiers, watermarks and idleness (E2, E3, E11)."""

from __future__ import annotations

from qmtl.testing.oracle.case import COARSER, FOREVER, NEVER, TICK, Case, Computed, Edge, Source
from qmtl.testing.oracle.state import World


def tell_time(case: Case, world: World, now: int) -> None:
    """E11: a source is idle iff it has been silent for its timeout; only a clock tick can find that out."""
    for source in case.sources.values():
        state = world.sources[source.name]
        if source.idle_timeout is None or state.frontier == FOREVER:
            continue
        idle = now - state.last_arrival >= source.idle_timeout
        world.hits["E11.idle" if idle else "E11.not_yet_idle"] += 1
        state.idle = idle


def bar_watermark(source: Source, world: World) -> float:
    """The watermark of a bar stream: the largest bar end seen less its lateness."""
    state = world.sources[source.name]
    if source.lateness and state.frontier not in (NEVER, FOREVER):
        world.hits["E3.lateness_of_bars"] += 1
    return state.frontier - source.lateness


def is_idle(edge: Edge, world: World) -> bool:
    return world.sources[edge.of].idle if edge.relation == TICK else world.nodes[edge.of].idle


def frontier_less_lateness(edge: Edge, node: Computed, case: Case, world: World) -> float:
    """What one input allows the watermark of its reader to be."""
    if edge.relation == TICK:
        lateness = case.sources[edge.of].lateness
        world.hits["E3.lateness_of_ticks" if lateness else "E2.ticks"] += 1
        return world.sources[edge.of].frontier - lateness
    frontier = world.nodes[edge.of].frontier
    if edge.relation == COARSER and frontier > NEVER:
        world.hits[f"E2.{node.coarse_frontier}"] += 1
        if node.coarse_frontier == "structural":
            return frontier + edge.interval - 1
    return frontier


def watermark(node: Computed, case: Case, world: World) -> float:
    """E3, E11: the least over the active inputs; all idle: the largest (flush) or no change (hold)."""
    state, hits = world.nodes[node.name], world.hits
    fronts = [frontier_less_lateness(edge, node, case, world) for edge in node.edges]
    active = [f for f, edge in zip(fronts, node.edges, strict=True) if not is_idle(edge, world)]
    state.idle = not active
    if active:
        if min(active) == NEVER:
            hits["E2.nothing_seen"] += 1
        if min(fronts) < min(active) and min(active) > state.wm:
            hits["E11.idle_is_not_waited_for"] += 1
        if min(active) < max(active):
            hits["E3.slowest_decides"] += 1
        return min(active)
    if node.all_idle == "hold":
        if max(fronts) > state.wm:
            hits["E11.hold"] += 1
        return state.wm
    if max(fronts) > state.wm:
        hits["E11.flush"] += 1
    return max(fronts)
