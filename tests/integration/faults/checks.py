"""What must hold after a run (SEMANTICS, *What a test run checks afterwards*), as others than workers read it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import psycopg
from kafka_counted import visible

from faults.place import Place, table
from qmtl.adapters.kafka.cluster import Cluster
from qmtl.core.flow.commit import STEP_KEY, Position, Record, Slot, StepRecord, Topic
from qmtl.ports.log import Log
from qmtl.runtime.worker.messages import (
    Consumed,
    Events,
    Slices,
    chained,
    consumed,
    decoded,
    results_digest,
)
from qmtl.runtime.worker.reading import read_all
from qmtl.runtime.worker.spread import Spread


@dataclass
class Found:
    """What a run has committed."""

    steps: int = 0
    results: int = 0
    buckets: int = 0  # of nodes, that have a record
    corrected: int = 0  # of them in a later version than 0
    takeovers: int = 0
    wrong: list[str] = field(default_factory=list)


async def checked(log: Log, url: str, place: Place, spread: Spread) -> Found:
    """Read everything and compare it with the oracle; what is wrong is told in words."""
    found = Found()
    await _results(log, place, found)
    streams = {key: place.rows for key, node in spread.nodes.items() if node.stream}
    events: dict[str, list[bytes]] = {}
    for slot in range(log.slots):
        commits = await records(log, Topic.COMMITS, Slot(slot))
        inputs = await records(log, Topic.SLOTS, Slot(slot))
        if commits != independent(url, Topic.COMMITS, slot) or inputs != independent(url, Topic.SLOTS, slot):
            found.wrong.append(f"slot {slot}: two readers see different records")
        _steps(slot, commits, found)
        _inputs(slot, inputs, commits, found)
        _slices(slot, inputs, spread, found, events)
    for key, rows in streams.items():
        times = np.frombuffer(b"".join(events.get(key, [])), np.int64)
        if len(times) != rows or len(np.unique(times)) != rows:
            found.wrong.append(f"{spread.nodes[key].stream}: {len(times)} events came in, of {rows} (C7)")
    return found


async def _results(log: Log, place: Place, found: Found) -> None:
    """Each bucket once, versions without holes, epochs ascending, and all of it what the backtest has."""
    committed = await read_all(log)
    found.results, found.wrong = committed.results, list(committed.wrong)
    for key, wanted in place.oracle.items():
        latest = committed.nodes[key].latest if key in committed.nodes else {}
        have = table((bucket, status, row) for bucket, (status, row, _) in latest.items())
        found.buckets += len(have)
        found.corrected += sum(version > 0 for _, _, version in latest.values())
        if have != wanted:
            differ = sorted(at for at in have.keys() | wanted.keys() if have.get(at) != wanted.get(at))
            example = f"{differ[0]}: {have.get(differ[0])}, not {wanted.get(differ[0])}"
            found.wrong.append(f"{key[0][:12]}: {len(differ)} buckets differ from the backtest, as {example}")
    unknown = committed.nodes.keys() - place.oracle.keys()
    found.wrong += [f"{key[0][:12]} is none of the backtest's nodes" for key in unknown]


def _steps(slot: int, commits: list[Record], found: Found) -> None:
    """Steps are whole (C2), by owners that follow each other (C5), and none goes back."""
    pending: list[Record] = []
    before: StepRecord | None = None
    for record in commits:
        if record.key != STEP_KEY:
            pending.append(record)
            continue
        step = StepRecord.of(record)
        if consumed(step.body).outputs != results_digest(pending):
            found.wrong.append(f"slot {slot}: the step to {step.position} is not whole (C2)")
        if before is not None:
            found.takeovers += step.epoch != before.epoch
            if step.epoch < before.epoch or step.position < before.position:
                found.wrong.append(f"slot {slot}: a step to {step.position} after {before.position} (C5)")
        pending, before = [], step
        found.steps += 1
    if pending:
        found.wrong.append(f"slot {slot}: {len(pending)} results without a step (C2)")


def _inputs(slot: int, inputs: list[Record], commits: list[Record], found: Found) -> None:
    """All of its input is consumed, every record once and in order: the last step's digest is of just these."""
    digest = b""
    for record in inputs:
        digest = chained(digest, record.value)
    steps = [record for record in commits if record.key == STEP_KEY]
    told = consumed(StepRecord.of(steps[-1]).body) if steps else Consumed({})
    if told.inputs != digest:
        found.wrong.append(f"slot {slot}: its {len(inputs)} inputs are not what its last step has consumed")


def _slices(
    slot: int, inputs: list[Record], spread: Spread, found: Found, events: dict[str, list[bytes]]
) -> None:
    """What other slots sent, each bucket's first value once and in order; the events of the slot's own streams."""
    until: dict[tuple[str, int], int] = {}
    for message in _messages(inputs):
        if isinstance(message, Events) and spread.home[message.stream] == slot:
            events.setdefault(message.stream, []).append(message.event_ns)
        elif isinstance(message, Slices) and message.closed.status:
            key, begin = (message.node_id, message.lane), message.closed.bucket
            interval = spread.nodes[message.node_id].interval_ns or 0
            if until.get(key, begin) != begin:
                found.wrong.append(
                    f"slot {slot}: slices of {key[0][:12]} go on at {begin} after {until[key]}"
                )
            until[key] = begin + interval * len(message.closed.status)


def _messages(inputs: Iterable[Record]) -> Iterable[object]:
    return (message for record in inputs for message in decoded(record.value))


async def records(log: Log, topic: Topic, slot: Slot) -> list[Record]:
    """All that is visible to a reader of the port."""
    found, at = [], Position(0)
    while True:
        batch = await log.read(topic, slot, at)
        found += [entry.record for entry in batch.entries]
        if batch.next == at:
            return found
        at = batch.next


def independent(url: str, topic: Topic, slot: int) -> list[Record]:
    """The same, read without any code of the log."""
    scheme, _, rest = url.partition("://")
    if scheme == "kafka":
        host, _, name = rest.partition("/")
        return [Record(key, value) for key, value in visible(Cluster(host, name), topic, slot)]
    rows = f"""SELECT key, value FROM qmtl_log_records JOIN qmtl_log_partitions ON id = partition
        WHERE topic = '{topic.value}' AND slot = {slot} ORDER BY position"""
    if scheme == "sqlite":
        import sqlite3

        with sqlite3.connect(rest.removeprefix("/")) as connection:
            return [Record(*row) for row in connection.execute(rows)]
    with psycopg.connect(url) as server:
        return [Record(bytes(key), bytes(value)) for key, value in server.execute(rows)]


async def drained(log: Log, place: Place, spread: Spread) -> bool:
    """Whether all events are in, and every record of every slot is consumed."""
    for slot in spread.slots():
        step = await last_step(log, Slot(slot))
        if step is None or (await log.read(Topic.SLOTS, Slot(slot), step.position, 1)).entries:
            return False
        fed = consumed(step.body).fed
        if any(fed.get(node.node_id, 0) <= place.rows for node in spread.streams(slot)):
            return False  # after its last row a stream is told to be finished
    return True


async def last_step(log: Log, slot: Slot) -> StepRecord | None:
    """Every step ends with its record, so it is near the end."""
    end = (await log.end(Topic.COMMITS, slot)).visible
    reach = 64
    while True:
        start = Position(max(0, end - reach))
        found, at = [], start
        while (batch := await log.read(Topic.COMMITS, slot, at)).next != at:
            found += [e.record for e in batch.entries if e.record.key == STEP_KEY]
            at = batch.next
        if found or start == 0:
            return StepRecord.of(found[-1]) if found else None
        reach *= 16
