"""When everything is well again, all of it is there: nothing waits, nothing is lost, all agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qmtl.core.flow.commit import Position, Slot
from qmtl.core.flow.timeline import FAILED, GAP, NULL, VALUE
from qmtl.core.graph.ir import NS
from qmtl.ports.log import Log
from qmtl.runtime.worker.reading import CommitLog, read_all
from qmtl.testing.oracle import run
from qmtl.testing.simulation.reference import Reference
from qmtl.testing.simulation.witness import Witness
from qmtl.testing.simulation.workload import Workload


def waiting(workload: Workload, witness: Witness, reference: Reference) -> str:
    """What is not done yet, or nothing: feeds that are not at their end, inputs that are not consumed."""
    spread = workload.layout.spread
    for stream, events in workload.events.items():
        node = spread.nodes[stream]
        own = () if node.interval_ns is None else (spread.home[stream],)
        slots = own if own else spread.readers.get(stream, ())
        for slot in slots:
            came = reference.fed.get((Slot(slot), stream), 0)
            if came < len(events) + 1:
                return f"slot {slot} has {came} of {len(events)} events of {stream} and its end"
    for slot, plan in reference.plans.items():
        if plan.ahead:
            return f"slot {slot} has {len(plan.ahead)} records that nobody consumed"
    return ""


def table(log: CommitLog, name: str) -> dict[int, Any]:
    """The latest of every bucket, in the oracle's words."""
    found = log.nodes.get((name, 0))
    if found is None:
        return {}
    recorded = (VALUE, GAP, NULL, FAILED)
    return {
        bucket // NS: values[0] if status == VALUE else "gap"
        for bucket, (status, values, _) in sorted(found.latest.items())
        if status in recorded
    }


async def different(workload: Workload, log: Log, witness: Witness) -> str:
    """How what is committed differs from what it should be, or nothing (E15, C1, P5)."""
    case = workload.case
    wanted: Mapping[str, Mapping[int, Any]] = run(case)["final_table"]
    found = await read_all(log)
    if found.wrong:
        return f"C1: {found.wrong[0]}"
    for name in sorted(wanted.keys() - workload.layout.shaky):
        got = table(found, name)
        difference = _first(wanted[name], got)
        if difference:
            return f"E15: {name}: {difference}"
    return await _disagreeing(log, witness)


def _first(wanted: Mapping[int, Any], got: Mapping[int, Any]) -> str:
    """The first bucket with another value; a gap and no record are the same here.

    A bucket that was recorded and then lost its rows stays recorded (reading 5 of decision 1), and whether it was
    depends on the order of arrivals. That no gap is lost is the reference's to see, which reads them in their order.
    """
    for bucket in sorted({*wanted, *got}):
        one, other = wanted.get(bucket, "gap"), got.get(bucket, "gap")
        if repr(one) != repr(other):
            return f"bucket {bucket} s: {other} is committed, {one} is right"
    return ""


async def _disagreeing(log: Log, witness: Witness) -> str:
    """All readers agree: one who reads everything now sees what was seen as it came."""
    for (topic, slot), seen in witness.seen.items():
        at, again = Position(0), list[Any]()
        while True:
            batch = await log.read(topic, slot, at, limit=7)
            again += batch.entries
            if not batch.entries:
                break
            at = batch.next
        if again != seen:
            return f"P5: {topic} {slot}: {len(again)} records are there, {len(seen)} were seen as they came"
    return ""
