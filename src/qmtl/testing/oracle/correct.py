"""Closing buckets and correcting those already closed (E4, E6, E8, E12)."""

from __future__ import annotations

import math
from typing import Any

from qmtl.testing.oracle.case import FOREVER, NEVER, TICK, Case, Computed
from qmtl.testing.oracle.clock import bar_watermark, watermark
from qmtl.testing.oracle.state import NodeState, World
from qmtl.testing.oracle.value import SCAN_STEPS, same_bits
from qmtl.testing.oracle.window import EMPTY, FAILED, MISSING, NO_VALUE, VALUE, WARM_UP, Bucket, Outcome

Changes = dict[str, list[int]]  # by entry: the times at which its stored events changed in this step


def step_bars(name: str, step: int, case: Case, world: World, changes: Changes) -> None:
    """A bar stream after a step: corrections of bars already closed, then the bars that close now."""
    state, stored = world.nodes[name], world.entries[name].stored
    source, hits = case.sources[name], world.hits
    state.changed = []
    for bar in changes.get(name, []):
        if bar + state.interval <= state.closed:
            _tell_bar(state, bar, stored[bar].value, step)
            hits["E8.bar_corrected" if state.records[bar][0] else "E8.bar_fills_a_hole"] += 1
    state.idle = world.sources[name].idle
    before = state.advance(bar_watermark(source, world), case.end, hits)
    for bar in sorted(stored):
        if before < bar + state.interval <= state.closed:
            _tell_bar(state, bar, stored[bar].value, step)
    if before > NEVER and any(b not in stored for b in range(int(before), int(state.closed), state.interval)):
        hits["E6.bars_record_no_gaps"] += 1


def _tell_bar(state: NodeState, bar: int, value: float, step: int) -> None:
    old = state.values.get(bar)
    version = state.record(bar, value)
    told: dict[str, Any] = {"step": step, "bucket": bar, "kind": "initial"}
    if version:
        told |= {"kind": "correction", "retract": old}
    state.emissions.append(told | {"inputs": {}, "output": value, "version": version})


def step_node(node: Computed, step: int, case: Case, world: World, changes: Changes, resumed: bool) -> None:
    """A computed node after a step: corrections first, then its watermark, then the buckets that close."""
    state = world.nodes[node.name]
    state.changed = []
    since = _changed_since(node, world, changes)
    if resumed and state.halted:
        world.hits["E6.resumed"] += 1
        state.halted_from, since = FOREVER, NEVER
    if since < FOREVER and state.closed > NEVER:
        for start in range(node.first, int(state.closed), node.interval):
            if start + node.interval > since and not state.halted:  # an earlier bucket cannot see the change
                _correct(node, start, step, world)
        if since < FOREVER and not state.changed and since < state.closed:
            world.hits["E8.nothing_moved"] += 1
    corrected = bool(state.changed)
    before = state.advance(watermark(node, case, world), case.end, world.hits)
    if state.closed == NEVER:
        return
    start, closed = int(max(node.first, before)), int(state.closed)
    if corrected and start < closed:
        world.hits["E12.corrections_before_closing"] += 1
    if closed - start > node.interval:
        world.hits["E4.several_ascending"] += 1
    for bucket in range(start, closed, node.interval):
        _close(node, bucket, step, world)


def _changed_since(node: Computed, world: World, changes: Changes) -> float:
    """The earliest time at which anything the node reads changed in this step."""
    times: list[float] = [FOREVER]
    for edge in node.edges:
        found = (
            changes.get(f"{edge.of}>{node.name}", [])
            if edge.relation == TICK
            else world.nodes[edge.of].changed
        )
        times.extend(found)
    return min(times)


def _close(node: Computed, start: int, step: int, world: World) -> None:
    """The first judgement of a bucket."""
    state = world.nodes[node.name]
    if state.halted:
        world.hits["E6.closed_after_halt"] += 1
        state.changed.append(start)
        return
    outcome = Bucket(node, start, world).outcome()
    if outcome.kind != WARM_UP:
        _tell_first(node, start, step, outcome, world)


def _tell_first(node: Computed, start: int, step: int, outcome: Outcome, world: World) -> None:
    """Version 0 of a bucket: a value, a gap or a failure."""
    state, hits = world.nodes[node.name], world.hits
    state.record(start, outcome.value)
    told: dict[str, Any] = {"step": step, "bucket": start}
    if outcome.kind == VALUE:
        hits["E1.negative_bucket" if start < 0 else "E5.value"] += 1
        if outcome.value is not None and math.isnan(outcome.value):
            hits["E17.nan_is_a_value"] += 1
        told |= {"kind": "initial", "inputs": outcome.inputs, "output": outcome.value, "version": 0}
    elif outcome.kind == FAILED or (outcome.kind == MISSING and node.on_missing == "fail"):
        hits["E6.function_raised" if outcome.kind == FAILED else "E6.fail"] += 1
        told |= {"kind": "gap_fail", "missing": outcome.missing}
        state.halt()
    else:
        hits[
            {MISSING: "E6.skip", EMPTY: "E6.nothing_present", NO_VALUE: "E6.function_gave_none"}[outcome.kind]
        ] += 1
        told |= {"kind": "gap_skip", "missing": outcome.missing}
    state.emissions.append(told)


def _correct(node: Computed, start: int, step: int, world: World) -> None:
    """E8: a closed bucket once more."""
    state, hits = world.nodes[node.name], world.hits
    outcome = Bucket(node, start, world).outcome()
    if start not in state.records:
        if outcome.kind != WARM_UP:
            hits["E8.warm_up_to_value" if outcome.kind == VALUE else "E8.warm_up_to_gap"] += 1
            _tell_first(node, start, step, outcome, world)
        return
    version, old = state.records[start]
    if outcome.kind == FAILED:
        hits["E8.correction_raised"] += 1
        state.halt()
    elif same_bits(old, outcome.value):
        _count_equal(node, old, outcome, world)
        return
    _count_correction(node, version, old, outcome, world)
    told = {"step": step, "bucket": start, "kind": "correction", "retract": old, "inputs": outcome.inputs}
    state.emissions.append(told | {"output": outcome.value, "version": state.record(start, outcome.value)})


def _count_equal(node: Computed, old: float | None, outcome: Outcome, world: World) -> None:
    if old is None:
        world.hits["E8.still_no_value"] += 1
    elif math.isnan(old):
        world.hits["E8.equal_nan"] += 1
    elif node.function in SCAN_STEPS:
        world.hits["E8.scan_equal_output"] += 1
    else:
        world.hits["E8.equal_bits"] += 1


def _count_correction(
    node: Computed, version: int, old: float | None, outcome: Outcome, world: World
) -> None:
    hits = world.hits
    if old is None:
        hits["E8.gap_retracts_null" if version == 0 else "E8.null_retracts_null"] += 1
    elif outcome.value is None:
        names = {NO_VALUE: "E8.value_to_null", MISSING: "E8.input_withdrawn", WARM_UP: "E8.rows_withdrawn"}
        hits[names.get(outcome.kind, "E8.value_to_null")] += 1
    else:
        hits["E8.value_to_value"] += 1
    if node.function in SCAN_STEPS:
        hits["E8.scan_replayed"] += 1
    if any(edge.computed for edge in node.edges):
        hits["E8.correction_of_a_reader_of_nodes"] += 1
