"""Stores in files whose process is killed with SIGKILL at every call on which durability rests, and opened again.

Prints one JSON document: the calls of an undisturbed process by name, and for each kill what was wrong afterwards. Each
life is a forked process of its own, so that none pays for starting Python.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qmtl.adapters.files.blobs import FileBlobs
from qmtl.adapters.files.disk import Disk
from qmtl.adapters.files.writing import Writer
from qmtl.core.errors import Fault
from qmtl.core.flow.digest import named

CONTENTS = [[bytes([each]) * 70_000, bytes([each + 1]) * 200_000] for each in range(3)]
CARELESS = "careless"  # writes in place, and only its torn writes are tried
HOW = ("before", "torn", "after")


class Fatal(Disk):
    """Dies at its n-th call: before it, after it, or half way through a write."""

    def __init__(self, at: int = 0, how: str = "") -> None:
        self.names: list[str] = []
        self._at, self._how = at, how

    def _called(self, call: Callable[..., None], *args: Any) -> None:
        self.names.append(call.__name__)
        mine = len(self.names) == self._at
        if mine and self._how == "torn" and call.__name__ == "write":
            call(args[0], args[1][: len(args[1]) // 2])
        if mine and self._how != "after":
            os.kill(os.getpid(), signal.SIGKILL)
        call(*args)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, file: int, buffer: Any) -> None:
        self._called(super().write, file, buffer)

    def fsync(self, file: int) -> None:
        self._called(super().fsync, file)

    def rename(self, source: Path, target: Path) -> None:
        self._called(super().rename, source, target)

    def fsync_folder(self, folder: Path) -> None:
        self._called(super().fsync_folder, folder)


class Careless(Writer):
    """Writes in place, and shows that the trials find it."""

    def write(self, place: Path, content: Any) -> None:
        self.last(place.parent)
        file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for buffer in content:
            self._disk.write(file, buffer)
        os.close(file)


def live(folder: Path, disk: Disk, returned: int) -> None:
    """Put, set and seal; a line of `returned` for each call that has come back."""
    store = FileBlobs(folder, disk)
    if CARELESS in sys.argv:
        store._writer = Careless(folder, disk)
    for number, content in enumerate(CONTENTS):
        digest = store.put(content)
        os.write(returned, f"put {number}\n".encode())
        store.put(content)
        store.set_record(f"own/{number}", digest.encode() * 3)
        os.write(returned, f"own {number}\n".encode())
        store.set_record("last", str(number).encode() * 1_000)
        os.write(returned, f"last {number}\n".encode())
    store.seal(named(CONTENTS[0]))


def wrong_after(folder: Path, returned: list[str]) -> list[str]:
    """What of the promises does not hold, seen by a process that opens the store."""
    store, found = FileBlobs(folder), []
    done = {
        what: [int(line.split()[1]) for line in returned if line.startswith(what)] for what in ("put", "own")
    }
    try:
        for each in store.stored():
            store.get(each.digest, audit=True)
        records = {name: store.get_record(name) for name in store.list_records("")}
        for number in done["put"]:
            if bytes(store.get(named(CONTENTS[number]))) != b"".join(CONTENTS[number]):
                found.append(f"put {number} is another")
    except Fault as fault:
        return [f"{type(fault).__name__}: {fault}"]
    found += [f"own/{number} is gone" for number in done["own"] if f"own/{number}" not in records]
    known = [named(content) for content in CONTENTS]
    found += [f"{name} names no content" for name, text in records.items() if not _right(name, text, known)]
    last = [int(line.split()[1]) for line in returned if line.startswith("last")]
    now = int(records["last"][:1]) if "last" in records else -1
    if not max(last, default=-1) <= now <= max(last, default=-1) + 1:
        found.append(f"last is {now} after {last}")
    if len(list((folder / "aside").iterdir())) > 1:
        found.append("more than one file aside")
    return found


def _right(name: str, text: bytes, known: list[str]) -> bool:
    if name == "last":
        return text == text[:1] * 1_000
    return text == known[int(name[-1])].encode() * 3


def lived(folder: Path, disk: Disk) -> tuple[list[str], bool]:
    """A life in a process of its own: what had returned, and whether it was killed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            live(folder, disk, write)
            os._exit(0)
        finally:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    os.close(write)
    with os.fdopen(read) as lines:
        returned = lines.read().splitlines()
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        raise SystemExit("a life ended with an error")
    return returned, os.WIFSIGNALED(status)


def aged(folder: Path) -> list[str]:
    """What is left aside once it is two hours old and the store is opened again."""
    for each in (folder / "aside").iterdir():
        before = each.stat().st_mtime - 7_200
        os.utime(each, (before, before))
    FileBlobs(folder)
    return [f"{each.name} is left aside" for each in (folder / "aside").iterdir()]


def trial(folder: Path, at: int, how: str) -> dict[str, Any]:
    shutil.rmtree(folder, ignore_errors=True)
    returned, killed = lived(folder, Fatal(at, how))
    wrong = wrong_after(folder, returned)
    left = len(list((folder / "aside").iterdir()))
    again, _ = lived(folder, Disk())
    wrong += wrong_after(folder, again) + aged(folder)
    if len(again) != 3 * len(CONTENTS) or len(list(FileBlobs(folder).stored())) != len(CONTENTS):
        wrong.append("the life after was not whole")
    return {"at": at, "how": how, "killed": killed, "left": left, "returned": len(returned), "wrong": wrong}


def main(folder: Path) -> None:
    disk = Fatal()
    silent = os.open(os.devnull, os.O_WRONLY)
    live(folder / "whole", disk, silent)
    kills = [
        (at, how) for at, name in enumerate(disk.names, 1) for how in HOW if how != "torn" or name == "write"
    ]
    json.dump(
        {"calls": disk.names, "trials": [trial(folder / "t", at, how) for at, how in kills]}, sys.stdout
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
