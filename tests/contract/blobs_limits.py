"""A store in files where something is scarce or forbidden, each in a process of its own: `NAME FOLDER`; prints JSON."""

from __future__ import annotations

import ctypes
import json
import os
import random
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from qmtl.adapters.files.blobs import FileBlobs
from qmtl.core.errors import Corrupt, Unavailable

NOBODY = 65_534
NEW_MOUNTS, PRIVATE = 0x20000, 0x44000  # CLONE_NEWNS; MS_REC | MS_PRIVATE


def refused(call: Any, *args: Any) -> str:
    try:
        call(*args)
    except Unavailable as fault:
        return str(fault)
    return ""


def read_only(folder: Path) -> dict[str, Any]:
    store = FileBlobs(folder)
    good, bad = store.put([b"good"]), store.put([b"bad!"])
    store.set_record("name", b"record")
    store._place(bad).write_bytes(b"worse")
    for each in (folder, *folder.rglob("*")):
        each.chmod(0o555 if each.is_dir() else 0o444)
    if os.getuid() == 0:  # to whom nothing is forbidden
        os.setuid(NOBODY)
    try:
        store.get(bad)
        corrupt = False
    except Corrupt:
        corrupt = True
    return {
        "read": bytes(store.get(good)).decode() + store.get_record("name").decode(),
        "known": store.put([b"good"]) == good,
        "corrupt": corrupt,
        "put": refused(store.put, [b"new"]),
        "record": refused(store.set_record, "name", b"other"),
        "delete": refused(store.delete, good),
        "open": refused(FileBlobs, folder),
    }


def limit(what: int, most: int) -> None:
    resource.setrlimit(what, (most, resource.getrlimit(what)[1]))


def full(folder: Path) -> dict[str, Any]:
    """Where a file system of a megabyte can be mounted, it is filled; else no file may have more than 100 kB."""
    folder.mkdir()
    libc, size = ctypes.CDLL(None, use_errno=True), 300_000
    mounted = libc.unshare(NEW_MOUNTS) == 0 and libc.mount(b"none", b"/", None, PRIVATE, None) == 0
    mounted = mounted and libc.mount(b"none", bytes(folder), b"tmpfs", 0, b"size=1m") == 0
    if not mounted:
        limit(resource.RLIMIT_FSIZE, 100_000)
    store, told, kept = FileBlobs(folder), "", {}
    for number in range(1, 9):
        content = bytes([number]) * (size if mounted or number > 3 else 1_000)
        told = told or refused(store.put, [content])
        if not told:
            kept[store.put([content])] = content
    intact = all(bytes(store.get(digest)) == content for digest, content in kept.items())
    aside = len(list((folder / "aside").iterdir()))
    store.delete(next(iter(kept)))
    small = bytes(store.get(store.put([b"small again" * 1_000])))[:5].decode()
    return {"told": told, "kept": len(kept), "intact": intact, "aside": aside, "after": small}


def many(folder: Path) -> dict[str, Any]:
    """More blobs held than there may be open files."""
    store = FileBlobs(folder)
    digests = [store.put([number.to_bytes(2) * 70_000]) for number in range(100)]
    limit(resource.RLIMIT_NOFILE, 40)
    held = [store.get(digest) for digest in digests]
    return {"right": [int.from_bytes(each[:2]) for each in held] == list(range(100))}


def forked(folder: Path) -> dict[str, Any]:
    """A process that has hashed much has a child that hashes much."""
    store = FileBlobs(folder)
    digest = store.put([bytes(8 << 20)])
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(store.get(digest).nbytes >> 20)
    return {"megabytes": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}


def crowd(folder: Path) -> dict[str, Any]:
    """Six processes put, set, read and open at the same time."""
    children = [os.fork() or _one_of_many(folder, number) for number in range(6)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    store = FileBlobs(folder)
    whole = [store.get(each.digest).nbytes for each in store.stored()]
    return {"codes": codes, "sizes": sorted(whole), "aside": len(list((folder / "aside").iterdir()))}


def _one_of_many(folder: Path, own: int) -> int:
    order, store = list(range(30)), FileBlobs(folder)
    random.Random(own).shuffle(order)
    for number in order:
        content = [bytes([number]) * 5_000 * (number + 1)]
        digest = store.put(content)
        store.set_record(f"of/{number}", digest.encode())
        store.set_record("all", bytes([number]) * 9_000)
        seen = store.get_record("all")
        if bytes(store.get(digest)) != content[0] or seen != seen[:1] * 9_000:
            os._exit(1)
        if number % 10 == 0:
            store = FileBlobs(folder)
    os._exit(store.corrupt)


if __name__ == "__main__":
    cases = {each.__name__: each for each in (read_only, full, many, forked, crowd)}
    json.dump(cases[sys.argv[1]](Path(sys.argv[2])), sys.stdout)
