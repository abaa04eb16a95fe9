"""History as jobs: what authors' functions come to over the past, computed beside the slots (C10).

A *segment* is the arrivals between two boundaries of slices, in the order in which they came. A *job* computes the
authors' nodes of one home over some segments, and keeps their slices under what they were computed from (R6). Where all
that the nodes are made of is windows, a job begins so much earlier that those are full (the halo), and jobs of one home
run at the same time; where something has no end (an average, a sum over all), each job follows the one before it.

A slice answers for its input window and nothing else. So jobs only save work: a halo that was too short, a job that was
done twice or never, and a store that lost something make the owner of the slot compute again, and nothing wrong.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qmtl.core.flow.building import build
from qmtl.core.flow.engine import Engine
from qmtl.core.flow.kernel import KernelKind
from qmtl.core.flow.plan import Plan
from qmtl.core.flow.reuse import SPAN, Reuse
from qmtl.core.graph.ir import Node, NodeKind
from qmtl.core.graph.walk import topological
from qmtl.runtime.arrivals import ArrivalKind, Arrivals, SourceKey
from qmtl.runtime.backtest import boundaries
from qmtl.runtime.worker.batch import Came, batch_of, together
from qmtl.runtime.worker.feed import TableFeed
from qmtl.runtime.worker.messages import Finished
from qmtl.runtime.worker.slot import reserve
from qmtl.runtime.worker.spread import STREAMS, Spread

JOBS = 32  # of a home, at most
HALOS = 4  # a job is at least so many times as long as its halo
LEAST = 4  # segments: less than that is not worth a job


@dataclass(frozen=True, slots=True)
class Job:
    """The authors' nodes of a home over the segments ``[first, stop)``, from input that begins at segment `start`.

    `after`: the jobs whose slices it reads.
    """

    name: str
    home: int
    start: int
    first: int
    stop: int
    after: tuple[str, ...] = ()


class History:
    """The segments of what has come, and the jobs over them."""

    def __init__(self, laid: Spread, arrivals: Arrivals, span: int = SPAN) -> None:
        """`arrivals`: of all streams whose past is known; `span`: buckets between the boundaries of slices."""
        self.arrivals, self._laid = arrivals, laid
        nodes = laid.nodes.values()
        self._tables: dict[str, TableFeed] = {}
        self._authors: dict[int, list[Node]] = {}
        for node in nodes:
            if node.kind is NodeKind.FUNCTION:
                self._authors.setdefault(laid.home[node.node_id], []).append(node)
        finest = min((node.interval_ns for node in nodes if node.interval_ns is not None), default=1)
        self.cuts = [*boundaries(arrivals, finest, span), len(arrivals)]
        self.segments = len(self.cuts) - 1
        self._step = finest * span
        self._begins = self._times()
        made_of = {home: topological(authors) for home, authors in self._authors.items()}
        self._made_of = {
            home: nodes
            for home, nodes in made_of.items()
            if self.segments >= LEAST and all(self.has(one) for one in self._streams(nodes))
        }
        self.jobs = tuple(self._jobs())

    def has(self, stream: Node) -> bool:
        """Whether a stream's past is known."""
        return key_of(stream) in self.arrivals.sources

    def nodes(self, job: Job) -> tuple[Node, ...]:
        """What a job computes: the authors' nodes of its home, and what those are made of."""
        return self._made_of[job.home]

    def homes(self, stream: str) -> list[int]:
        """The homes whose jobs read a stream (node id)."""
        return [home for home, nodes in self._made_of.items() if any(one.node_id == stream for one in nodes)]

    def origin(self, node_id: str, start: int) -> int:
        """Of a stream that is read from segment `start` on (ns)."""
        origin = self._laid.origins[node_id]
        return origin if start == 0 else max(origin, self._begins[start])

    def begins(self, segment: int) -> int:
        """The boundary (ns) at which a segment begins."""
        return self._begins[segment]

    def until(self, segment: int) -> int:
        """The end (ns) of what lies before a segment."""
        return self._begins[segment] if segment < self.segments else self._begins[-1] + self._step

    @property
    def digest(self) -> str:
        """Of the nodes, their homes and the data."""
        return self._laid.digest

    @property
    def end(self) -> int:
        return self._laid.end

    @property
    def finished(self) -> bool:
        """Whether the streams end with what has come."""
        return bool((self.arrivals.kind == ArrivalKind.FINISHED).any())

    def table(self, stream: Node) -> TableFeed:
        """The events of a stream."""
        if stream.node_id not in self._tables:
            self._tables[stream.node_id] = TableFeed(stream, self.arrivals)
        return self._tables[stream.node_id]

    def rows(self, stream: Node) -> list[int]:
        """How many events of a stream come before each segment, and how many in all."""
        return [int(count) for count in self._before(key_of(stream))]

    # --- planning ----------------------------------------------------------------------------------------------

    @staticmethod
    def _streams(nodes: Iterable[Node]) -> list[Node]:
        return [node for node in nodes if node.kind in STREAMS]

    def _times(self) -> list[int]:
        """The boundary (ns) at which each segment begins."""
        step = self._step
        if not len(self.arrivals):
            return []
        return [int(self.arrivals.event_ns[cut]) // step * step for cut in self.cuts[:-1]]

    def _before(self, key: SourceKey) -> np.ndarray[Any, Any]:
        arrivals = self.arrivals
        mine = (arrivals.source == arrivals.sources.index(key)) & (arrivals.kind == ArrivalKind.EVENT)
        return np.searchsorted(np.flatnonzero(mine), self.cuts)

    def _jobs(self) -> Iterable[Job]:
        spans = {home: list(self._spans(nodes)) for home, nodes in self._made_of.items()}
        for home, mine in spans.items():
            made_of = {node.node_id for node in self._made_of[home]}
            others = [
                one
                for one, authors in self._authors.items()
                if one != home and any(node.node_id in made_of for node in authors)
            ]
            for number, (start, first, stop) in enumerate(mine):
                before = [
                    _name(one, n)
                    for one in others
                    for n, (_, a, b) in enumerate(spans[one])
                    if a < stop and b > start
                ]
                if start == 0 and number:
                    before.append(_name(home, number - 1))
                yield Job(_name(home, number), home, start, first, stop, tuple(before))

    def _spans(self, nodes: Iterable[Node]) -> Iterable[tuple[int, int, int]]:
        """Start, first and stop of each job over nodes."""
        nodes = list(nodes)
        needed = reach(build(nodes))
        starts = [0 if needed is None else self._start(nodes, needed, one) for one in range(self.segments)]
        halo = 0 if needed is None else int(np.median([one - at for one, at in enumerate(starts)]))
        size = max(-(-self.segments // JOBS), HALOS * halo, 1)
        for first in range(0, self.segments, size):
            yield starts[first], first, min(first + size, self.segments)

    def _start(self, nodes: Iterable[Node], needed: int, first: int) -> int:
        """The last segment from which on there is event time of `needed` ns, and as many bars as are in it."""
        found = [bisect_right(self._begins, self._begins[first] - needed) - 1]
        for node in self._streams(nodes):
            if node.interval_ns is not None:
                rows = self._before(key_of(node))[: first + 1]
                wanted = int(rows[first]) - needed // node.interval_ns - 1
                found.append(int(np.searchsorted(rows, wanted, "right")) - 1)
        return max(0, min(found))


class Pieces:
    """One job under way: an engine that advances by segments, in the same steps as the slots do."""

    def __init__(self, history: History, job: Job, reuse: Reuse) -> None:
        self._history, self.next = history, job.start
        nodes = history.nodes(job)
        streams = [node for node in nodes if node.kind in STREAMS]
        self._number = {node.node_id: number for number, node in enumerate(streams)}
        self._tables = [(history.table(node), history.rows(node)) for node in streams]
        origins = {key: history.origin(key, job.start) for key in self._number}
        fields = [node.outputs for node in streams]
        self._engine = Engine(
            build(list(nodes)), [[node] for node in streams], fields, origins, history.end, reuse
        )
        reserve(self._engine, min(origins.values()), history.until(job.stop))

    def advance(self) -> None:
        """By the next segment. Blocks while it computes."""
        spans = [(table, rows[self.next], rows[self.next + 1]) for table, rows in self._tables]
        self.next += 1
        self._apply([table.events(slice(low, high)) for table, low, high in spans if low < high])
        if self.next == self._history.segments and self._history.finished:
            self._apply([Finished(key) for key in self._number])

    def _apply(self, messages: Sequence[Came]) -> None:
        for some in together(messages):
            self._engine.advance(batch_of(some, self._number))


def key_of(stream: Node) -> SourceKey:
    return SourceKey(stream.stream or "", stream.interval_ns)


def reach(plan: Plan) -> int | None:
    """How much event time (ns) before a bucket can decide what a plan's nodes come to there; None: all of it."""
    needed: dict[int, int] = {}
    for group in plan.groups:
        if group.kernel is not None and group.kernel.kind is KernelKind.SCAN:
            return None
        spans = [
            (
                edge.window.span_ns
                or max(edge.window.rows or 1, group.rows) * max(edge.up.interval, group.interval)
            )
            + needed[edge.up.index]
            for edge in group.edges
        ]
        needed[group.index] = max(spans, default=0)
    return max(needed.values(), default=0)


def _name(home: int, number: int) -> str:
    return f"{home}-{number}"
