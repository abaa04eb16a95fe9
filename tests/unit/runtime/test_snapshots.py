"""Snapshots: what is believed, what is refused and why, and what is tried then (R4, F3)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qmtl.adapters.files.blobs import FileBlobs
from qmtl.adapters.memory.blobs import MemoryBlobs
from qmtl.core.errors import Unavailable
from qmtl.core.flow.engine import Engine
from qmtl.core.flow.state import parts_of, rest_of
from qmtl.runtime.snapshots import Manifest, Pointer, Reason, Snapshots, roots, state_hash
from qmtl.testing.differential import batch_of, engine_of
from qmtl.testing.oracle import random_case

CASE = random_case(7)
RUNTIME = "python=3; numpy=2"


def engine(stop: int | None = None) -> Engine:
    made = engine_of(CASE, compiled=True)
    made.advance(batch_of(CASE, CASE["arrivals"][:stop]))
    return made


def fresh() -> Engine:
    return engine_of(CASE, compiled=True)


def content(of: Engine) -> Any:
    return rest_of(of), [(p.bucket, {k: a.tobytes() for k, a in p.arrays.items()}) for p in parts_of(of)]


class Kept:
    """Two snapshots in a folder: of 20 arrivals, and of 25."""

    def __init__(self, folder: Path, seconds: Callable[[], float] = lambda: 0.0) -> None:
        self.folder, self.store = folder, FileBlobs(folder)
        self.told: list[Reason] = []
        self.snapshots = self.of(RUNTIME, seconds)
        self.old = self.snapshots.write(self.snapshots.take(engine(20), 20, b"older"))
        self.new = self.snapshots.write(self.snapshots.take(engine(25), 25, b"newer"))
        self.manifest = msgspec.msgpack.decode(self.store.get(self.new.digest), type=Manifest)

    def of(self, runtime: str, seconds: Callable[[], float] = lambda: 0.0) -> Snapshots:
        return Snapshots(
            self.store,
            runtime,
            watch=seconds,
            rejected=lambda why, _: self.told.append(why),
            slow_seconds=5.0,
        )

    def file(self, digest: str) -> Path:
        (found,) = [one for one in self.folder.rglob(digest) if one.is_file()]
        return found

    def restored(self) -> int | None:
        found = self.snapshots.newest(fresh, [self.new, self.old])
        if found is None:
            return None
        (made, more, pointer), _ = found
        assert content(made) == content(engine(pointer.position))
        assert more == {20: b"older", 25: b"newer"}[pointer.position]
        return pointer.position


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_the_newest_snapshot_is_used(kept: Kept) -> None:
    assert kept.restored() == 25
    assert kept.told == []


def flipped(place: Path) -> None:
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(data)


def truncated(place: Path) -> None:
    place.write_bytes(place.read_bytes()[:-7])


@pytest.mark.parametrize("harm", [flipped, truncated, Path.unlink])
@pytest.mark.parametrize("what", ["manifest", "part", "rest"])
def test_a_damaged_snapshot_makes_way_for_the_one_before(
    kept: Kept, harm: Callable[[Path], None], what: str
) -> None:
    harmed = {"manifest": kept.new.digest, "part": kept.manifest.parts[0], "rest": kept.manifest.rest}[what]
    old = msgspec.msgpack.decode(kept.store.get(kept.old.digest), type=Manifest)
    assert harmed not in old.parts, "the two snapshots share it"
    harm(kept.file(harmed))
    assert kept.restored() == 20
    assert kept.told == [Reason.MISSING if harm is Path.unlink else Reason.CORRUPT]


def test_without_any_there_is_none(kept: Kept) -> None:
    for digest in (kept.new.digest, kept.old.digest):
        kept.file(digest).unlink()
    assert kept.restored() is None
    assert kept.told == [Reason.MISSING, Reason.MISSING]


def test_a_wrong_state_hash_is_refused(kept: Kept) -> None:
    wrong = msgspec.structs.replace(kept.manifest, state_hash="0" * 64)
    kept.new = Pointer(25, kept.store.put([msgspec.msgpack.encode(wrong)]))
    assert kept.restored() == 20
    assert kept.told == [Reason.STATE_HASH]


def test_parts_of_another_state_are_refused(kept: Kept) -> None:
    """Each is whole: what they make together is not what the manifest's hash says."""
    old = msgspec.msgpack.decode(kept.store.get(kept.old.digest), type=Manifest)
    wrong = msgspec.structs.replace(kept.manifest, parts=old.parts)
    kept.new = Pointer(25, kept.store.put([msgspec.msgpack.encode(wrong)]))
    assert kept.restored() == 20
    assert kept.told == [Reason.STATE_HASH]


def test_a_position_that_is_not_the_snapshots_is_refused(kept: Kept) -> None:
    kept.new = Pointer(26, kept.new.digest)
    assert kept.restored() == 20
    assert kept.told == [Reason.STATE_HASH]


def test_another_runtimes_snapshot_is_refused(kept: Kept) -> None:
    kept.snapshots = kept.of("python=3; numpy=3")
    assert kept.restored() is None
    assert kept.told == [Reason.RUNTIME, Reason.RUNTIME]


def test_another_plans_snapshot_is_refused(kept: Kept) -> None:
    other = random_case(8)
    found = kept.snapshots.newest(lambda: engine_of(other, compiled=True), [kept.new])
    assert found is None
    assert kept.told == [Reason.PLAN]


def test_a_slow_store_is_not_waited_for(tmp_path: Path) -> None:
    now = iter(range(0, 1000, 6))
    kept = Kept(tmp_path, lambda: float(next(now)))
    assert kept.restored() is None
    assert kept.told == [Reason.SLOW]  # the one before would be as slow


def test_a_store_that_is_away_is_told(kept: Kept) -> None:
    def away(digest: str, audit: bool = False) -> memoryview:
        raise Unavailable("down")

    kept.store.get = away  # type: ignore[method-assign]
    assert kept.restored() is None
    assert kept.told == [Reason.UNAVAILABLE, Reason.UNAVAILABLE]


def test_what_did_not_change_is_not_written_again() -> None:
    store = MemoryBlobs()
    snapshots = Snapshots(store, RUNTIME, watch=lambda: 0.0, rejected=lambda *_: None)
    first = snapshots.take(engine(20), 20, b"")
    assert set(first.manifest.parts) <= set(first.buffers)
    again = snapshots.take(engine(20), 21, b"", known=first.manifest.parts)
    assert set(again.buffers) == {again.manifest.rest}
    assert again.manifest.state_hash == first.manifest.state_hash


def test_every_node_has_a_key_that_a_correction_changes(kept: Kept) -> None:
    keys = {key.node_id: key for key in kept.manifest.nodes}
    assert {one["name"] for one in CASE["nodes"]} <= keys.keys()
    old = msgspec.msgpack.decode(kept.store.get(kept.old.digest), type=Manifest)
    before = {key.node_id: key for key in old.nodes}
    assert any(keys[one].state_hash != before[one].state_hash for one in keys)
    assert all(key.runtime_fingerprint == RUNTIME for key in keys.values())


def test_what_is_kept_is_told_to_who_collects(kept: Kept) -> None:
    kept.snapshots.keep("log/3", [kept.new])
    assert roots(kept.store) == {kept.new.digest, kept.manifest.rest, *kept.manifest.parts}
    assert state_hash("a", "b", ["c"], b"") != state_hash("a", "b", ["d"], b"")
