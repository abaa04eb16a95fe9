"""A run on disk, complete in itself: what was computed, from what, and digests by which two runs are compared.

A folder with `run.json` (manifest, strategies, nodes with code hash, parameters and inputs, a digest per output),
`digests.parquet` (the leaves of those digests: one per output and span of `SPAN` buckets, cut at fixed boundaries, so
that runs over other ranges meet on equal ones) and `tables-<interval>.parquet` (the final tables: a column of statuses
per series, a column per output). Tables of inner nodes are left out where all together are beyond `LIMIT`.

A *series* is a node, or one member of a cross-section, or a strategy's account.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from qmtl.core.errors import UserError
from qmtl.core.flow.digest import named
from qmtl.core.flow.plan import Group
from qmtl.core.flow.timeline import FAILED, GAP, NULL, VALUE
from qmtl.core.graph.ir import Node, NodeKind
from qmtl.runtime.ledger import cells_of

FORMAT = 1
SPAN = 1024  # buckets of a leaf
ACCOUNT = "account "
LIMIT = 1 << 28  # bytes of tables beyond which those of inner nodes are left out
TOLD = {VALUE: "value", GAP: "gap", FAILED: "failed"}


@dataclass(frozen=True, slots=True)
class Series:
    """A final table: ascending buckets (ns), statuses, values (buckets, outputs); no row without a record."""

    key: str
    outputs: tuple[str, ...]
    interval_ns: int
    bucket: NDArray[np.int64]
    status: NDArray[np.uint8]
    value: NDArray[np.float64]


def save(run: Any, path: Path) -> Path:
    """Write `run` to the folder `path`, which must not be there; a run that cannot be written leaves none."""
    refuse_existing(path)
    aside = path.with_name(path.name + ".part")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        document = _write(run, aside)
        (aside / "run.json").write_text(json.dumps(document, indent=1, default=str), encoding="utf-8")
        aside.rename(path)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise UserError(
            f"the run cannot be saved: {error.strerror}",
            place="save",
            value=str(path),
            cure="give another path",
        ) from None
    return path


def refuse_existing(path: Path) -> None:
    """Raise :class:`UserError` where something is at `path`."""
    if path.exists():
        raise UserError("there is something already", place="save", value=str(path), cure="give another path")


def _write(run: Any, folder: Path) -> dict[str, Any]:
    shown = {_key(*r.place(c.node)) for r in run.results for c in _columns_of(r)}
    everything = sum(_bytes(one) for one in _series(run)) <= LIMIT
    tables: dict[int, list[Series]] = {}
    leaves: dict[str, list[Any]] = {"series": [], "output": [], "start": [], "digest": []}
    roots: dict[str, dict[str, str]] = {}
    for one in _series(run):
        roots[one.key] = {}
        for number, output in enumerate(one.outputs):
            starts, digests = _leaves(one, number)
            leaves["series"] += [one.key] * len(starts)
            leaves["output"] += [output] * len(starts)
            leaves["start"] += starts
            leaves["digest"] += digests
            roots[one.key][output] = root_of(starts, digests)
        if everything or one.key in shown or one.key.startswith(ACCOUNT):
            tables.setdefault(one.interval_ns, []).append(one)
    pq.write_table(pa.table(leaves), folder / "digests.parquet", compression="zstd")
    for interval, several in tables.items():
        pq.write_table(_table(several), folder / f"tables-{interval}.parquet", compression="zstd")
    return {
        "format": FORMAT,
        "manifest": run.manifest,
        "notes": list(run.notes),
        "strategies": [_strategy(number, result) for number, result in enumerate(run.results)],
        "nodes": [_node(run, node) for node in run._executed.nodes.values()],
        "series": roots,
        "tables": "all" if everything else "outputs",
    }


# --- what is written -----------------------------------------------------------------------------------------


def _columns_of(result: Any) -> list[Any]:
    return [*result.graph.outputs.values(), *(column for _, column in result.graph.targets.values())]


def _series(run: Any) -> Iterator[Series]:
    """Of every node with a timeline, upstreams first, then of every account."""
    engine, start = run._executed.engine, run._executed.start
    for node in run._executed.nodes.values():
        home = engine.plan.home.get(node.node_id)
        if home is None or home[0].timeline is None:
            continue
        group, lane = home
        lanes = range(group.lanes) if group.kind is NodeKind.CROSS else [lane]
        for each in lanes:
            cells = cells_of(engine, group, each, start)
            status = np.where(cells.status == NULL, GAP, cells.status)
            told = np.isin(status, [VALUE] if group.kind is NodeKind.BARS else list(TOLD))
            yield Series(
                _key(group, each),
                node.outputs,
                group.interval,
                cells.bucket[told],
                status[told].astype(np.uint8),
                cells.value[told],
            )
    for number, result in enumerate(run.results):
        if result.graph.targets:
            yield _account(number, result)


def _key(group: Group, lane: int) -> str:
    """What a lane's series is called: its node's id, with the member where a node has several lanes."""
    if group.kind is not NodeKind.CROSS:
        return group.nodes[lane].node_id
    node, single = group.nodes[0], group.kernel is not None and group.kernel.single_lane
    return node.node_id if single else f"{node.node_id}[{node.members[lane]}]"


def account_key(number: int) -> str:
    return f"{ACCOUNT}{number}"


def _account(number: int, result: Any) -> Series:
    portfolio = result.portfolio
    finest = min(node.interval_ns for node, _ in result.graph.targets.values())
    value = np.stack([portfolio.equity, portfolio.cash], axis=1)
    status = np.full(len(portfolio.ts), VALUE, np.uint8)
    return Series(account_key(number), ("equity", "cash"), finest, portfolio.ts, status, value)


def _bytes(one: Series) -> int:
    return len(one.bucket) * (1 + 8 * len(one.outputs))


def _leaves(one: Series, number: int) -> tuple[list[int], list[bytes]]:
    """Starts (ns) and digests of the spans of one output; a span without records has none."""
    span = SPAN * one.interval_ns
    which = one.bucket // span
    first = np.flatnonzero(np.diff(which, prepend=which[:1] - 1))
    value = one.value[:, number]
    value = np.where(one.status != VALUE, 0.0, np.where(np.isnan(value), np.nan, value))
    starts, digests = [], []
    for low, high in zip(first, [*first[1:], len(which)], strict=True):
        part = slice(int(low), int(high))
        content = (one.bucket[part], one.status[part], value[part])
        starts.append(int(which[low]) * span)
        digests.append(bytes.fromhex(named([np.ascontiguousarray(each).tobytes() for each in content])))
    return starts, digests


def root_of(starts: Sequence[int], digests: Sequence[bytes]) -> str:
    """The digest of a whole table, from those of its spans."""
    return named([np.array(starts, np.int64).tobytes(), *digests])


def _table(several: Sequence[Series]) -> pa.Table:
    buckets = np.unique(np.concatenate([one.bucket for one in several]))
    columns: dict[str, Any] = {"bucket": pa.array(buckets, pa.timestamp("ns", tz="UTC"))}
    for one in several:
        at = np.searchsorted(buckets, one.bucket)
        status = np.zeros(len(buckets), np.uint8)
        status[at] = one.status
        columns[one.key] = status
        for number, output in enumerate(one.outputs):
            value = np.full(len(buckets), np.nan)
            value[at] = one.value[:, number]
            columns[f"{one.key}.{output}"] = value
    return pa.table(columns)


def _strategy(number: int, result: Any) -> dict[str, Any]:
    told, graph = result.run.manifest["strategies"][number], result.graph

    def column(one: Any) -> dict[str, str]:
        group, lane = result.place(one.node)
        output = group.outputs[0] if one.node.kind is NodeKind.SELECT else one.column
        node_id = group.nodes[0].node_id if group.kind is NodeKind.CROSS else one.node.node_id
        return {"node": node_id, "series": _key(group, lane), "output": output}

    return {
        **told,
        "outputs": {name: column(one) for name, one in graph.outputs.items()},
        "targets": {
            name: column(one) | {"stream": stream.node_id} for name, (stream, one) in graph.targets.items()
        },
        "account": account_key(number) if graph.targets else None,
    }


def _node(run: Any, node: Node) -> dict[str, Any]:
    settings = {
        **(_fields(node.event_time) if node.event_time is not None else {}),
        **(_fields(node.closing) if node.edges else {}),
    }
    return {
        "id": node.node_id,
        "kind": node.kind.value,
        "name": node.label or node.stream or node.operator,
        "operator": node.operator,
        "place": node.place,
        "interval_ns": node.interval_ns,
        "outputs": list(node.outputs),
        "code": node.code_hash,
        "params": {name: repr(value) for name, value in node.params},
        "stream": node.stream,
        "members": list(node.members),
        "settings": settings | {"vectorized": repr(node.vectorized)},
        "inputs": [
            {
                "name": edge.name,
                "node": edge.node.node_id,
                "columns": list(edge.columns),
                "window": f"{edge.window.rows} rows" if edge.window.rows else f"{edge.window.span_ns} ns",
                "required": edge.required,
                "complete": edge.complete,
            }
            for edge in node.edges
        ],
    }


def _fields(settings: Any) -> dict[str, str]:
    return {name: str(getattr(settings, name)) for name in settings.__slots__}


# --- and read again --------------------------------------------------------------------------------------------


class SavedRun:
    """A run that was saved; tables and leaves are read when they are asked for."""

    def __init__(self, path: Path) -> None:
        """Raises :class:`UserError` where there is no saved run, or one of another format."""
        self.path = path
        try:
            self.document: dict[str, Any] = json.loads((path / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UserError(
                "not a saved run", place="RUN", value=str(path), cure="save one: qmtl run FILE --save PATH"
            ) from None
        if self.document.get("format") != FORMAT:
            raise UserError(
                "a saved run of another format",
                place="RUN",
                value=self.document.get("format"),
                cure=f"this version reads format {FORMAT}: run and save it again",
            )

    @cached_property
    def nodes(self) -> dict[str, dict[str, Any]]:
        return {node["id"]: node for node in self.document["nodes"]}

    @property
    def series(self) -> Mapping[str, Mapping[str, str]]:
        """By series and output, the digest of its final table."""
        return self.document["series"]  # type: ignore[no-any-return]

    def leaves(self, series: str, output: str) -> dict[int, bytes]:
        """Digests by the start (ns) of their spans; raises :class:`UserError` where they were changed."""
        table = self._digests
        chosen = table.filter(pc.and_(pc.equal(table["series"], series), pc.equal(table["output"], output)))
        starts, digests = chosen["start"].to_pylist(), chosen["digest"].to_pylist()
        if root_of(starts, digests) != self.series[series][output]:
            raise self._damaged(f"digests of {series}")
        return dict(zip(starts, digests, strict=True))

    def rows(self, series: str, output: str, start: int, stop: int) -> Series | None:
        """The final table for buckets ``[start, stop)`` (ns); None where it was left out."""
        found = self._tables.get(series)
        if found is None:
            return None
        table = pq.read_table(found, columns=["bucket", series, f"{series}.{output}"])
        bucket = table["bucket"].to_numpy().astype("datetime64[ns]").astype(np.int64)
        status, value = table[series].to_numpy(), table[f"{series}.{output}"].to_numpy()
        keep = (bucket >= start) & (bucket < stop) & (status != 0)
        return Series(series, (output,), 0, bucket[keep], status[keep], value[keep][:, None])

    @cached_property
    def _digests(self) -> pa.Table:
        try:
            return pq.read_table(self.path / "digests.parquet")
        except (OSError, pa.ArrowException):
            raise self._damaged("digests.parquet") from None

    @cached_property
    def _tables(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for file in sorted(self.path.glob("tables-*.parquet")):
            found |= dict.fromkeys(pq.read_schema(file).names, file)
        return found

    def _damaged(self, what: str) -> UserError:
        return UserError(
            f"the saved run is damaged: {what}",
            place="RUN",
            value=str(self.path),
            cure="run and save it again",
        )
