"""`diff`: what makes two saved runs differ (inputs, code, runtime, options), and where their results differ first.

Nodes are paired by the names of outputs and targets, and from there by the names of inputs, so that a changed node is
told from one that only reads what changed. Values are compared over the range that both runs emitted, by digests of
spans: rows are looked at only where those differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from qmtl.core.flow.digest import is_digest
from qmtl.core.flow.instant import instant_text, parse_instant
from qmtl.core.flow.timeline import VALUE
from qmtl.runtime.saved import SPAN, TOLD, SavedRun, Series

Ids = tuple[str, str]  # of two paired nodes
ATTRIBUTES = {
    "kind": "kind",
    "operator": "operator",
    "stream": "stream",
    "interval_ns": "interval",
    "outputs": "outputs",
    "members": "members",
    "code": "code",
}


@dataclass(frozen=True, slots=True)
class Changed:
    """A field that differs, with what each run has; "" where it has none."""

    what: str
    one: str
    other: str

    def __str__(self) -> str:
        return f"{self.what}: {_short(self.one)} → {_short(self.other)}"


@dataclass(frozen=True, slots=True)
class ChangedNode:
    """A node whose definition differs by itself, or only in what it reads."""

    path: str  # output score → px
    name: str
    place: str
    one: str  # ids
    other: str
    own: tuple[Changed, ...]  # empty: only its inputs changed


@dataclass(frozen=True, slots=True)
class First:
    """The first bucket at which results differ, and both values; `until` bounds the bucket where no table is kept."""

    name: str  # output score, target BTC, account, or a node's path
    node: str  # id in the first run; "" for an account
    bucket: str
    until: str
    one: str
    other: str

    def __str__(self) -> str:
        if not self.one and not self.other:
            return f"{self.name}: between {self.bucket} and {self.until}"
        return f"{self.name}: first at {self.bucket}: {self.one} → {self.other}"


@dataclass(frozen=True, slots=True)
class Divergence:
    """A node whose values differ though its inputs' do not, and what explains it."""

    first: First
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs; true where something in the results does."""

    results: tuple[First, ...]  # outputs, targets and accounts
    missing: tuple[Changed, ...]  # outputs and targets that one run lacks
    divergences: tuple[Divergence, ...]  # upstreams first
    data: tuple[Changed, ...]
    code: tuple[ChangedNode, ...]
    runtime: tuple[Changed, ...]
    options: tuple[Changed, ...]
    start: str  # of the range compared
    end: str
    nodes: int  # pairs compared

    @property
    def same_range(self) -> bool:
        """Whether both runs emitted the same range."""
        return not any(one.what in ("start", "end") for one in self.options)

    def __bool__(self) -> bool:
        return bool(self.results or self.missing) or not self.same_range

    def document(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {"equal": not self} | asdict(self)


def compare(one: SavedRun, other: SavedRun) -> Difference:
    """What makes two runs differ, and where first."""
    return _Comparison(one, other).found()


class _Comparison:
    def __init__(self, one: SavedRun, other: SavedRun) -> None:
        self.one, self.other = one, other
        manifests = one.document["manifest"], other.document["manifest"]
        starts, ends = ([parse_instant(each[name], name) for each in manifests] for name in ("start", "end"))
        self.start, self.end = max(starts), min(ends)
        self.manifests = manifests
        self.paths: dict[Ids, str] = {}
        self.inputs: dict[Ids, list[Ids]] = {}
        self.own: dict[Ids, tuple[Changed, ...]] = {}

    def found(self) -> Difference:
        missing = self._pair()
        order = {node: number for number, node in enumerate(self.one.nodes)}
        pairs = sorted(self.paths, key=lambda ids: order[ids[0]])
        changed: set[Ids] = set()
        for ids in pairs:
            if self.own[ids] or any(each in changed for each in self.inputs[ids]):
                changed.add(ids)
        differing = {ids: first for ids in pairs if (first := self._first_of(ids)) is not None}
        data = _changes(*(each["data"] for each in self.manifests))
        code = tuple(self._changed(ids) for ids in pairs if ids in changed)
        runtime = _changes(*(_flat(each["runtime"]) for each in self.manifests))
        options = self._options()
        divergences = tuple(
            Divergence(first, self._because(ids, changed, data, runtime))
            for ids, first in differing.items()
            if not any(each in differing for each in self.inputs[ids])
        )
        return Difference(
            tuple(self._results()),
            missing,
            divergences,
            data,
            code,
            tuple(each for each in runtime if each.what != "fingerprint" or len(runtime) == 1),
            options,
            instant_text(self.start),
            instant_text(self.end),
            len(pairs),
        )

    # --- pairs -----------------------------------------------------------------------------------------------

    def _strategies(self) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        pairs = zip_longest(self.one.document["strategies"], self.other.document["strategies"])
        several = len(self.one.document["strategies"]) > 1
        for number, (mine, theirs) in enumerate(pairs):
            empty: dict[str, Any] = {
                "name": "",
                "outputs": {},
                "targets": {},
                "parameters": {},
                "account": None,
            }
            yield (f"[{number}] " if several else ""), mine or empty, theirs or empty

    def _pair(self) -> tuple[Changed, ...]:
        """Pair nodes from outputs and targets on; returns what one of the runs lacks."""
        missing, todo = [], list[tuple[Ids, str]]()
        for prefix, mine, theirs in self._strategies():
            for kind in ("outputs", "targets"):
                for name in dict.fromkeys((*mine[kind], *theirs[kind])):
                    a, b = mine[kind].get(name), theirs[kind].get(name)
                    path = f"{prefix}{kind[:-1]} {name}"
                    if a is None or b is None:
                        missing.append(
                            Changed(path, "" if a is None else "there", "" if b is None else "there")
                        )
                        continue
                    todo.append(((a["node"], b["node"]), path))
                    if kind == "targets":
                        todo.append(((a["stream"], b["stream"]), f"{path}'s stream"))
        while todo:
            ids, path = todo.pop(0)
            if ids in self.paths:
                continue
            self.paths[ids] = path
            pairs = self._pair_inputs(ids)
            self.inputs[ids] = [each for each, _ in pairs]
            todo += [(each, f"{path} → {name}") for each, name in pairs]
        return tuple(missing)

    def _pair_inputs(self, ids: Ids) -> list[tuple[Ids, str]]:
        a, b = self.one.nodes[ids[0]], self.other.nodes[ids[1]]
        own = _changes_of(a, b)
        mine, theirs = ({edge["name"]: edge for edge in node["inputs"]} for node in (a, b))
        if not set(mine) & set(theirs) and len(mine) == len(theirs):  # another operator: by position
            theirs = dict(zip(mine, theirs.values(), strict=True))
        pairs = []
        for name in dict.fromkeys((*mine, *theirs)):
            x, y = mine.get(name), theirs.get(name)
            if x is None or y is None:
                own.append(
                    Changed(f"input {name}", "" if x is None else "there", "" if y is None else "there")
                )
                continue
            pairs.append((self._computed(x["node"], y["node"]), name))
            for field in ("columns", "window", "required", "complete"):
                if x[field] != y[field]:
                    own.append(Changed(f"{field} of {name}", _said(x[field]), _said(y[field])))
        self.own[ids] = tuple(own)
        return pairs

    def _computed(self, one: str, other: str) -> Ids:
        """The nodes behind selections of a member, which compute nothing."""
        return _behind(self.one.nodes, one), _behind(self.other.nodes, other)

    # --- values ----------------------------------------------------------------------------------------------

    def _first_of(self, ids: Ids) -> First | None:
        """Of all outputs (and members) of a pair of nodes, the first difference."""
        a, b = self.one.nodes[ids[0]], self.other.nodes[ids[1]]
        mine, theirs = (_members(run, node) for run, node in ((self.one, a), (self.other, b)))
        found = []
        for member in mine.keys() & theirs.keys():
            for output, its in zip(a["outputs"], b["outputs"], strict=False):
                first = self._first((mine[member], output), (theirs[member], its), a["interval_ns"])
                if first is not None:
                    what = member + (f".{output}" if len(a["outputs"]) > 1 else "")
                    found.append((first[0], what, first))
        if not found:
            return None
        at, what, (_, until, x, y) = min(found, key=lambda each: each[:2])
        return First(self.paths[ids] + what, ids[0], instant_text(at), instant_text(until), x, y)

    def _results(self) -> Iterator[First]:
        for prefix, mine, theirs in self._strategies():
            for kind in ("outputs", "targets"):
                for name in (name for name in mine[kind] if name in theirs[kind]):
                    a, b = mine[kind][name], theirs[kind][name]
                    interval = self.one.nodes[a["node"]]["interval_ns"]
                    first = self._first((a["series"], a["output"]), (b["series"], b["output"]), interval)
                    if first is not None:
                        yield _told(f"{prefix}{kind[:-1]} {name}", a["node"], first)
            if mine["account"] and theirs["account"]:
                interval = min(self.one.nodes[t["stream"]]["interval_ns"] for t in mine["targets"].values())
                pair = (mine["account"], "equity"), (theirs["account"], "equity")
                first = self._first(*pair, interval, self.end + 1)  # marked at ends of bars
                if first is not None:
                    yield _told(f"{prefix}equity", "", first)

    def _first(
        self, mine: tuple[str, str], theirs: tuple[str, str], interval: int, end: int | None = None
    ) -> tuple[int, int, str, str] | None:
        """Bucket, its end (that of the span where no rows are kept), and both values as texts."""
        if self.one.series[mine[0]][mine[1]] == self.other.series[theirs[0]][theirs[1]]:
            return None
        leaves, others = self.one.leaves(*mine), self.other.leaves(*theirs)
        span = SPAN * interval
        for start in sorted({*leaves, *others}):
            low, high = max(start, self.start), min(start + span, self.end if end is None else end)
            if high <= low or leaves.get(start) == others.get(start):
                continue
            rows, its = self.one.rows(*mine, low, high), self.other.rows(*theirs, low, high)
            if rows is None or its is None:
                return low, high, "", ""
            at = _first_row(rows, its)
            if at is not None:
                return at, at + interval, _at(rows, at), _at(its, at)
        return None

    # --- causes ----------------------------------------------------------------------------------------------

    def _changed(self, ids: Ids) -> ChangedNode:
        node = self.other.nodes[ids[1]]
        return ChangedNode(self.paths[ids], node["name"], node["place"], *ids, self.own[ids])

    def _because(
        self, ids: Ids, changed: set[Ids], data: tuple[Changed, ...], runtime: tuple[Changed, ...]
    ) -> tuple[str, ...]:
        node = self.one.nodes[ids[0]]
        found = [str(each) for each in self.own[ids]]
        stream = node["stream"] or ""
        found += (
            [f"data of {each.what}" for each in data if each.what.startswith(f"{stream} ")] if stream else []
        )
        if not found and ids in changed:
            found.append("what it reads was defined otherwise")
        if not found and runtime:
            found.append(
                "the runtime: " + ", ".join(each.what for each in runtime if each.what != "fingerprint")
            )
        if not found and not node["inputs"]:
            found.append("other arrivals")
        return tuple(found or ["nothing that is known: it depends on more than its inputs (see qmtl verify)"])

    def _options(self) -> tuple[Changed, ...]:
        mine, theirs = (
            {"start": each["start"], "end": each["end"]} | _flat(each["options"]) for each in self.manifests
        )
        for prefix, one, other in self._strategies():
            for side, strategy in ((mine, one), (theirs, other)):
                side[f"{prefix}strategy"] = strategy["name"]
                side |= {f"{prefix}parameter {name}": value for name, value in strategy["parameters"].items()}
        return _changes(mine, theirs)


def _changes_of(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Changed]:
    """What differs in two nodes themselves; the name of a function is not what it is."""
    named = a["code"] and b["code"]
    found = [
        Changed(what, _said(a[field]), _said(b[field]))
        for field, what in ATTRIBUTES.items()
        if a[field] != b[field] and not (named and field == "operator")
    ]
    for field, what in (("params", "parameter "), ("settings", "")):
        found += [Changed(what + each.what, each.one, each.other) for each in _changes(a[field], b[field])]
    return found


def _changes(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[Changed, ...]:
    return tuple(
        Changed(name, _said(one.get(name)), _said(other.get(name)))
        for name in dict.fromkeys((*one, *other))
        if one.get(name) != other.get(name)
    )


def _short(text: str) -> str:
    """Digests by how they begin."""
    return text[:12] if is_digest(text) else text or "none"


def _said(value: Any) -> str:
    return "" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings within as `outer.inner`."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        found |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, Mapping) else {name: value}
    return found


def _behind(nodes: Mapping[str, Mapping[str, Any]], node_id: str) -> str:
    while nodes[node_id]["kind"] == "select":
        node_id = nodes[node_id]["inputs"][0]["node"]
    return node_id


def _members(run: SavedRun, node: Mapping[str, Any]) -> dict[str, str]:
    """Series of a node by member ("" for the node itself); none of a tick stream."""
    keys = {"": node["id"]} | {f"[{name}]": f"{node['id']}[{name}]" for name in node["members"]}
    return {member: key for member, key in keys.items() if key in run.series}


def _told(name: str, node: str, first: tuple[int, int, str, str]) -> First:
    return First(name, node, instant_text(first[0]), instant_text(first[1]), first[2], first[3])


def _first_row(one: Series, other: Series) -> int | None:
    """The first bucket at which records differ, bit for bit (NaN equals NaN)."""
    buckets = np.union1d(one.bucket, other.bucket)
    a, b = (_laid(each, buckets) for each in (one, other))
    wrong = np.flatnonzero((a[0] != b[0]) | (a[1] != b[1]))
    return int(buckets[wrong[0]]) if len(wrong) else None


def _laid(one: Series, buckets: Any) -> tuple[Any, Any]:
    status, bits = np.zeros(len(buckets), np.uint8), np.zeros(len(buckets), np.int64)
    at = np.searchsorted(buckets, one.bucket)
    value = np.where(np.isnan(one.value[:, 0]), np.nan, one.value[:, 0])
    status[at] = one.status
    bits[at] = np.where(one.status == VALUE, value.view(np.int64), 0)
    return status, bits


def _at(one: Series, bucket: int) -> str:
    at = np.flatnonzero(one.bucket == bucket)
    if not len(at):
        return "no record"
    status, value = int(one.status[at[0]]), float(one.value[at[0], 0])
    return repr(value) if status == VALUE else TOLD[status]
