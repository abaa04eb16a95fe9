"""What hashing costs inline, and what putting and getting blobs costs in files and in an object store.

BLAKE3, which every read verifies, against SHA-256, which audits verify: over the same buffers, in rounds that take
turns. Reads come from the system's cache; *bytes read and hashed* is as many such files through one small buffer. The
object store is a real server on this machine, where its packages are installed.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from figures import Figure, case, show
from harness import Sample, console, interleaved, keep, options
from qmtl.adapters.files.blobs import FileBlobs
from qmtl.core.flow.digest import audited, named
from qmtl.ports.blobs import Blobs

TITLE = "Hashes and blobs"
SIZES = {"64 KiB": 1 << 16, "1 MiB": 1 << 20, "64 MiB": 1 << 26}
TOTAL = {"hash": 1 << 28, "files": 1 << 27, "S3": 1 << 26}  # bytes of a round
MOST = 200  # blobs of a round
GB = 1e9
READ_MOST, LARGE = (
    2.0,
    1 << 20,
)  # what getting large blobs may cost, in times of reading and hashing such bytes


def main() -> None:
    given = options(tuple(SIZES), __doc__)
    with tempfile.TemporaryDirectory() as folder, _object_store() as objects:
        cases = {}
        for label in given.sizes:
            figures = _figures(SIZES[label], Path(folder) / label.replace(" ", ""), objects, given.rounds)
            show(f"{TITLE}: {label}", figures)
            cases[label] = case(figures, bytes=SIZES[label])
    keep("hash", TITLE, cases, given)


def _figures(size: int, folder: Path, objects: Blobs | None, rounds: int) -> dict[str, Figure]:
    content = np.random.default_rng(size).bytes(size)
    count = max(1, TOTAL["hash"] // size)
    runs = {"BLAKE3": _hashing(named, content, count), "SHA-256": _hashing(audited, content, count)}
    hashed = interleaved(runs, rounds)
    stored = interleaved(_storing("files", FileBlobs(folder), size) | _reading(folder, size), rounds)
    if objects is not None:
        stored |= interleaved(_storing("S3", objects, size), rounds)
    bytes_of = {name: size * _blobs(name.partition(":")[0], size) for name in stored}
    figures = {name: Figure(_a_gb(each, size * count), "s a GB") for name, each in hashed.items()}
    share = hashed["BLAKE3"].best / hashed["SHA-256"].best * 100
    figures["BLAKE3, of SHA-256"] = Figure(share, "%", 100.0)
    figures |= {name: Figure(_a_gb(each, bytes_of[name]), "s a GB") for name, each in stored.items()}
    times = stored["files: get"].best / stored["files: bytes read and hashed"].best
    figures["files: get, of bytes read and hashed"] = Figure(
        times, "times", READ_MOST if size >= LARGE else None
    )
    return figures


def _a_gb(sample: Sample, count: int) -> float:
    return sample.best / count * GB


def _blobs(where: str, size: int) -> int:
    return min(MOST, max(2, TOTAL[where] // size))


def _hashing(digest: Callable[[list[bytes]], str], content: bytes, count: int) -> Callable[[], float]:
    def run() -> float:
        began = perf_counter()
        for _ in range(count):
            digest([content])
        return perf_counter() - began

    return run


def _storing(where: str, store: Blobs, size: int) -> dict[str, Callable[[], float]]:
    """New content each time it is put; the last that was put is got."""
    chance, held = np.random.default_rng(size), []

    def put() -> float:
        for digest in held:
            store.delete(digest)
        contents = [chance.bytes(size) for _ in range(_blobs(where, size))]
        began = perf_counter()
        held[:] = [store.put([content]) for content in contents]
        return perf_counter() - began

    def get(audit: bool) -> float:
        began = perf_counter()
        found = [store.get(digest, audit=audit) for digest in held]
        seconds = perf_counter() - began
        if sum(each.nbytes for each in found) != size * len(held):
            raise AssertionError("not all bytes came back")
        return seconds

    def sealed() -> float:
        for digest in held:
            store.seal(digest)
        return get(True)

    put()
    runs = {"put": put, "get": lambda: get(False), "get and audit": sealed}
    return {f"{where}: {name}": run for name, run in runs.items()}


def _reading(folder: Path, size: int) -> dict[str, Callable[[], float]]:
    """The same number of such files, written once."""
    chance = np.random.default_rng(size)
    places = [folder / f"plain-{number}" for number in range(_blobs("files", size))]
    for place in places:
        place.write_bytes(chance.bytes(size))
    buffer = memoryview(bytearray(1 << 18))

    def run() -> float:
        began = perf_counter()
        for place in places:
            with place.open("rb", buffering=0) as file:
                named(buffer[:count] for count in iter(lambda file=file: file.readinto(buffer), 0))
        return perf_counter() - began

    return {"files: bytes read and hashed": run}


@contextmanager
def _object_store() -> Iterator[Blobs | None]:
    """A server of its own for this run; None where its packages are not installed."""
    from qmtl.runtime.servers import S3

    missing = "obstore is not installed" if importlib.util.find_spec("obstore") is None else S3.missing()
    if missing:
        console.print(f"skipped: S3: {missing}")
        yield None
        return
    from qmtl.adapters.objects.blobs import ObjectBlobs

    server: Any = S3()
    with server:
        yield ObjectBlobs(server.store(prefix="hash"))


if __name__ == "__main__":
    main()
