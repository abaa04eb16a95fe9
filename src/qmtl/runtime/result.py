"""What a strategy's part of a run can tell: frames, ledger, side output, counters, sharing, portfolio, report."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qmtl.core.control.account import Account
from qmtl.core.control.costs import Costs
from qmtl.core.control.metrics import Metrics
from qmtl.core.control.portfolio import Portfolio
from qmtl.core.errors import UserError
from qmtl.core.flow.emission import Change
from qmtl.core.flow.entry import FATES, Fate
from qmtl.core.flow.instant import parse_instant
from qmtl.core.flow.plan import Group
from qmtl.core.flow.timeline import FOREVER, NEVER
from qmtl.core.graph.ir import Column, Graph, Node, NodeKind
from qmtl.core.graph.walk import roots, topological
from qmtl.runtime.backtest import STREAMS, Executed
from qmtl.runtime.ledger import Emissions, cells_of, emissions, first_version
from qmtl.runtime.tables import table
from qmtl.runtime.trading import traded

if TYPE_CHECKING:
    from qmtl.runtime.derivation import Derivation


class Result:
    """One strategy's view of a run; everything it shares with others was computed once."""

    run: Any  # the Run it is part of

    def __init__(self, executed: Executed, graph: Graph, costs: Costs) -> None:
        self._executed = executed
        self.graph = graph
        self.costs = costs
        self.nodes: dict[str, Node] = {}
        for node in topological(roots(graph)):
            self.nodes.setdefault(node.node_id, node)

    # --- values ----------------------------------------------------------------------------------------------

    def frame(self, node: Any, version: str = "final", kind: str = "pandas") -> Any:
        """Values of a node over the closed buckets from the run's start on, indexed by bucket (UTC).

        `node`: an output's name, a series or stream of the strategy, a node id, or a traded stream's id (its target).
        `version`: ``"final"`` (as corrected) or ``"first"`` (as first emitted). Warm-up, gaps and failures are NaN; a
        bar stream has a row only where a bar came.
        """
        if version not in ("final", "first"):
            raise UserError("unknown version", place="frame", value=version, cure='choose "final" or "first"')
        column = self.find(node)
        group, lane = self.place(column.node)
        cells = cells_of(self._executed.engine, group, lane, self._executed.start)
        if version == "first":
            cells, _ = first_version(cells, self.changes(column.node))
        value, bucket = cells.value, cells.bucket
        if group.kind is NodeKind.BARS:
            value, bucket = value[cells.status == 1], bucket[cells.status == 1]
        names = list(column.node.outputs)
        chosen = range(len(names)) if column.column == "" else [names.index(column.column)]
        columns = {"bucket": bucket} | {names[n]: value[:, n] for n in chosen}
        return table(columns, kind, times=("bucket",), index="bucket")

    def ledger(self, node: Any = None, *, kind: str = "pandas") -> Any:
        """Everything emitted, in order: one row per emission; a run of gaps is one row ``[bucket, until)``.

        Columns: node, bucket, until, version, kind (initial, correction, gap, failed), output, value, retract, step
        (number of the arrival that caused it), at (when that arrived). `node` as in `frame`; default: all computed
        nodes.
        """
        nodes = (
            [self.find(node).node]
            if node is not None
            else [n for n in self.nodes.values() if n.kind not in (*STREAMS, NodeKind.SELECT)]
        )
        parts = [part for n in nodes for part in self._ledger_of(n)]
        keys = list(parts[0]) if parts else []
        columns = {key: np.concatenate([part[key] for part in parts]) for key in keys}
        if columns:
            order = np.lexsort((columns["bucket"], columns["step"]))
            columns = {key: values[order] for key, values in columns.items()}
        return table(columns, kind, times=("bucket", "until", "at"))

    def _ledger_of(self, node: Node) -> list[dict[str, Any]]:
        group, lane = self.place(node)
        lanes = range(group.lanes) if group.kind is NodeKind.CROSS and node.kind is NodeKind.CROSS else [lane]
        result = []
        for each in lanes:
            told = emissions(self._executed.engine, group, each, self._executed.start)
            member = (
                f"[{node.members[each]}]"
                if group.kind is NodeKind.CROSS and len(node.members) == group.lanes
                else ""
            )
            result += [
                self._rows(node, member, name, number, told) for number, name in enumerate(node.outputs)
            ]
        return result

    def _rows(self, node: Node, member: str, name: str, number: int, told: Emissions) -> dict[str, Any]:
        at = self._executed.arrivals.available_ns
        step = np.clip(told.step, 0, max(len(at) - 1, 0))
        count = len(told.step)
        return {
            "node": np.full(count, node.node_id, object),
            "label": np.full(count, (node.label or node.operator) + member, object),
            "bucket": told.bucket,
            "until": told.until,
            "version": told.version,
            "kind": told.kind,
            "output": np.full(count, name, object),
            "value": told.value[:, number],
            "retract": told.retract[:, number],
            "step": told.step,
            "at": at[step] if len(at) else np.zeros(0, np.int64),
        }

    def why(self, node: Any, bucket: Any, *, depth: int | None = None) -> Derivation:
        """How a node came to its value at `bucket` (a time within it): a tree down to the bars of its streams.

        `node` as in `frame`; `depth`: how many levels of inputs are derived. Raises :class:`UserError` for an unknown
        node and a bucket outside the run.
        """
        from qmtl.runtime.derivation import why

        return why(self, node, parse_instant(bucket, "bucket"), depth)

    def changes(self, node: Node) -> list[Change]:
        """What was emitted about buckets of `node` that had closed already."""
        group, lane = self.place(node)
        return [c for c in self._executed.engine.flow.changes() if c.group == group.index and c.lane == lane]

    @cached_property
    def correction_count(self) -> int:
        """Emissions about closed buckets, of all computed nodes of the strategy."""
        homes = {(g.index, lane) for g, lane in map(self.place, self.nodes.values()) if g.kind not in STREAMS}
        return sum(1 for c in self._executed.engine.flow.changes() if (c.group, c.lane) in homes)

    def watermark(self, node: Any) -> int | None:
        """Final watermark of a node in ns; None for minus infinity."""
        group, lane = self.place(self.find(node).node)
        value = self._executed.engine.clocks.watermark(group, lane)
        return None if value == NEVER else min(value, FOREVER)

    # --- entries ---------------------------------------------------------------------------------------------

    def side_output(self, kind: str = "pandas") -> Any:
        """Late events delivered aside (`on_late="side_output"`): stream, reader, ts, fields, step, at."""
        mine = [
            r
            for r in self._executed.engine.flow.log.refusals
            if r.source in self.nodes and r.fate is Fate.SIDE_OUTPUT
        ]
        fields = list(dict.fromkeys(name for r in mine for name in self.nodes[r.source].outputs))
        columns: dict[str, Any] = {
            "stream": [self.nodes[r.source].stream for r in mine],
            "reader": [r.reader for r in mine],
            "ts": np.array([r.ts for r in mine], np.int64),
            "step": [r.step for r in mine],
        }
        for name in fields:
            columns[name] = [
                dict(zip(self.nodes[r.source].outputs, r.values, strict=True)).get(name, np.nan) for r in mine
            ]
        return table(columns, kind, times=("ts",))

    @cached_property
    def counters(self) -> dict[str, dict[str, int]]:
        """E14 by entry: ``"BTC 1m"`` for a bar stream, ``"stream → reader"`` for ticks."""
        result: dict[str, dict[str, int]] = {}
        for source in self._executed.engine.sources:
            for entry in source.bars:
                node = entry.group.nodes[entry.lane]
                if node.node_id in self.nodes:
                    result[node.stream or node.node_id] = entry.counters
            for tick in source.ticks:
                stream, reader = tick.up.nodes[tick.lane], tick.reader.nodes[0]
                if stream.node_id in self.nodes and reader.node_id in self.nodes:
                    result[f"{stream.stream} → {reader.label or reader.operator}"] = tick.counters
        return result

    @property
    def totals(self) -> dict[str, int]:
        """The counters of all entries, added up."""
        total = dict.fromkeys(("arrivals", *(fate.value for fate in FATES)), 0)
        for counters in self.counters.values():
            total = {name: total[name] + counters[name] for name in total}
        return total

    @property
    def failures(self) -> list[str]:
        """Nodes that halted, in order of time: each as a sentence that names node, bucket and cause."""
        from qmtl.core.flow.instant import instant_text

        said = []
        failures = self._executed.engine.flow.log.failures
        for failure in sorted(failures, key=lambda one: (one.step, one.bucket, one.group, one.lane)):
            node = self._executed.engine.plan.groups[failure.group].nodes[failure.lane]
            if node.node_id in self.nodes:
                where = f" ({node.place})" if node.place else ""
                said.append(
                    f"{node.label or node.operator}{where} halted at bucket "
                    f"{instant_text(failure.bucket)}: {failure.cause}"
                )
        return said

    # --- the whole -------------------------------------------------------------------------------------------

    @property
    def sharing(self) -> dict[str, int]:
        """Nodes declared by this strategy, unique among them, and computed only once though others have them too."""
        declared = [n for n in self.graph.declared if n.kind not in (*STREAMS, NodeKind.QUERY)]
        unique = [n for n in self.nodes.values() if n.kind not in (*STREAMS, NodeKind.SELECT)]
        return {
            "declared": max(len(declared), len(unique)),
            "unique": len(unique),
            "computed": len(unique),
            "shared": sum(1 for n in unique if self.shared_by(n) > 1),
        }

    @cached_property
    def portfolio(self) -> Portfolio:
        """The targets traded: filled at the next open after each decision (see `Costs`)."""
        return self.account.portfolio

    @cached_property
    def account(self) -> Account:
        """The portfolio with its metrics, and buy-and-hold of the same streams beside it."""
        return traded(self, self.run.periods_per_year)

    @property
    def metrics(self) -> Metrics:
        """Metrics of the portfolio (daily UTC equity; see :mod:`qmtl.core.control.metrics`)."""
        return self.account.metrics

    def report(self, path: str | Path) -> Path:
        """Write the report, one HTML file that needs nothing else; returns its path."""
        from qmtl.runtime.report_of import report_of

        return report_of(self, Path(path))

    def shared_by(self, node: Node) -> int:
        """In how many strategies of the run a node is."""
        return sum(1 for result in self.run.results if node.node_id in result.nodes)

    def find(self, node: Any) -> Column:
        """The column (or with column "" the whole node) that `node` names; raises :class:`UserError`."""
        lanes = getattr(node, "lanes", node)
        if isinstance(lanes, Column):
            return lanes
        if isinstance(lanes, Node):
            return Column(lanes, "")
        if isinstance(node, str):
            if node in self.graph.outputs:
                return self.graph.outputs[node]
            if node in self.graph.targets:
                return self.graph.targets[node][1]
            hits = [n for key, n in self.nodes.items() if key.startswith(node) and len(node) >= 8]
            hits = hits or [n for n in self.nodes.values() if n.stream == node and n.kind in STREAMS]
            if len(hits) == 1:
                return Column(hits[0], "")
        known = [*self.graph.outputs, *(f"{name} (target)" for name in self.graph.targets)]
        names = [
            *self.graph.outputs,
            *self.graph.targets,
            *(n.stream for n in self.nodes.values() if n.stream),
        ]
        near = get_close_matches(str(node), names, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(
            "no such node in this strategy",
            place="node",
            value=node,
            cure=f"{meant}it has {', '.join(known) or 'no outputs'}; a node's id may be shortened to 8 letters or more",
        )

    def place(self, node: Node) -> tuple[Group, int]:
        """Where a node lives in the engine's plan."""
        if node.kind is NodeKind.SELECT:
            cross = node.edges[0].node
            return self._executed.engine.plan.home[cross.node_id][0], cross.members.index(node.stream or "")
        try:
            return self._executed.engine.plan.home[node.node_id]
        except KeyError:
            raise UserError(
                "this node was not computed: no output or target needs it",
                place="node",
                value=node.label or node.operator,
                cure="declare it with self.output(name, series)",
            ) from None
