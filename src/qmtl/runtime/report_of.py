"""From a result to its report: what the page shows, gathered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qmtl.core.errors import UserError
from qmtl.core.flow.emission import Change
from qmtl.core.flow.instant import instant_text
from qmtl.core.flow.timeline import VALUE
from qmtl.core.graph.duration import Duration
from qmtl.core.graph.ir import Node, NodeKind
from qmtl.runtime.ledger import cells_of
from qmtl.runtime.report import Correction, DagNode, Output, ReportData, SharingRow, Source, render

SHOWN_CORRECTIONS = 200


def report_of(result: Any, path: Path) -> Path:
    """Write the report; raises :class:`UserError` where the file cannot be written."""
    page = render(report_data(result))
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"the report cannot be written: {error.strerror}",
            place="report",
            value=str(path),
            cure="give another path",
        ) from None
    return path


def report_data(result: Any) -> ReportData:
    """Everything the page says about one strategy of a run."""
    executed = result._executed
    changes = {
        node.node_id: result.changes(node) for node in result.nodes.values() if node.kind not in _UNTOLD
    }
    told = [(node_id, change) for node_id, some in changes.items() for change in some if change.version > 0]
    told.sort(key=lambda one: (one[1].step, one[1].bucket))
    return ReportData(
        title=result.graph.name,
        start_ns=executed.start,
        end_ns=executed.end,
        parameters={name: str(value) for name, value in result.graph.params},
        sources=_sources(result),
        account=result.account if result.graph.targets else None,
        outputs=_outputs(result),
        nodes=_nodes(result, changes),
        sharing=_sharing(result),
        counters=result.counters,
        corrections=tuple(_correction(result, *one) for one in told[:SHOWN_CORRECTIONS]),
        corrections_total=len(told),
        failures=tuple(result.failures),
        notes=tuple(executed.arrivals.notes),
        manifest=result.run.manifest,
    )


_UNTOLD = (NodeKind.BARS, NodeKind.TICKS, NodeKind.SELECT)


def _interval(node: Node) -> str:
    return "ticks" if node.interval_ns is None else str(Duration.from_ns(node.interval_ns))


def _sources(result: Any) -> tuple[Source, ...]:
    arrivals = result._executed.arrivals
    read = {(n.stream, n.interval_ns) for n in result.nodes.values() if n.event_time is not None}
    found = []
    for number, key in enumerate(arrivals.sources):
        if (key.id, key.interval_ns) not in read:
            continue
        times = arrivals.event_ns[(arrivals.source == number) & (arrivals.kind == 0)]
        interval = "ticks" if key.interval_ns is None else str(Duration.from_ns(key.interval_ns))
        first, last = (int(times.min()), int(times.max())) if len(times) else (None, None)
        found.append(Source(key.id, interval, len(times), first, last, "", arrivals.digests.get(key, "")))
    return tuple(found)


def _outputs(result: Any) -> tuple[Output, ...]:
    made = []
    for name, column in result.graph.outputs.items():
        group, lane = result.place(column.node)
        cells = cells_of(result._executed.engine, group, lane, result._executed.start)
        number = 0 if column.node.kind is NodeKind.SELECT else column.node.outputs.index(column.column)
        made.append(Output(name, cells.bucket + group.interval, cells.value[:, number]))
    return tuple(made)


def _nodes(result: Any, changes: dict[str, list[Change]]) -> tuple[DagNode, ...]:
    roles: dict[str, list[str]] = {}
    for name, (_, column) in result.graph.targets.items():
        roles.setdefault(column.node.node_id, []).append(f"target {name}")
    for name, column in result.graph.outputs.items():
        roles.setdefault(column.node.node_id, []).append(f"output {name}")
    return tuple(
        DagNode(
            node.node_id,
            _label(node),
            node.operator,
            _interval(node),
            tuple(e.node.node_id for e in node.edges),
            node.kind.value,
            result.shared_by(node),
            sum(1 for c in changes.get(node.node_id, ()) if c.version > 0),
            tuple(roles.get(node.node_id, ())),
        )
        for node in result.nodes.values()
    )


def _label(node: Node) -> str:
    if node.stream:
        return node.stream
    numbers = " ".join(
        str(value)
        for _, value in node.params
        if isinstance(value, int | float) and not isinstance(value, bool)
    )
    return node.label or f"{node.operator} {numbers}".strip()


def _sharing(result: Any) -> tuple[SharingRow, ...]:
    rows, known = [], set[str]()
    for one in result.run.results:
        sharing, new = one.sharing, {key for key, n in one.nodes.items() if n.kind not in _UNTOLD} - known
        known |= new
        rows.append(
            SharingRow(one.graph.name, sharing["declared"], sharing["unique"], sharing["shared"], len(new))
        )
    return tuple(rows)


def _correction(result: Any, node_id: str, change: Change) -> Correction:
    return Correction(
        _label(result.nodes[node_id]),
        change.bucket,
        change.version,
        None if change.retract is None else change.retract[0],
        change.value[0] if change.kind == VALUE and change.value is not None else None,
        cause(result, change.step),
    )


def cause(result: Any, step: int) -> str:
    """Which arrival made a correction."""
    arrivals = result._executed.arrivals
    number = int(arrivals.source[step]) if step < len(arrivals) else -1
    if number < 0:
        return "a clock tick"
    when, came = int(arrivals.event_ns[step]), int(arrivals.available_ns[step])
    late = Duration.from_ns(came - when) if came > when else None
    return f"{arrivals.sources[number]} of {instant_text(when)}" + (
        f", {late} after it began" if late else ""
    )
