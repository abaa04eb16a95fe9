"""The state of an engine as columns and numbers, from which another engine of the same plan goes on (R4, C6).

Rows come in *parts* that are cut at fixed bucket boundaries: what did not change since has the same bytes, and need
not be stored again. The rest, clocks, entries and the state of scans, is one small record. Both hold what is logically
there and nothing else: cells without a value are zero, any NaN is the same NaN, dictionaries are in order. So two
engines that are in the same state give the same bytes, however they came there.

Left out: what can be made again (memos of window sums, who is ready), and what was said before (changes, refusals, at
which arrival a bucket closed).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np
from blake3 import blake3

from qmtl.core.errors import Corrupt
from qmtl.core.flow import layout as at
from qmtl.core.flow.engine import Engine
from qmtl.core.flow.entry import TickEntry
from qmtl.core.flow.plan import Group, Plan
from qmtl.core.flow.timeline import COPY, PENDING, VALUE, Timeline
from qmtl.core.graph.ir import NodeKind, TickIdentity

PART_ROWS = 1024  # buckets between the boundaries of the newest parts; a multiple of COPY
WHOLE_ROWS = 8 * PART_ROWS  # of those before: reading many small arrays takes longer than reading their bytes
FORMAT = 1  # of parts and rest; another one is not read

CLOCK = [at.C_SEEN, at.C_WM, at.C_NEXT, at.C_FRONT, at.C_RAW, at.C_AT_RAW, at.C_IDLE]
SOURCE = [at.S_TOP, at.S_LAST, at.S_POSITION, at.S_IDLE, at.S_FINISHED]

Array = np.ndarray[Any, Any]


class Part(NamedTuple):
    """Rows of one timeline from `bucket` (ns) on, before the next boundary. Arrays of zeros may be left out."""

    interval: int
    bucket: int
    rows: int
    arrays: dict[
        str, Array
    ]  # "values" (rows, cells), "plane N" (rows, lanes), "copies N" (rows / COPY, words * lanes)


class Held(msgspec.Struct, array_like=True, frozen=True):
    """What an entry of bars remembers."""

    counts: list[int]
    held: list[tuple[int, list[bytes]]]  # of the side output, by event time
    revisions: list[tuple[int, int]]


class HeldTicks(msgspec.Struct, array_like=True, frozen=True):
    """What an entry of ticks remembers: its events in order of (time, order)."""

    counts: list[int]
    times: bytes
    orders: list[Any]
    values: bytes
    held: list[tuple[Any, list[tuple[int, bytes]]]]
    revisions: list[tuple[Any, int]]


class Rest(msgspec.Struct, array_like=True, frozen=True):
    """Everything but the rows. Arrays are little-endian int64 and float64, in C order."""

    step: int
    careful: bool
    clocks: bytes
    sources: bytes
    bars: list[Held]
    ticks: list[HeldTicks]
    halts: list[tuple[int, int, int]]  # group, lane, bucket
    scans: list[tuple[int, bytes]]  # by group
    timelines: list[tuple[int, int, int]]  # interval, base, rows


def plan_digest(plan: Plan) -> str:
    """What says whether a state fits a plan: its groups, their nodes and how wide everything is; hex."""
    told = [
        [str(group.kind), group.interval, group.lanes, list(group.outputs), [n.node_id for n in group.nodes]]
        for group in plan.groups
    ]
    widths = [
        [t.interval, t.width, [(p.dtype.char, p.shape[1]) for p in t.planes], [c.shape[1] for c in t.copies]]
        for t in plan.timelines.values()
    ]
    return blake3(msgspec.msgpack.encode([FORMAT, told, widths])).hexdigest()


# --- taking it -------------------------------------------------------------------------------------------------


def rest_of(engine: Engine) -> bytes:
    """Everything but the rows."""
    flow = engine.flow
    entries = [entry for source in engine.sources for entry in source.bars]
    return msgspec.msgpack.encode(
        Rest(
            engine.step,
            flow.careful,
            engine.clocks.table[CLOCK].tobytes(),
            np.array([source.fields[SOURCE] for source in engine.sources], np.int64).tobytes(),
            [
                Held(
                    entry.counts.tolist(),
                    [(ts, [one.tobytes() for one in values]) for ts, values in sorted(entry.held.items())],
                    sorted(entry.revisions.items()),
                )
                for entry in entries
            ],
            [_ticks(flow.ticks[key]) for key in sorted(flow.ticks)],
            sorted((*key, bucket) for key, bucket in flow.halts.at.items()),
            [(index, state.tobytes()) for index, state in sorted(flow.book.scans.items())],
            [(t.interval, t.base, t.rows) for t in engine.plan.timelines.values()],
        )
    )


def _ticks(entry: TickEntry) -> HeldTicks:
    values = np.array(entry.rows, np.float64)
    held = [(key, [(ts, one.tobytes()) for ts, one in found]) for key, found in entry.held.items()]
    return HeldTicks(
        entry.counts.tolist(),
        np.array([key[0] for key in entry.keys], np.int64).tobytes(),
        [key[1] for key in entry.keys],
        values.tobytes(),
        sorted(held, key=repr),
        sorted(entry.revisions.items(), key=repr),
    )


def parts_of(engine: Engine) -> Iterator[Part]:
    """The rows, part by part; the engine must not move meanwhile."""
    for timeline in engine.plan.timelines.values():
        stale = engine.flow.closed_at[timeline.interval]
        low = 0
        while low < timeline.rows:
            bucket = int(timeline.bucket[low])
            high = _end_of_part(timeline, low)
            arrays = {"values": _values(engine.plan, timeline, low, high)}
            for number, plane in enumerate(timeline.planes):
                if number != stale and plane.shape[1]:
                    arrays[f"plane {number}"] = plane[low:high]
            for number, copies in enumerate(timeline.copies):
                arrays[f"copies {number}"] = copies[low // COPY : -(-high // COPY)]
            yield Part(timeline.interval, bucket, high - low, arrays)
            low = high


def _end_of_part(timeline: Timeline, low: int) -> int:
    """The row before which the part that begins at `low` ends: at the boundary of whole parts, once it is there."""
    number = int(timeline.bucket[low]) // timeline.interval
    whole = low + WHOLE_ROWS - number % WHOLE_ROWS
    return whole if whole <= timeline.rows else min(timeline.rows, low + PART_ROWS - number % PART_ROWS)


def _values(plan: Plan, timeline: Timeline, low: int, high: int) -> Array:
    """Cells of rows ``[low, high)`` that hold something; the others are zero."""
    there = np.zeros((high - low, timeline.width), np.bool_)
    for group in plan.groups:
        if group.timeline is not timeline:
            continue
        status = group.S[low:high]
        present = (status == VALUE) | (status == PENDING)
        for first in group.out.tolist():
            there[:, first : first + group.lanes] = present
        for first, shown in _gathered(group):
            there[:, first : first + shown.stop - shown.start] = group.M[low:high, shown]
    found = np.where(there, timeline.V[low:high], 0.0)
    found[np.isnan(found)] = np.nan
    return found


def _gathered(group: Group) -> Iterator[tuple[int, slice]]:
    """Cells of inputs that a group has side by side: where they begin, and the lanes of `M` that say which hold."""
    for number, edge in enumerate(group.edges):
        if edge.scratch < 0:
            continue
        if group.kind is NodeKind.CROSS:
            yield edge.scratch, slice(number, number + 1)
            continue
        for column in range(len(edge.columns)):
            yield edge.scratch + column * group.lanes, slice(0, group.lanes)


def node_hashes(engine: Engine, part: Part, before: dict[str, str]) -> dict[str, str]:
    """By node id, the hash of what it holds, over the parts so far (`before`) and this one."""
    found = dict(before)
    columns = np.ascontiguousarray(part.arrays["values"].T)
    for group in engine.plan.groups:
        if group.interval != part.interval or group.timeline is None:
            continue
        planes = [part.arrays[f"plane {n}"] for n in group.planes if f"plane {n}" in part.arrays]
        for lane, node in enumerate(group.nodes):
            lanes = slice(lane, lane + 1) if len(group.nodes) == group.lanes else slice(0, group.lanes)
            digest = blake3(bytes.fromhex(found.get(node.node_id, "")))
            for first in group.out.tolist():
                digest.update(columns[first + lanes.start : first + lanes.stop].tobytes())
            for plane in planes:
                digest.update(plane[:, lanes].tobytes())
            found[node.node_id] = digest.hexdigest()
    return found


# --- going on from it --------------------------------------------------------------------------------------------


def put_rest(engine: Engine, content: bytes | memoryview) -> None:
    """Set a fresh engine to a state but for its rows. Raises Corrupt where that cannot be the state of this plan."""
    try:
        rest = msgspec.msgpack.decode(content, type=Rest)
        _put_rest(engine, rest)
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError) as wrong:
        raise Corrupt(f"the rest of a state does not fit its plan: {wrong}") from wrong


def _put_rest(engine: Engine, rest: Rest) -> None:
    flow = engine.flow
    engine.step, flow.careful = rest.step, rest.careful
    for interval, base, rows in rest.timelines:
        if rows:
            engine.plan.timelines[interval].ensure(base, base + (rows - 1) * interval)
    table = engine.clocks.table
    table[CLOCK] = np.frombuffer(rest.clocks, np.int64).reshape(len(CLOCK), table.shape[1])
    for source, row in zip(
        engine.sources, np.frombuffer(rest.sources, np.int64).reshape(-1, len(SOURCE)), strict=True
    ):
        source.fields[SOURCE] = row
    entries = [entry for source in engine.sources for entry in source.bars]
    for entry, kept in zip(entries, rest.bars, strict=True):
        entry.counts[:] = kept.counts
        entry.held = {ts: [np.frombuffer(one) for one in values] for ts, values in kept.held}
        entry.revisions = dict(kept.revisions)
    for key, ticks in zip(sorted(flow.ticks), rest.ticks, strict=True):
        _put_ticks(flow.ticks[key], ticks)
    flow.halts.at = {(group, lane): bucket for group, lane, bucket in rest.halts}
    for index, state in rest.scans:
        own = flow.book.scans[index]
        own[:] = np.frombuffer(state).reshape(own.shape)


def _put_ticks(entry: TickEntry, kept: HeldTicks) -> None:
    entry.counts[:] = kept.counts
    times = np.frombuffer(kept.times, np.int64).tolist()
    entry.keys = list(zip(times, kept.orders, strict=True))
    values = np.frombuffer(kept.values).reshape(len(times), -1) if times else np.zeros((0, 1))
    entry.rows = list(values)
    alone = entry.settings.identity is TickIdentity.EVENT_TS
    entry.known = {(ts if alone else order): (ts, order) for ts, order in entry.keys}
    entry.held = {key: [(ts, np.frombuffer(one)) for ts, one in found] for key, found in kept.held}
    entry.revisions = dict(kept.revisions)


def put_part(engine: Engine, part: Part) -> None:
    """Rows of a state whose rest was put before. Raises Corrupt where they cannot be those of this plan."""
    timeline = engine.plan.timelines.get(part.interval)
    if timeline is None:
        raise Corrupt(f"a part of interval {part.interval} ns does not fit its plan")
    low = timeline.row(part.bucket)
    high = low + part.rows
    if low < 0 or high > timeline.rows or timeline.base + low * timeline.interval != part.bucket:
        raise Corrupt(f"a part of {part.rows} rows from {part.bucket} on does not fit its timeline")
    for name, array in part.arrays.items():
        kind, _, number = name.partition(" ")
        known: dict[str, Any] = {"values": [timeline.V], "plane": timeline.planes, "copies": timeline.copies}
        try:
            whole: Array = known[kind][int(number or 0)]
        except (KeyError, IndexError, ValueError) as wrong:
            raise Corrupt(f"a part has {name}, which its plan has not") from wrong
        place = whole[low // COPY : -(-high // COPY)] if kind == "copies" else whole[low:high]
        if array.shape != place.shape or array.dtype != place.dtype:
            raise Corrupt(f"{name} of a part does not fit: {array.shape}, not {place.shape}")
        place[:] = array
