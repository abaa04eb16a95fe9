"""The slice cache (R6): results of authors' nodes, kept under what they were computed from.

Content and action are apart. Slices are Arrow record batches, packed into blobs; an *action record* says for each
slice of a pack which key it answers, by which runtime, where it lies, and what it cost; runtimes that agree to the bit
have a record each of one pack. A key is that of ``(NodeID, input_window_hash, params_hash)``; an answer belongs to a
runtime (R3). A pack is durable before its record is written, and a hit reads and verifies content before it counts, so
neither a kill nor an eviction leaves a record that answers wrongly.

**What is kept.** A slice that took less than `CHEAP` seconds to compute is not worth reading back: it is computed again
(`recomputed: cheaper`), unless its author says otherwise (`cache=` of a node). Failures are never kept. One hit in a
hundred (`check`) is computed again and compared; a difference is an alarm: its pack is not believed any more, and the
slice computed stands.

**Another runtime's slices** serve nodes whose `runtime_compat` is loose, once one of them has been computed again here
and agreed within the node's tolerance; strict nodes never see them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
from blake3 import blake3

from qmtl.core.errors import Corrupt, Missing, Unavailable
from qmtl.core.flow.digest import named
from qmtl.core.flow.entry import same
from qmtl.core.flow.reuse import SPAN, Slice
from qmtl.core.flow.timeline import VALUE
from qmtl.core.graph.ir import Caching, Node
from qmtl.ports.blobs import Blobs

CHEAP = 0.0005  # seconds; finding, reading and verifying a slice takes about a third of it
PACK_BYTES = 1 << 20
PACKS = 64  # that were read and are kept in memory
PACK_SECONDS = 0.5  # of computing that a kill may cost
FOLDER = "slices/"
DISOWNED = "disowned/"


class What(StrEnum):
    """What became of a slice of a node."""

    COMPUTED = "computed"
    REUSED = "reused"
    ACROSS = "reused across runtimes"
    CHEAPER = "recomputed: cheaper"
    UNKEPT = "recomputed: never kept"  # as its author says
    CHECKED = "checked"  # known, computed again all the same, and equal
    DIFFERS = "differs"  # known, computed again, and not equal: an alarm


class Event(NamedTuple):
    """What became of the slice of `rows` buckets from `bucket` (ns) on; `seconds` it took, or saved."""

    node_id: str
    bucket: int
    rows: int
    what: What
    seconds: float
    key: str


class Action(msgspec.Struct, array_like=True, frozen=True):
    """One slice of a pack: what it answers, where it lies, what it took."""

    key: bytes
    scope: str
    node_id: str
    bucket: int
    rows: int
    at: int
    size: int
    seconds: float


class Actions(msgspec.Struct, array_like=True, frozen=True):
    """An action record: a pack and its slices."""

    pack: str
    slices: list[Action]


@dataclass
class Counts:
    """Of slices; `saved` and `spent` in seconds of computing."""

    computed: int = 0
    reused: int = 0
    across: int = 0  # of those reused, by another runtime
    cheaper: int = 0
    checked: int = 0
    differs: int = 0
    stored: int = 0
    corrupt: int = 0
    dangling: int = 0
    saved: float = 0.0
    spent: float = 0.0

    @property
    def hit_ratio(self) -> float:
        """Of all slices that are worth keeping, how many were known."""
        asked = self.reused + self.checked + self.computed
        return (self.reused + self.checked) / asked if asked else 1.0


class Runtime(Protocol):
    """What a node's results depend on beside its inputs (R3)."""

    def scope(self, node: Node) -> str:
        """The runtime fingerprint for a node, as a name."""
        ...

    def strict(self, node: Node) -> bool:
        """Whether nothing computed by another runtime may be used."""
        ...

    def tolerance(self, node: Node) -> float:
        """By how much, relatively, results of two runtimes may differ."""
        ...


@dataclass
class _Asked:
    key: bytes
    scope: str
    since: float
    known: Slice | None = None
    theirs: str = ""  # the scope of `known`


@dataclass
class _Pack:
    """Slices computed and not stored yet."""

    buffers: list[Any] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    size: int = 0
    seconds: float = 0.0


class SliceCache:
    """Answers the engine (:class:`qmtl.core.flow.reuse.Reuse`) from a blob store, and keeps what it did not know."""

    def __init__(
        self,
        store: Blobs,
        runtime: Runtime,
        *,
        watch: Callable[[], float],
        check: float = 0.01,
        cheap: float = CHEAP,
        span: int = SPAN,
        pack_seconds: float = PACK_SECONDS,
        look_seconds: float | None = None,
    ) -> None:
        """`watch`: a stopwatch in seconds; `check`: the share of hits computed again; `span`: buckets of a slice;
        `pack_seconds`: of computing after which what was computed is made durable; `look_seconds`: how often to look
        for what others have computed meanwhile, if at all."""
        self._store, self._runtime, self._watch = store, runtime, watch
        self._check, self._cheap, self._pack_seconds, self.span = check, cheap, pack_seconds, span
        self.events: list[Event] = []
        self.counts = Counts()
        self._known: dict[bytes, dict[str, tuple[str, Action]]] = {}  # by key and scope: pack and action
        self._packs: dict[str, memoryview] = {}
        self._salts: dict[str, bytes] = {}
        self._trusted: dict[tuple[str, str], bool] = {}  # node and another's scope: whether they agree
        self._asked: _Asked | None = None
        self._pack = _Pack()
        self._look_seconds, self._looked = look_seconds, watch()
        self._records: set[str] = set()  # that were read
        self._away: list[str] = []  # what the store said when it could not be used
        self._load()

    # --- what the engine asks --------------------------------------------------------------------------------

    def find(self, node: Node, window: bytes, bucket: int, rows: int) -> Slice | None:
        """A slice that is known; else the caller computes it and calls `computed`."""
        if node.meta.get("cache") == Caching.NEVER:
            return None
        since, key, scope = self._watch(), self.key(node, window), self._runtime.scope(node)
        theirs = self._scope_of(key, node, scope)
        if theirs is None and self._look_seconds is not None and since - self._looked >= self._look_seconds:
            self._load()
            theirs, self._looked = self._scope_of(key, node, scope), self._watch()
        known = None if theirs is None else self._read(key, theirs, node, rows)
        trusted = theirs == scope or (node.node_id, theirs) in self._trusted
        if known is None or theirs is None or not trusted or self._chosen(key):
            self._asked = _Asked(key, scope, self._watch(), known, theirs or "")
            return None
        saved = self._known[key][theirs][1].seconds
        self.counts.reused += 1
        self.counts.across += theirs != scope
        self.counts.saved += saved - (self._watch() - since)
        what = What.REUSED if theirs == scope else What.ACROSS
        self.events.append(Event(node.node_id, bucket, rows, what, saved, key.hex()))
        return known

    def computed(self, node: Node, window: bytes, bucket: int, made: Slice) -> None:
        """The slice just asked for: kept where that is worth it."""
        asked, self._asked = self._asked, None
        if asked is None:
            self.events.append(Event(node.node_id, bucket, len(made.status), What.UNKEPT, 0.0, ""))
            return
        seconds = self._watch() - asked.since
        what = self._judged(asked, node, made, seconds)
        name = {What.CHEAPER: "cheaper"}.get(what, what.value)
        setattr(self.counts, name, getattr(self.counts, name) + 1)
        self.counts.spent += seconds
        self.events.append(Event(node.node_id, bucket, len(made.status), what, seconds, asked.key.hex()))
        if what in (What.COMPUTED, What.DIFFERS) or asked.theirs not in ("", asked.scope):
            self._keep(asked, node, bucket, made, seconds)

    def _judged(self, asked: _Asked, node: Node, made: Slice, seconds: float) -> What:
        if asked.known is None:
            kept = seconds >= self._cheap or node.meta.get("cache") == Caching.ALWAYS
            return What.COMPUTED if kept else What.CHEAPER
        own = asked.theirs == asked.scope
        agree = equal(asked.known, made) if own else close(asked.known, made, self._runtime.tolerance(node))
        if not own:
            self._trusted[node.node_id, asked.theirs] = agree
        elif not agree:
            self._forget(self._known[asked.key][asked.scope][0])
        return What.CHECKED if agree else What.DIFFERS

    def key(self, node: Node, window: bytes) -> bytes:
        """``(NodeID, input_window_hash, params_hash)``, and the salt of a node whose results were disowned."""
        params = blake3(repr(node.params).encode()).digest()
        salt = self._salts.get(node.node_id, b"")
        return blake3(bytes.fromhex(node.node_id) + window + params + salt).digest()

    def _scope_of(self, key: bytes, node: Node, own: str) -> str | None:
        """Whose slice may answer: this runtime's, else where the node is loose one that has not disagreed."""
        known = self._known.get(key, {})
        if own in known:
            return own
        others = [one for one in known if self._trusted.get((node.node_id, one), True)]
        return min(others) if others and not self._runtime.strict(node) else None

    # --- the store -------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Make all that was computed durable: the pack first, then the record that names it."""
        pack, self._pack = self._pack, _Pack()
        if not pack.actions:
            return
        try:
            digest = self._store.put(pack.buffers)
            content = msgspec.msgpack.encode(Actions(digest, pack.actions))
            self._store.set_record(f"{FOLDER}{digest}/{named([content])[:16]}", content)
        except Unavailable as error:  # a run does not fail for want of a place to keep its results
            self._away.append(str(error))
            return
        self.counts.stored += len(pack.actions)
        self._learn(Actions(digest, pack.actions))

    def _learn(self, actions: Actions) -> None:
        for action in actions.slices:
            self._known.setdefault(action.key, {})[action.scope] = (actions.pack, action)

    def _load(self) -> None:
        for name in self._store.list_records(DISOWNED):
            self._salts[name.removeprefix(DISOWNED)] = self._store.get_record(name)
        for name in self._store.list_records(FOLDER):
            if name in self._records:
                continue
            self._records.add(name)
            try:
                self._learn(msgspec.msgpack.decode(self._store.get_record(name), type=Actions))
            except (Corrupt, msgspec.DecodeError):
                self.counts.corrupt += 1
                self._store.delete_record(name)
            except Missing:  # collected meanwhile
                continue

    def _read(self, key: bytes, scope: str, node: Node, rows: int) -> Slice | None:
        pack, action = self._known[key][scope]
        try:
            if pack not in self._packs:
                self._packs[pack] = self._store.get(pack)
                if len(self._packs) > PACKS:
                    del self._packs[next(iter(self._packs))]
        except Missing:
            self.counts.dangling += 1
        except Corrupt:
            self.counts.corrupt += 1
        except Unavailable as error:
            self._away.append(str(error))
            return None
        else:
            return decoded(self._packs[pack][action.at : action.at + action.size], node.outputs, rows)
        self._forget(pack)
        return None

    def _forget(self, pack: str) -> None:
        """Believe nothing of a pack any more."""
        forget(self._store, pack)
        for known in self._known.values():
            for one in [one for one, found in known.items() if found[0] == pack]:
                del known[one]

    def _keep(self, asked: _Asked, node: Node, bucket: int, made: Slice, seconds: float) -> None:
        buffer, pack, rows = encoded(made, node.outputs), self._pack, len(made.status)
        pack.actions.append(
            Action(asked.key, asked.scope, node.node_id, bucket, rows, pack.size, len(buffer), seconds)
        )
        pack.buffers.append(buffer)
        pack.size += len(buffer)
        pack.seconds += seconds
        if pack.size >= PACK_BYTES or pack.seconds >= self._pack_seconds:
            self.flush()

    def _chosen(self, key: bytes) -> bool:
        """A hundredth of the keys, and the same ones in every run: a run can be repeated."""
        return int.from_bytes(blake3(key).digest()[:4]) < self._check * 2**32

    # --- about a run -----------------------------------------------------------------------------------------

    @property
    def notes(self) -> list[str]:
        """What somebody should look at."""
        differ = [event for event in self.events if event.what is What.DIFFERS]
        names = ", ".join(dict.fromkeys(event.node_id[:12] for event in differ))
        found = (
            [f"{len(differ)} cached results differ from the same computed again: {names}"] if differ else []
        )
        if self.counts.corrupt:
            found.append(f"{self.counts.corrupt} corrupt items of the cache were computed again")
        if self._away:
            found.append(f"the cache could not be used {len(self._away)} times: {self._away[0]}")
        return found

    def by_node(self) -> dict[str, list[Event]]:
        """What became of each node's slices, in order."""
        found: dict[str, list[Event]] = {}
        for event in self.events:
            found.setdefault(event.node_id, []).append(event)
        return found


def forget(store: Blobs, pack: str) -> None:
    """Let the records of a pack go."""
    for name in store.list_records(f"{FOLDER}{pack}/"):
        store.delete_record(name)


def equal(a: Slice, b: Slice) -> bool:
    """Equal statuses, and equal bits where there is a value (any NaN is one)."""
    there = a.status == VALUE
    return np.array_equal(a.status, b.status) and same(a.values[there], b.values[there])


def close(a: Slice, b: Slice, tolerance: float) -> bool:
    """Equal statuses, and values that differ by no more than `tolerance`, relatively."""
    there = a.status == VALUE
    return np.array_equal(a.status, b.status) and np.allclose(
        a.values[there], b.values[there], rtol=tolerance, atol=tolerance, equal_nan=True
    )


def encoded(made: Slice, outputs: Iterable[str]) -> Any:
    """A slice as an Arrow record batch (a column `status`, one for each output), without its schema."""
    import pyarrow as pa

    values = made.values.copy()
    values[made.status != VALUE] = np.nan
    arrays = [pa.array(made.status), *(pa.array(values[:, n]) for n, _ in enumerate(outputs))]
    return pa.RecordBatch.from_arrays(arrays, schema=_schema(tuple(outputs))).serialize()


def decoded(buffer: Any, outputs: Iterable[str], rows: int) -> Slice | None:
    """The slice in `buffer`; None where it is of another length, which only another node's could be."""
    import pyarrow as pa

    batch = pa.ipc.read_record_batch(pa.py_buffer(buffer), _schema(tuple(outputs)))
    if batch.num_rows != rows:
        return None
    values = [np.asarray(column) for column in batch.columns[1:]]
    return Slice(np.asarray(batch.column(0)), np.stack(values, axis=1) if values else np.zeros((rows, 0)))


def _schema(outputs: tuple[str, ...]) -> Any:
    import pyarrow as pa

    return pa.schema([("status", pa.uint8()), *((f"value {name}", pa.float64()) for name in outputs)])
