"""Looking after a cache of slices: what is in it, letting go of the oldest, auditing, disowning (R6, R15)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from qmtl.core.errors import Corrupt, Missing, UserError
from qmtl.ports.blobs import Blobs
from qmtl.runtime.slices import DISOWNED, FOLDER, Actions, forget
from qmtl.runtime.snapshots import roots

YOUNG_NS = 3600 * 1_000_000_000  # content without a record may be that of a run that is about to write it


@dataclass
class Stats:
    """What a cache holds. `seconds`: of computing that it saves whoever asks for all of it."""

    packs: int = 0
    slices: int = 0
    bytes: int = 0
    nodes: int = 0
    runtimes: int = 0
    seconds: float = 0.0
    dangling: int = 0  # records whose pack is gone
    unnamed: int = 0  # content that no record names
    disowned: int = 0


@dataclass
class Audit:
    """What an audit read and what it found; what is corrupt is gone afterwards, and will be computed again."""

    blobs: int = 0
    bytes: int = 0
    records: int = 0
    sealed: int = 0  # whose SHA-256 was verified, or written now
    corrupt: list[str] = field(default_factory=list)


def stats(store: Blobs) -> Stats:
    """Counts, by the records and the names of what is stored; nothing is verified."""
    held = {each.digest: each.size for each in store.stored()}
    found, nodes, scopes, named = Stats(), set(), set(), set()
    for _, actions in _records(store):
        if actions is None:
            continue
        found.slices += len(actions.slices)
        found.dangling += actions.pack not in held
        found.seconds += sum(action.seconds for action in actions.slices)
        nodes |= {action.node_id for action in actions.slices}
        scopes |= {action.scope for action in actions.slices}
        named.add(actions.pack)
    found.nodes, found.runtimes, found.packs = len(nodes), len(scopes), len(named)
    found.bytes = sum(held.get(pack, 0) for pack in named)
    found.unnamed = len(held.keys() - named - roots(store))
    found.disowned = len(store.list_records(DISOWNED))
    return found


def collect(store: Blobs, keep_bytes: int) -> tuple[int, int]:
    """Let go of the oldest packs beyond `keep_bytes`, and of what no record names; returns how many blobs and bytes.

    What snapshots name stays. A record goes before its pack: killed between the two, there is a pack that nobody names.
    """
    snapshots = roots(store)  # before what is stored is listed: a younger one is kept by its age
    held = sorted(
        (one for one in store.stored() if one.digest not in snapshots), key=lambda each: -each.modified
    )
    packs = {actions.pack for _, actions in _records(store) if actions is not None}
    newest, kept, blobs, freed = max((each.modified for each in held), default=0), 0, 0, 0
    for each in held:
        named = each.digest in packs
        kept += each.size if named else 0
        if (kept <= keep_bytes) if named else (each.modified > newest - YOUNG_NS):
            continue
        if named:
            forget(store, each.digest)
        store.delete(each.digest)
        blobs, freed = blobs + 1, freed + each.size
    there = {each.digest for each in held}
    for pack in packs - there:
        if not store.has(pack):
            forget(store, pack)
    return blobs, freed


def audit(store: Blobs) -> Audit:
    """Read everything and verify both digests; content that has no SHA-256 yet gets one."""
    found = Audit()
    for name, actions in _records(store):
        found.records += 1
        if actions is None:
            found.corrupt.append(f"record {name}")
    for each in store.stored():
        try:
            content = store.get(each.digest, audit=True)
            store.seal(each.digest)
        except Corrupt as error:
            found.corrupt.append(str(error))
            forget(store, each.digest)
        except Missing:  # collected meanwhile
            continue
        else:
            found.blobs += 1
            found.bytes += content.nbytes
            found.sealed += 1
    return found


def disown(store: Blobs, node: str) -> tuple[str, int]:
    """Believe nothing any more of what is kept for a node, named by (the beginning of) its id.

    Returns its id, and how many slices that are. Its results get new keys: what is computed from now on is kept.
    """
    slices: dict[str, int] = {}
    for _, actions in _records(store):
        for action in actions.slices if actions is not None else ():
            slices[action.node_id] = slices.get(action.node_id, 0) + 1
    hits = [one for one in slices if one.startswith(node)]
    if len(hits) != 1:
        what = "several nodes have ids that begin so" if hits else "the cache holds nothing of such a node"
        raise UserError(what, place="node", value=node, cure="qmtl graph FILE --json shows the ids of nodes")
    name = f"{DISOWNED}{hits[0]}"
    try:
        times = int(store.get_record(name))
    except (Missing, Corrupt):
        times = 0
    store.set_record(name, str(times + 1).encode())
    return hits[0], slices[hits[0]]


def _records(store: Blobs) -> Iterator[tuple[str, Actions | None]]:
    """Action records by name; None for one that cannot be read, which is gone afterwards."""
    for name in store.list_records(FOLDER):
        try:
            yield name, msgspec.msgpack.decode(store.get_record(name), type=Actions)
        except Missing:
            continue
        except (Corrupt, msgspec.DecodeError):
            store.delete_record(name)
            yield name, None
