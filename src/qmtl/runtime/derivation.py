"""`why`: how one value came to be, as a tree from the node asked for down to the bars it was made of (R15).

The tree shows what stands now: windows as they are after all corrections, which are listed with what caused them. Of
each input it shows the whole window, and derives the latest row in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np

from qmtl.core.errors import UserError
from qmtl.core.flow.digest import named
from qmtl.core.flow.emission import Change
from qmtl.core.flow.instant import instant_text
from qmtl.core.flow.kernel import KernelKind
from qmtl.core.flow.plan import EdgePlan, Group, Relation
from qmtl.core.flow.timeline import (
    FAILED,
    GAP,
    HALTED,
    NONE,
    NULL,
    PENDING,
    VALUE,
    floor_to,
)
from qmtl.core.flow.windows import Shown, decide, shown_at
from qmtl.core.graph.duration import Duration
from qmtl.core.graph.ir import Node, NodeKind
from qmtl.runtime.arrivals import SourceKey
from qmtl.runtime.author_code import place_of
from qmtl.runtime.ledger import Changes, changes_by_lane
from qmtl.runtime.report_of import cause

LEVELS = 100  # below the node asked for, unless `depth` says otherwise
SHOWN = 3  # values at each end of a window that are printed
STATUS = {
    NONE: "warm-up",
    VALUE: "value",
    GAP: "gap",
    NULL: "null",
    FAILED: "failed",
    HALTED: "halted",
    PENDING: "open",
}


@dataclass(frozen=True, slots=True)
class Arrived:
    """A record of a source: its bar or tick, where it was read, when it came."""

    source: str
    event: str  # its time
    at: str  # when it was available
    step: int  # its number among all arrivals of the run
    place: str
    row: int  # of the file or argument, counted from 1


@dataclass(frozen=True, slots=True)
class Corrected:
    """One version after the bucket had closed."""

    version: int
    step: int
    cause: str
    was: str  # the status before
    now: str
    retract: tuple[float, ...] | None
    upsert: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Window:
    """What one input showed: `rows` times and values, of which the ends are listed, and a digest of exactly all."""

    name: str
    asked: str  # the window declared
    columns: tuple[str, ...]
    first: str
    last: str
    rows: int
    values: dict[str, list[Any]]
    digest: str
    of: Derivation | None  # how the latest row came to be; None for ticks, and where nothing was shown
    arrived: tuple[Arrived, ...] = ()  # of ticks: the latest one


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a node came to its value at a bucket; `cut` says why its inputs are not shown ("depth", "above")."""

    node: str
    label: str
    operator: str
    interval: str
    bucket: str
    status: str
    why: str
    value: dict[str, Any] | None
    version: int | None  # None where there is no record
    how: str  # computed, reused …
    slice: str  # the key of the slice in the cache that holds it; "" for none
    code: dict[str, str]
    params: dict[str, Any]
    declared: str
    closed_by: str
    arrived: tuple[Arrived, ...]
    corrections: tuple[Corrected, ...]
    inputs: tuple[Window, ...]
    cut: str = ""

    def document(self) -> dict[str, Any]:
        """Plain values, fit for JSON: what is not finite is a text."""
        return _plain(asdict(self))  # type: ignore[no-any-return]


def why(result: Any, asked: Any, bucket: int, depth: int | None = None) -> Derivation:
    """Derive the value of a node of `result` at `bucket` (ns; any time within it). See :class:`Derivation`.

    Raises :class:`UserError` for an unknown node, and for a bucket outside the run.
    """
    node = result.find(asked).node
    group, lane = result.place(node)
    if group.timeline is None:
        raise UserError(
            "ticks have no buckets",
            place="NODE",
            value=node.stream,
            cure="ask for a node that reads them: its windows show them",
        )
    executed, bucket = result._executed, floor_to(bucket, group.interval)
    if not executed.start <= bucket <= executed.end - group.interval:
        raise UserError(
            "the bucket lies outside the run",
            place="BUCKET",
            value=instant_text(bucket),
            cure=f"the run goes from {instant_text(executed.start)} to {instant_text(executed.end)}, exclusive; "
            f"a bucket of {_label(group, lane)} is {Duration.from_ns(group.interval)} long",
        )
    if depth is not None and depth < 0:
        raise UserError("less than nothing", place="--depth", value=depth, cure="give 0 for the node alone")
    return _Asking(result).derive(group, lane, bucket, LEVELS if depth is None else depth)


class _Asking:
    """One question: what is shown once is not shown again."""

    def __init__(self, result: Any) -> None:
        self._result = result
        self._executed = result._executed
        self._engine = result._executed.engine
        self._changes: Changes = changes_by_lane(self._engine)
        self._events = {} if result.run.reuse is None else result.run.reuse.by_node()
        self._seen: set[tuple[int, int, int]] = set()

    def derive(self, group: Group, lane: int, bucket: int, depth: int) -> Derivation:
        timeline, node = group.timeline, node_of(group, lane)
        assert timeline is not None
        asked, row = (group.index, lane, bucket), timeline.row(bucket)
        how, key = self._how(group, node, bucket)
        inside = 0 <= row < timeline.rows
        status = int(group.S[row, lane]) if inside else NONE
        closed = bucket < int(self._engine.clocks.next[group.clocks[lane]])
        cut = "above" if asked in self._seen else "depth" if depth < 0 else ""
        self._seen.add(asked)
        windows = shown_at(group, lane, bucket, self._engine.flow.ticks) if group.edges and not cut else []
        outputs = timeline.V[row, group.out + lane].tolist() if status in (VALUE, PENDING) else None
        return Derivation(
            node=node.node_id,
            label=_label(group, lane),
            operator=node.operator,
            interval=str(Duration.from_ns(group.interval)),
            bucket=instant_text(bucket),
            status=_status(group, status) if closed else "open",
            why=self._why(group, lane, bucket, status, closed),
            value=None if outputs is None else dict(zip(group.outputs, outputs, strict=True)),
            version=int(group.version[row, lane]) if closed and status not in (NONE, HALTED) else None,
            how=how,
            slice=key,
            code=code_of(node),
            params=dict(node.params),
            declared=node.place,
            closed_by=self._closed_by(group, lane, row) if closed and inside else "",
            arrived=self._arrived(node, bucket, bucket + 1) if group.kind is NodeKind.BARS else (),
            corrections=self._corrections(group, lane, bucket),
            inputs=tuple(
                self._window(group, lane, bucket, edge, shown, depth)
                for edge, shown in zip(group.edges, windows, strict=not cut)
            ),
            cut=cut if group.edges else "",
        )

    def _window(
        self, group: Group, lane: int, bucket: int, edge: EdgePlan, shown: Shown, depth: int
    ) -> Window:
        theirs = int(edge.lanes[0 if group.kind is NodeKind.CROSS else lane])
        times, values = shown.times, np.where(np.isnan(shown.values), np.nan, shown.values)
        of, arrived = None, tuple[Arrived, ...]()
        if edge.relation is not Relation.TICK:
            of = self.derive(edge.up, theirs, _latest(group, edge, bucket, shown), depth - 1)
        elif len(times):
            at = int(times[-1])
            arrived = self._arrived(node_of(edge.up, theirs), at, at + 1)
        return Window(
            name=edge.name,
            asked=_asked(group, edge),
            columns=edge.names,
            first=instant_text(int(times[0])) if len(times) else "",
            last=instant_text(int(times[-1])) if len(times) else "",
            rows=len(times),
            values={name: _shortened(values[:, n].tolist()) for n, name in enumerate(edge.names)},
            digest=named([times.astype(np.int64).tobytes(), values.tobytes()]),
            of=of,
            arrived=arrived,
        )

    def _how(self, group: Group, node: Node, bucket: int) -> tuple[str, str]:
        """What became of the slice it lies in, and that slice's key."""
        for event in reversed(self._events.get(node.node_id, [])):
            if event.bucket <= bucket < event.bucket + event.rows * group.interval:
                return str(event.what), event.key
        return ("read" if group.kind is NodeKind.BARS else "computed"), ""

    def _closed_by(self, group: Group, lane: int, row: int) -> str:
        step = self._engine.flow.closing_step(group, lane, row)
        return cause(self._result, step) if step >= 0 else ""

    def _corrections(self, group: Group, lane: int, bucket: int) -> tuple[Corrected, ...]:
        mine = [c for c in self._changes.get((group.index, lane), ()) if c.bucket == bucket]
        return tuple(self._correction(change) for change in mine)

    def _correction(self, change: Change) -> Corrected:
        return Corrected(
            change.version,
            change.step,
            cause(self._result, change.step),
            STATUS[change.was],
            STATUS[change.kind],
            change.retract,
            change.value,
        )

    def _arrived(self, node: Node, first: int, stop: int) -> tuple[Arrived, ...]:
        """The records of a stream with ``first <= time < stop``, in the order in which they came."""
        arrivals = self._executed.arrivals
        key = SourceKey(node.stream or "", node.interval_ns)
        number = arrivals.sources.index(key)
        times = arrivals.event_ns
        mine = (arrivals.source == number) & (arrivals.kind == 0) & (times >= first) & (times < stop)
        order = arrivals.orders[number] if arrivals.orders else None
        found = []
        for step in np.flatnonzero(mine).tolist():
            row = int(arrivals.row[step])
            found.append(
                Arrived(
                    str(key),
                    instant_text(int(times[step])),
                    instant_text(int(arrivals.available_ns[step])),
                    step,
                    arrivals.places[number] if arrivals.places else "",
                    1 + (row if order is None else int(order[row])),
                )
            )
        return tuple(found)

    def _why(self, group: Group, lane: int, bucket: int, status: int, closed: bool) -> str:
        """Why there is no value; "" where there is one."""
        if status == VALUE and closed:
            return ""
        if not closed:
            return f"its inputs are not complete up to {instant_text(bucket + group.interval)}"
        if group.kind is NodeKind.BARS:
            return "no bar came"
        if status in (FAILED, HALTED):
            return self._failure(group, lane)
        if group.kind is NodeKind.CROSS:
            return self._of_members(group, lane, bucket)
        shown = shown_at(group, lane, bucket, self._engine.flow.ticks)
        if status == NONE:
            return self._warming(group, lane, bucket, shown)
        judged, missing = decide(group, lane, bucket, shown)
        if judged == GAP or any(
            e.required and not s.present for e, s in zip(group.edges, shown, strict=True)
        ):
            names = missing or [e.name for e, s in zip(group.edges, shown, strict=True) if not s.present]
            return "no value of " + ", ".join(names)
        return (
            "the function answered None" if group.kind is NodeKind.FUNCTION else "the operator gives no value"
        )

    def _failure(self, group: Group, lane: int) -> str:
        for failure in self._engine.flow.log.failures:
            if (failure.group, failure.lane) == (group.index, lane):
                return f"halted at {instant_text(failure.bucket)}: {failure.cause}"
        return "halted"

    def _of_members(self, group: Group, lane: int, bucket: int) -> str:
        shown = shown_at(group, 0, bucket, self._engine.flow.ticks)
        absent = [e.name for e, s in zip(group.edges, shown, strict=True) if not s.present]
        if group.lanes > 1 and not shown[lane].present:
            return f"no value of {group.edges[lane].name}"
        least = 1 if group.kernel is None else group.kernel.min_count
        here = len(shown) - len(absent)
        missing = f"; no value of {', '.join(absent[:8])}" if absent else ""
        return f"{here} of {len(shown)} members have a value, {least} are needed{missing}"

    def _warming(self, group: Group, lane: int, bucket: int, shown: list[Shown]) -> str:
        said = []
        for edge, one in zip(group.edges, shown, strict=True):
            wanted = edge.window.rows
            if wanted is None:
                if one.warm:
                    said.append(f"the window of {edge.name} begins before its data")
            elif len(one.times) < wanted:
                said.append(f"{edge.name} has {len(one.times)} of {wanted} rows")
            elif one.warm:
                said.append(f"{edge.name} is in warm-up itself")
        if group.rows > 1 and not said:
            said.append(f"fewer than {group.rows} rows of its inputs")
        return ", ".join(said or ["an input is in warm-up"]) + self._first_record(group, lane)

    def _first_record(self, group: Group, lane: int) -> str:
        timeline = group.timeline
        assert timeline is not None
        recorded = np.flatnonzero(group.S[: timeline.rows, lane] == VALUE)
        if not len(recorded):
            return "; it has no value in this run"
        return f"; its first value is at {instant_text(int(timeline.bucket[recorded[0]]))}"


def node_of(group: Group, lane: int) -> Node:
    """The node that a lane computes."""
    return group.nodes[0] if group.kind is NodeKind.CROSS else group.nodes[lane]


def code_of(node: Node) -> dict[str, str]:
    """Of an author's function: its name, file and line, and the hash of its meaning; else empty."""
    if node.kind is not NodeKind.FUNCTION:
        return {}
    return {"function": node.operator, "place": place_of(node.function), "hash": node.code_hash}


def _status(group: Group, status: int) -> str:
    return "absent" if group.kind is NodeKind.BARS and status == NONE else STATUS[status]


def _label(group: Group, lane: int) -> str:
    node = node_of(group, lane)
    member = ""
    if group.kind is NodeKind.CROSS and len(node.members) == group.lanes > 1:
        member = f"[{node.members[lane]}]"
    return (node.label or node.stream or node.operator) + member


def _latest(group: Group, edge: EdgePlan, bucket: int, shown: Shown) -> int:
    """The bucket of an input that is derived: the latest shown, or the one that is missing."""
    real = shown.times[shown.real]
    if shown.present and len(real) and not shown.warm:
        return int(real[-1])
    return (bucket + group.interval) // edge.up.interval * edge.up.interval - edge.up.interval


def _asked(group: Group, edge: EdgePlan) -> str:
    scan = group.kernel is not None and group.kernel.kind is KernelKind.SCAN
    if edge.window.span_ns is not None:
        return str(Duration.from_ns(edge.window.span_ns))
    rows = edge.window.rows or 1
    if scan:
        return "this row, and all before it as state"
    return f"{rows} row" + ("s" if rows > 1 else "")


def _shortened(values: list[float]) -> list[Any]:
    return values if len(values) <= 2 * SHOWN + 1 else [*values[:SHOWN], "…", *values[-SHOWN:]]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not isfinite(value):
        return repr(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
