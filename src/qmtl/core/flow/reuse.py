"""Slices of an author's node that are known already: what identifies one, and who is asked for it (R6).

A slice is what a node came to over consecutive buckets that close together, cut at fixed bucket boundaries so that runs
that overlap meet on equal ones. What decides it is the node (its id: code, parameters, upstream) and its input window:
the state at its first bucket, which for windows is the rows they hold, and its inputs' slices. Values and gap markers
count, versions do not. So the engine asks with :func:`window_hash` before it computes, and a run that is cut
elsewhere asks for other slices but never takes a wrong one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
from blake3 import blake3

from qmtl.core.flow.plan import EdgePlan, Group, Relation
from qmtl.core.flow.timeline import NONE, VALUE
from qmtl.core.flow.windows import TickEntries
from qmtl.core.graph.ir import Node

SPAN = 1024  # buckets between the boundaries of slices, unless who keeps them says otherwise


class Slice(NamedTuple):
    """What consecutive buckets of a node came to."""

    status: np.ndarray  # uint8 (buckets,), as in the timeline
    values: np.ndarray  # float64 (buckets, outputs); of use where there is a value


class Reuse(Protocol):
    """Who keeps slices. `window` is that of :func:`window_hash`, `bucket` the slice's first (ns)."""

    @property
    def span(self) -> int:
        """Buckets between the boundaries of slices."""
        ...

    def find(self, node: Node, window: bytes, bucket: int, rows: int) -> Slice | None:
        """A slice that is known; None has the caller compute it, and then call `computed`."""
        ...

    def computed(self, node: Node, window: bytes, bucket: int, made: Slice) -> None:
        """The slice just asked for; not called where the function failed."""
        ...


def pieces(bucket: int, rows: int, interval: int, span: int) -> Iterator[tuple[int, int]]:
    """``(first, stop)`` of the parts, counted in rows from `bucket`, into which the boundaries cut so many rows.

    What does not reach the next boundary is cut at those of halves, quarters and so on, down to a sixteenth, where a
    longer run will find it again.
    """
    at, first = bucket // interval, 0
    while first < rows:
        stop = min(first + span - (at + first) % span, rows)
        if (at + stop) % span:
            stop = next((first + size for size in parts(at + first, span) if first + size <= rows), stop)
        yield first, stop
        first = stop


def parts(number: int, span: int) -> list[int]:
    """Sizes of the parts of a span that may begin at a bucket of this number, largest first."""
    sizes = (span >> halved for halved in range(1, 5))
    return [size for size in sizes if size and number % size == 0]


def through(
    reuse: Reuse,
    group: Group,
    lane: int,
    ticks: TickEntries,
    r0: int,
    r1: int,
    going: bool,
    compute: Callable[[int, int], bool],
    adopt: Callable[[int, int, Slice], None],
) -> None:
    """Rows ``[r0, r1)`` of a lane, piece by piece: what is known is adopted, the rest computed and told to `reuse`.

    `compute(low, high)` says whether the lane goes on; one that has halted (`going` false) is not asked about.
    """
    timeline = group.timeline
    assert timeline is not None
    node, start = group.nodes[lane], int(timeline.bucket[r0])

    def found(low: int, high: int) -> bytes:
        """Adopts what is known of these rows; else the key for what is to be computed."""
        window = window_hash(group, lane, low, high, ticks)
        known = reuse.find(node, window, int(timeline.bucket[low]), high - low)
        if known is None:
            return window
        adopt(low, high, known)
        return b""

    for first, stop in pieces(start, r1 - r0, group.interval, reuse.span):
        low, high = r0 + first, r0 + stop
        while low < high and going:
            number = int(timeline.bucket[low]) // group.interval
            sizes = [size for size in parts(number, reuse.span) if size < high - low]
            taken = next((size for size in (high - low, *sizes) if not found(low, low + size)), 0)
            window = b"" if taken else found(low, high)  # asked last for what is computed now
            if window:
                going = compute(low, high)
                if going:
                    status, values = group.S[low:high, lane].copy(), timeline.V[low:high, group.out + lane]
                    reuse.computed(node, window, int(timeline.bucket[low]), Slice(status, values))
            low = low + taken if taken else high
        if low < high:
            compute(low, high)


def window_hash(group: Group, lane: int, r0: int, r1: int, ticks: TickEntries) -> bytes:
    """Merkle root of all that rows ``[r0, r1)`` of a lane are computed from; 32 bytes.

    The rows before ``r0`` must be computed, the inputs closed up to the end of ``r1 - 1``.
    """
    timeline = group.timeline
    assert timeline is not None
    first, stop = int(timeline.bucket[r0]), int(timeline.bucket[r1 - 1]) + group.interval
    held = min(int(group.N[r0 - 1, lane]), group.rows - 1) if r0 > 0 else 0
    leaves = [np.array([first, stop, _unseen(group, lane, first)], np.int64).tobytes()]
    for edge in group.edges:
        if edge.relation is Relation.TICK:
            leaves += _ticks(group, edge, lane, first, stop, ticks)
        else:
            leaves += _rows(group, edge, lane, r0, stop, held)
    return blake3(b"".join(leaves)).digest()


def _unseen(group: Group, lane: int, first: int) -> int:
    """How much (ns) of the window of time at bucket `first` lies before the origin: there it is in warm-up (E5)."""
    spans = [edge.window.span_ns for edge in group.edges if edge.window.span_ns is not None]
    origin = int(group.origin[min(lane, len(group.origin) - 1)]) if spans else first
    return max(0, *(origin - (first + group.interval - span) for span in spans), 0)


def _rows(group: Group, edge: EdgePlan, lane: int, r0: int, stop: int, held: int) -> list[bytes]:
    """Digests of what the windows hold before row `r0`, and of the input's slice from there to `stop` (ns)."""
    timeline, up, theirs = group.timeline, edge.up.timeline, int(edge.lanes[lane])
    assert timeline is not None and up is not None
    bucket = int(timeline.bucket[r0])
    if up.rows == 0:
        return [b"", b""]
    begin = bucket if edge.relation is Relation.OWN else min(bucket, bucket // up.interval * up.interval)
    now = min(max(up.row(begin), 0), up.rows)
    low = min(now, _start(group, edge, lane, r0, held, now))
    high = min(max(up.row(stop - up.interval) + 1, now), up.rows)
    columns = edge.up.out[list(edge.columns)] + theirs
    status = edge.up.S[low:high, theirs]
    values = up.V[low:high, columns]
    values[status != VALUE] = 0.0
    times = up.bucket[low:high]
    cut = now - low
    return [
        blake3(times[part].tobytes() + status[part].tobytes() + values[part].tobytes()).digest()
        for part in (slice(0, cut), slice(cut, None))
    ]


def _start(group: Group, edge: EdgePlan, lane: int, r0: int, held: int, now: int) -> int:
    """The first row of the input that the window at row `r0` may show."""
    timeline, up = group.timeline, edge.up.timeline
    assert timeline is not None and up is not None
    span = edge.window.span_ns
    if span is not None:
        begin = int(timeline.bucket[r0]) + group.interval - span
        return max(0, up.row(begin - (up.interval if edge.relation is Relation.COARSER else 0)))
    if edge.relation is Relation.OWN:
        found = r0
        while held > 0:
            found -= 1
            held -= int(group.M[found, lane])
        return found
    wanted = (edge.window.rows or 1) + 1  # the window may end a bar before
    row, status = min(now + 1, up.rows), edge.up.S
    while wanted > 0 and row > 0:
        row -= 1
        wanted -= int(status[row, edge.lanes[lane]] == VALUE)
    known = np.flatnonzero(status[:now, edge.lanes[lane]] != NONE)
    return int(known[0]) if wanted > 0 and len(known) > 0 else row


def _ticks(group: Group, edge: EdgePlan, lane: int, first: int, stop: int, ticks: TickEntries) -> list[bytes]:
    entry, span = ticks[group.index, edge.up.index, int(edge.lanes[lane])], edge.window.span_ns
    assert span is not None
    found = []
    for low, high in ((first + group.interval - span, first), (first, stop)):
        times, values = entry.span(low, max(low, high))
        found.append(blake3(times.tobytes() + values[:, list(edge.columns)].tobytes()).digest())
    return found
