"""Stores in files when processes are killed, crowd together, or find no room (P2, P3, P6)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qmtl.adapters.files.blobs import FileBlobs
from qmtl.adapters.files.disk import Disk
from qmtl.core.errors import Corrupt, Missing
from qmtl.core.flow.digest import named

HERE = Path(__file__).parent


def told(script: str, *args: Any) -> Any:
    """What a script of this folder prints."""
    command = [sys.executable, str(HERE / script), *map(str, args)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def quick_folder() -> Iterator[Path]:
    """In memory where that can be: a kill takes no page from the system's cache, so nothing depends on the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


class Written(Disk):
    """Notes the calls: their names and what they were about."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def write(self, file: int, buffer: Any) -> None:
        self.calls.append(("write",))
        super().write(file, buffer)

    def fsync(self, file: int) -> None:
        self.calls.append(("fsync",))
        super().fsync(file)

    def rename(self, source: Path, target: Path) -> None:
        self.calls.append(("rename", target))
        super().rename(source, target)

    def fsync_folder(self, folder: Path) -> None:
        self.calls.append(("fsync_folder", folder))
        super().fsync_folder(folder)


@pytest.mark.slow
def test_killed_at_every_call_nothing_that_had_returned_is_lost_and_nothing_half_is_seen(
    quick_folder: Path,
) -> None:
    found = told("blobs_killed.py", quick_folder)
    assert {"write", "fsync", "rename", "fsync_folder"} == set(found["calls"])
    assert len(found["trials"]) >= 2 * len(found["calls"])
    assert [each for each in found["trials"] if each["wrong"] or not each["killed"]] == []
    assert (
        sum(each["left"] for each in found["trials"]) > 20
    )  # there was something to be mistaken for content


@pytest.mark.slow
def test_the_kills_find_a_store_that_writes_in_place(quick_folder: Path) -> None:
    found = told("blobs_killed.py", quick_folder, "careless")
    assert any("Corrupt" in line for each in found["trials"] for line in each["wrong"])


def test_all_is_synced_before_a_call_returns(tmp_path: Path) -> None:
    """The file before it gets its name, then the folder of the name, and above every folder that was made."""
    disk = Written()
    store = FileBlobs(tmp_path / "new" / "store", disk)
    root = tmp_path / "new" / "store"
    assert [each[1] for each in disk.calls if each[0] == "fsync_folder"][:2] == [tmp_path, tmp_path / "new"]
    assert disk.calls.count(("fsync_folder", root)) == 3  # aside, blobs and records are in it
    disk.calls.clear()
    place = store._place(store.put([b"one", b"two"]))
    synced = [("fsync_folder", root / "blobs"), ("rename", place), ("fsync_folder", place.parent)]
    assert disk.calls == [("write",), ("write",), ("fsync",), *synced]
    disk.calls.clear()
    store.set_record("a/b", b"")
    last = root / "records" / "a"
    above = [("fsync_folder", root / "records"), ("rename", last / "b="), ("fsync_folder", last)]
    assert disk.calls == [("write",), ("fsync",), *above]


def test_what_another_process_has_renamed_and_not_synced_is_synced_by_who_puts_it_too(tmp_path: Path) -> None:
    place = FileBlobs(tmp_path)
    digest = place.put([b"content"])
    disk = Written()
    second = FileBlobs(tmp_path, disk)
    disk.calls.clear()
    second.put([b"content"])
    assert disk.calls == [("fsync_folder", tmp_path / "blobs"), ("fsync_folder", place._place(digest).parent)]


def test_content_put_while_its_corrupt_copy_is_moved_away_stays(tmp_path: Path) -> None:
    class Overtaken(Disk):
        def rename(self, source: Path, target: Path) -> None:
            if target.parent.name == "corrupt":
                FileBlobs(tmp_path).put([b"content"])
            super().rename(source, target)

    store = FileBlobs(tmp_path, Overtaken())
    digest = store.put([b"content"])
    store._place(digest).write_bytes(b"spoilt!")
    with pytest.raises(Corrupt):
        store.get(digest)
    assert bytes(store.get(digest)) == b"content"


def test_files_aside_are_no_content_and_go_when_they_are_old_and_their_process_is_dead(
    tmp_path: Path,
) -> None:
    store = FileBlobs(tmp_path)
    left = tmp_path / "aside" / "0-1"  # no process has the number 0
    left.write_bytes(b"half")
    assert list(store.stored()) == [] == store.list_records("")
    with pytest.raises(Missing):
        store.get(named([b"half"]))
    FileBlobs(tmp_path)
    assert left.exists()  # another machine's process may be writing it
    living = tmp_path / "aside" / f"{os.getpid()}-x"
    living.write_bytes(b"half")
    for each in (left, living):
        os.utime(each, (1, 1))
    FileBlobs(tmp_path)
    assert not left.exists() and living.exists()


def test_what_was_corrupt_is_kept_for_whoever_wants_to_know_why(tmp_path: Path) -> None:
    store = FileBlobs(tmp_path)
    digest = store.put([b"content"])
    store._place(digest).write_bytes(b"spoilt!")
    with pytest.raises(Corrupt):
        store.get(digest)
    assert (tmp_path / "corrupt" / digest).read_bytes() == b"spoilt!"


def test_a_map_outlives_the_file(tmp_path: Path) -> None:
    store = FileBlobs(tmp_path)
    held = store.get(store.put([b"m" * 500_000]))
    store.delete(named([b"m" * 500_000]))
    assert bytes(held) == b"m" * 500_000


def test_a_folder_that_may_only_be_read(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # others may look into it
        Path(folder).chmod(0o755)
        found = told("blobs_limits.py", "read_only", Path(folder) / "store")
    assert found["read"] == "goodrecord" and found["known"] and found["corrupt"]
    for call in ("put", "record", "delete", "open"):
        assert "Permission denied; make it writable" in found[call], call


def test_a_full_disk_is_told_and_spoils_nothing(tmp_path: Path) -> None:
    found = told("blobs_limits.py", "full", tmp_path / "store")
    assert "with room left, or choose another" in found["told"]
    assert found["kept"] == 3 and found["intact"] and found["aside"] == 0
    assert found["after"] == "small"


def test_more_blobs_can_be_held_than_files_may_be_open(tmp_path: Path) -> None:
    assert told("blobs_limits.py", "many", tmp_path)["right"]


def test_a_forked_process_can_hash(tmp_path: Path) -> None:
    assert told("blobs_limits.py", "forked", tmp_path) == {"megabytes": 8}


def test_processes_share_a_folder(tmp_path: Path) -> None:
    found = told("blobs_limits.py", "crowd", tmp_path)
    assert found["codes"] == [0] * 6
    assert found["sizes"] == [5_000 * (number + 1) for number in range(30)]
    assert found["aside"] == 0
