"""Going on from a snapshot: lanes with a long history, against reading and hashing the same bytes, and computing them.

Each lane is a stream of closes and an author's function over a window of them. The state is built with the function in
its vectorized form; what computing costs is measured with the plain form over a part of the buckets. Every restored
engine is compared with the one that the snapshot was taken of.
"""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import numpy as np
from blake3 import blake3

from engines import Fed, batch, engine_for, walk
from figures import Figure, case, show
from harness import keep, options
from qmtl import Strategy, StreamInput, node
from qmtl.adapters.files.blobs import FileBlobs
from qmtl.core.flow.view import View
from qmtl.runtime.snapshots import Content, Manifest, Pointer, Snapshots

TITLE = "Going on from a snapshot"
WINDOW = 60
SIZES = {"large": (1_000, 30_000), "small": (100, 3_000)}
CHUNK = 100  # minutes of one call
COMPUTED = 20  # of so many buckets, one is computed with the plain function


@node(outputs=("made",))
def plain(view: View) -> Any:
    return view.x[-1] / view.x.mean() - 1.0


@node(outputs=("made",), vectorized=True)
def vectorized(view: View) -> Any:
    return view.x[:, -1] / view.x.mean(axis=1) - 1.0


class Lanes(Strategy):
    """An author's function over each stream."""

    names: tuple[str, ...] = ()
    plain: bool = False

    def define(self) -> None:
        for name in self.names:
            close = StreamInput(name, interval="1m", fields=("close",)).close
            self.output(name, (plain if self.plain else vectorized)(x=close.window(WINDOW)))


def main() -> None:
    given = options(("large",), __doc__)
    lanes, rows = SIZES["small" if given.quick else "large"]
    figures = measured(lanes, rows, 1 if given.quick else min(given.rounds, 3))
    label = f"{lanes:,} lanes of {rows:,} buckets"
    show(f"{TITLE}: {label}", figures)
    keep("snapshots", TITLE, {label: case(figures, lanes=lanes, rows=rows)}, given)


def measured(lanes: int, rows: int, rounds: int) -> dict[str, Figure]:
    names = tuple(f"S{number}" for number in range(lanes))
    bars = walk(rows, lanes)
    computing = _fed(names, True, bars, rows // COMPUTED)[1] * COMPUTED
    fed, _ = _fed(names, False, bars, rows)
    with tempfile.TemporaryDirectory() as folder:
        store = FileBlobs(Path(folder))
        snapshots = Snapshots(store, "here", watch=perf_counter, rejected=_refused, slow_seconds=1e9)
        began = perf_counter()
        taken: Content = snapshots.take(fed.engine, rows, b"")
        taking = perf_counter() - began
        began = perf_counter()
        pointer = snapshots.write(taken, seal=False)
        writing = perf_counter() - began
        del taken
        manifest: Manifest = msgspec.msgpack.decode(store.get(pointer.digest), type=Manifest)
        named = [pointer.digest, manifest.rest, *manifest.parts]
        size = sum(store.stat(digest).size for digest in named)
        reading, ready = [], []
        for _ in range(rounds):
            reading.append(_read(Path(folder), named))
            ready.append(_restored(snapshots, pointer, names, rows, fed))
    best = min(ready)
    return {
        "ready": Figure(best, "s"),
        "reading and hashing": Figure(
            min(reading), "s", note=f"{size / 1e9:.2f} GB from the page cache into memory"
        ),
        "ready / reading and hashing": Figure(best / min(reading), "×", 2.0),
        "computing": Figure(computing, "s", note=f"a {COMPUTED}th of the buckets measured"),
        "ready / computing": Figure(best / computing, "×", 0.01),
        "taking (the slot waits)": Figure(taking, "s"),
        "writing (it works on)": Figure(writing, "s"),
    }


def _read(folder: Path, named: list[str]) -> float:
    """Seconds to have the bytes in memory, and hashed."""
    places = {place.name: place for place in folder.rglob("*") if place.is_file()}
    gc.collect()
    began, held = perf_counter(), []
    for digest in named:
        held.append(places[digest].read_bytes())
        if blake3(held[-1]).hexdigest() != digest:
            raise AssertionError(digest)
    return perf_counter() - began


def _fed(names: tuple[str, ...], plain: bool, bars: np.ndarray, rows: int) -> tuple[Fed, float]:
    """An engine after so many minutes, and the seconds they took; compiled before."""
    warm = engine_for(Lanes(names=names, plain=plain), names, rows)
    _advance(warm, bars, min(rows, 2 * WINDOW))
    fed = engine_for(Lanes(names=names, plain=plain), names, rows)
    began = perf_counter()
    _advance(fed, bars, rows)
    return fed, perf_counter() - began


def _advance(fed: Fed, bars: np.ndarray, rows: int) -> None:
    lanes = bars.shape[1]
    for first in range(0, rows, CHUNK):
        count = min(CHUNK, rows - first)
        minute = np.repeat(np.arange(first, first + count), lanes)
        fed.engine.advance(batch(bars, minute, np.tile(np.arange(lanes), count)))


def _restored(
    snapshots: Snapshots, pointer: Pointer, names: tuple[str, ...], rows: int, wanted: Fed
) -> float:
    made = engine_for(Lanes(names=names), names, 1)
    gc.collect()
    began = perf_counter()
    found = snapshots.newest(lambda: made.engine, [pointer])
    seconds = perf_counter() - began
    assert found is not None
    for name in (names[0], names[-1]):
        if not np.array_equal(made.column(name, rows), wanted.column(name, rows), equal_nan=True):
            raise AssertionError(f"what was restored of {name} is not what the snapshot was taken of")
    return seconds


def _refused(reason: object, why: str) -> None:
    raise AssertionError(why)


if __name__ == "__main__":
    main()
