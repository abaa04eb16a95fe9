"""Snapshots of a plan's state (R4, F3): written under one manifest, believed only when everything in it agrees.

A *manifest* names the parts and the rest of a state (:mod:`qmtl.core.flow.state`), the position up to which the plan's
input is in it, the runtime, and for every node its key `(node_id, interval, wm_ts, schema_fingerprint,
runtime_fingerprint, state_hash)`. Parts are named by their content: one that did not change since the last snapshot is
not written again. The manifest is written last; who holds its digest holds the snapshot. Several revisions are kept;
where one cannot be believed, the one before it is tried, and then there is none: the plan warms up from its input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from blake3 import blake3

from qmtl.core.errors import Corrupt, Missing, Unavailable
from qmtl.core.flow import state
from qmtl.core.flow.digest import named
from qmtl.core.flow.engine import Engine
from qmtl.ports.blobs import Blobs
from qmtl.runtime import parts

FOLDER = "snapshots/"  # records: which manifests a plan keeps, for collecting what nobody needs
KEEP = 3  # revisions
SLOW_SECONDS = 60.0  # a store that takes longer is not waited for: input is read again instead


class Reason(StrEnum):
    """Why a snapshot was not used: the label of `snapshot_rejected_total`."""

    MISSING = "missing"  # the manifest, or something it names
    CORRUPT = "corrupt"  # bytes are not what they were
    UNAVAILABLE = "unavailable"
    SLOW = "slow"
    PLAN = "plan"  # of other nodes, or of another qmtl
    RUNTIME = "runtime"  # computed by another runtime
    STATE_HASH = "state_hash"  # its parts are whole, and not those of this state


class Key(msgspec.Struct, array_like=True, frozen=True):
    """A node of a snapshot; `wm_ts` in ns. A correction changes `state_hash`, not `wm_ts`."""

    node_id: str
    interval: int
    wm_ts: int
    schema_fingerprint: str
    runtime_fingerprint: str
    state_hash: str


class Manifest(msgspec.Struct, frozen=True):
    """One snapshot. `more`: what its owner keeps beside the engine's state."""

    plan: str
    runtime: str
    position: int
    parts: list[str]
    rest: str
    more: bytes
    state_hash: str
    nodes: list[Key]


class Pointer(msgspec.Struct, array_like=True, frozen=True):
    """Where a snapshot is: the digest of its manifest, and the position up to which input is in it."""

    position: int
    digest: str


class Restored(NamedTuple):
    """An engine that goes on from `pointer`; `more` as it was given."""

    engine: Engine
    more: bytes
    pointer: Pointer


@dataclass(frozen=True, slots=True)
class Content:
    """A snapshot before it is written: the engine may move on."""

    manifest: Manifest
    buffers: dict[str, Any]  # by digest; none for what was written before


class Rejected(Exception):  # noqa: N818  (an outcome, not an error of anybody)
    """A snapshot that is not used."""

    def __init__(self, reason: Reason, why: str) -> None:
        super().__init__(why)
        self.reason = reason


def state_hash(plan: str, rest: str, digests: Sequence[str], more: bytes) -> str:
    """Of everything that is in a state: the Merkle root over what it is made of; hex."""
    return blake3("\n".join([plan, rest, *digests, named([more])]).encode()).hexdigest()


class Snapshots:
    """Writes and reads the snapshots of plans."""

    def __init__(
        self,
        store: Blobs,
        runtime: str,
        *,
        watch: Callable[[], float],
        rejected: Callable[[Reason, str], None],
        slow_seconds: float = SLOW_SECONDS,
    ) -> None:
        """`runtime`: the fingerprint that states are computed by; `watch`: a stopwatch in seconds; `rejected`: told why
        a snapshot was not used."""
        self._store, self._runtime, self._watch, self._rejected = store, runtime, watch, rejected
        self._slow_seconds = slow_seconds

    # --- writing ---------------------------------------------------------------------------------------------

    def take(self, engine: Engine, position: int, more: bytes, known: Iterable[str] = ()) -> Content:
        """The state as it is now. `known`: parts that are stored already, as of the plan's last snapshot."""
        plan, held = state.plan_digest(engine.plan), set(known)
        buffers: dict[str, Any] = {}
        digests, nodes = list[str](), dict[str, str]()
        for part in state.parts_of(engine):
            content = parts.encoded(part)
            digest = named([content])
            nodes = state.node_hashes(engine, part, nodes)
            digests.append(digest)
            if digest not in held:
                buffers[digest] = content
        kept = state.rest_of(engine)
        rest = named([kept])
        buffers[rest] = kept
        root = state_hash(plan, rest, digests, more)
        keys = list(_keys(engine, nodes, self._runtime))
        return Content(Manifest(plan, self._runtime, position, digests, rest, more, root, keys), buffers)

    def write(self, taken: Content, seal: bool = True) -> Pointer:
        """Make a snapshot durable: what it names first, the manifest last. Raises Unavailable.

        `seal`: with the SHA-256 of each for audits.
        """
        for content in taken.buffers.values():
            digest = self._store.put([content])
            if seal:
                self._store.seal(digest)
        digest = self._store.put([msgspec.msgpack.encode(taken.manifest)])
        return Pointer(taken.manifest.position, digest)

    def keep(self, name: str, pointers: Sequence[Pointer]) -> None:
        """Say which snapshots a plan keeps; what no plan keeps may be collected."""
        self._store.set_record(f"{FOLDER}{name}", msgspec.msgpack.encode(list(pointers)))

    def drop(self, dropped: Sequence[Pointer], kept: Sequence[Pointer]) -> int:
        """Let go of snapshots that nothing points to any more, but for what those `kept` share with them.

        Returns how many blobs went. Raises Unavailable. What cannot be read stays for `qmtl cache gc`. (Where another
        log's snapshot has a part in common, that one is rejected as missing, and the one before it used.)
        """
        shared = self._named(kept)
        if shared is None:
            return 0
        gone = 0
        for pointer in dropped:
            for digest in sorted((self._named([pointer]) or set()) - shared):
                self._store.delete(digest)
                gone += 1
        return gone

    def _named(self, pointers: Iterable[Pointer]) -> set[str] | None:
        """Everything that snapshots name, themselves too; None where one cannot be read."""
        found: set[str] = set()
        for pointer in pointers:
            try:
                manifest = self._manifest(pointer)
            except Rejected:
                return None
            found |= {pointer.digest, manifest.rest, *manifest.parts}
        return found

    # --- reading ---------------------------------------------------------------------------------------------

    def newest(
        self, make: Callable[[], Engine], pointers: Iterable[Pointer]
    ) -> tuple[Restored, Manifest] | None:
        """An engine in the newest state that can be believed, of `pointers`, newest first; None: there is none.

        `make`: an engine of the plan before its first arrival.
        """
        since = self._watch()
        for pointer in pointers:
            try:
                return self._read(make(), pointer, since)
            except Rejected as why:
                self._rejected(why.reason, f"snapshot {pointer.digest[:12]}: {why}")
                if why.reason is Reason.SLOW:
                    return None
        return None

    def _read(self, engine: Engine, pointer: Pointer, since: float) -> tuple[Restored, Manifest]:
        manifest = self._manifest(pointer)
        plan = state.plan_digest(engine.plan)
        if manifest.plan != plan:
            raise Rejected(Reason.PLAN, f"of plan {manifest.plan[:12]}, not {plan[:12]}")
        if manifest.runtime != self._runtime:
            raise Rejected(Reason.RUNTIME, f"by {manifest.runtime}, not {self._runtime}")
        root = state_hash(plan, manifest.rest, manifest.parts, manifest.more)
        if root != manifest.state_hash or manifest.position != pointer.position:
            raise Rejected(Reason.STATE_HASH, f"{manifest.state_hash[:12]}, not {root[:12]}")
        try:
            state.put_rest(engine, self._get(manifest.rest))
            for digest in manifest.parts:
                state.put_part(engine, parts.decoded(self._get(digest)))
                if self._watch() - since > self._slow_seconds:
                    raise Rejected(Reason.SLOW, f"not read after {self._slow_seconds:g} s")
        except Corrupt as wrong:
            raise Rejected(Reason.CORRUPT, str(wrong)) from wrong
        return Restored(engine, manifest.more, pointer), manifest

    def _manifest(self, pointer: Pointer) -> Manifest:
        try:
            return msgspec.msgpack.decode(self._get(pointer.digest), type=Manifest)
        except msgspec.MsgspecError as wrong:
            raise Rejected(Reason.CORRUPT, str(wrong)) from wrong

    def _get(self, digest: str) -> memoryview:
        try:
            return self._store.get(digest)
        except Missing as wrong:
            raise Rejected(Reason.MISSING, str(wrong)) from wrong
        except (Corrupt, ValueError) as wrong:
            raise Rejected(Reason.CORRUPT, str(wrong)) from wrong
        except Unavailable as wrong:
            raise Rejected(Reason.UNAVAILABLE, str(wrong)) from wrong


def _keys(engine: Engine, hashes: dict[str, str], runtime: str) -> Iterator[Key]:
    for group in engine.plan.groups:
        for lane, node in enumerate(group.nodes):
            if group.timeline is None:
                continue
            schema = blake3("\n".join(node.outputs).encode()).hexdigest()[:16]
            watermark = engine.clocks.watermark(group, lane)
            hashed = hashes.get(node.node_id, "")
            if group.index in engine.flow.book.scans:
                scan = engine.flow.book.scans[group.index][:, lane]
                hashed = blake3(bytes.fromhex(hashed) + scan.tobytes()).hexdigest()
            yield Key(node.node_id, group.interval, watermark, schema, runtime, hashed)


def roots(store: Blobs) -> set[str]:
    """The digests of all that snapshots keep: manifests and what they name."""
    found: set[str] = set()
    for name in store.list_records(FOLDER):
        try:
            pointers = msgspec.msgpack.decode(store.get_record(name), type=list[Pointer])
        except (Missing, Corrupt, msgspec.MsgspecError):
            continue
        for pointer in pointers:
            found.add(pointer.digest)
            try:
                manifest = msgspec.msgpack.decode(store.get(pointer.digest), type=Manifest)
            except (Missing, Corrupt, msgspec.MsgspecError):
                continue
            found |= {manifest.rest, *manifest.parts}
    return found
