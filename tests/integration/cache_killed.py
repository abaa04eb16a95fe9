"""Backtests killed with SIGKILL at every call on which durability rests, and at random moments, and run again.

Prints one JSON document: for each kill where it was, whether the run after it gave the same bits, and how many buckets
both runs computed. Each run is a forked process, so that none pays for starting Python.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from qmtl import Runner, Strategy, StreamInput, node
from qmtl.adapters.files.blobs import FileBlobs
from qmtl.adapters.files.disk import Disk
from qmtl.runtime.here import Here
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.slices import SliceCache, What

ROWS, SPAN = 640, 64


@node
def dear(view, *, k: float):
    total = 0.0
    for one in view.x.tolist():
        total += one * k - 1.0
    return total


class Killed(Strategy):
    """One node over another, and one beside them."""

    def define(self) -> None:
        close = StreamInput("A", interval="1m").close
        inner = dear(x=close.window(20), k=1.0)
        self.output("inner", inner)
        self.output("outer", dear(x=inner.window(5), k=2.0))
        self.output("beside", dear(x=close.window(30), k=3.0))


class Fatal(Disk):
    """Dies before or after its n-th call."""

    def __init__(self, at: int, after: bool) -> None:
        self.calls, self._at, self._after = 0, at, after

    def _called(self, call: Callable[..., None], *args: Any) -> None:
        self.calls += 1
        mine = self.calls == self._at
        if mine and not self._after:
            os.kill(os.getpid(), signal.SIGKILL)
        call(*args)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, file: int, buffer: Any) -> None:
        half = memoryview(buffer).cast("B")
        half = half[: len(half) // 2] if self.calls + 1 == self._at else half  # torn
        self._called(super().write, file, half)

    def fsync(self, file: int) -> None:
        self._called(super().fsync, file)

    def rename(self, source: Path, target: Path) -> None:
        self._called(super().rename, source, target)

    def fsync_folder(self, folder: Path) -> None:
        self._called(super().fsync_folder, folder)


class Told(SliceCache):
    """Writes down how many buckets were computed, before anything else can happen."""

    def __init__(self, *args: Any, note: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self._note = note

    def computed(self, node: Any, window: bytes, bucket: int, made: Any) -> None:
        os.write(self._note, f"{len(made.status)}\n".encode())
        super().computed(node, window, bucket, made)


def frame() -> pd.DataFrame:
    price = 100 + np.random.default_rng(1).normal(0, 1, ROWS).cumsum()
    times = pd.date_range("2024-01-01", periods=ROWS, freq="min", tz="UTC")
    columns = dict.fromkeys(("open", "high", "low", "close"), price) | {"volume": np.ones(ROWS)}
    return pd.DataFrame({"ts": times, **columns})


def backtest(data: pd.DataFrame, folder: Path, disk: Disk, note: int) -> tuple[str, SliceCache]:
    store = FileBlobs(folder, disk)
    cache = Told(store, Here(), watch=stopwatch, check=0.0, cheap=0.0, span=SPAN, pack_seconds=0.0, note=note)
    run = Runner.backtest(Killed(), {"A": data}, cache=cache, progress=False)
    digest = sha256()
    for name in ("inner", "outer", "beside"):
        digest.update(run.frame(name).to_numpy().tobytes())
    return digest.hexdigest(), cache


def forked(body: Callable[[], None]) -> int:
    """Runs it in a process of its own; returns the signal that ended it."""
    child = os.fork()
    if child == 0:
        try:
            body()
            os._exit(0)
        finally:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def trial(
    folder: Path, data: pd.DataFrame, disk: Disk, wanted: str, delay: float | None = None
) -> dict[str, Any]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    note = os.open(folder / "computed", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    if delay is not None:
        ended = forked(
            lambda: (
                signal.setitimer(signal.ITIMER_REAL, delay),
                backtest(data, folder / "cache", disk, note),
            )
        )
    else:
        ended = forked(lambda: backtest(data, folder / "cache", disk, note))
    got, cache = backtest(data, folder / "cache", Disk(), note)
    os.close(note)
    computed = sum(map(int, (folder / "computed").read_text().split()))
    believed = all(event.what in (What.REUSED, What.COMPUTED) for event in cache.events)
    return {
        "killed": ended in (signal.SIGKILL, signal.SIGALRM),
        "equal": got == wanted and believed,
        "computed": computed / (3 * ROWS),
        "reused": cache.counts.reused,
    }


def main(folder: Path, random_moments: int) -> None:
    data, chance = frame(), random.Random(1)
    note = os.open(os.devnull, os.O_WRONLY)
    disk = Fatal(0, after=False)
    backtest(data, folder / "warm", disk, note)  # compiles; says how many calls there are
    began = stopwatch()
    wanted, _ = backtest(data, folder / "whole", Disk(), note)
    seconds = stopwatch() - began
    trials = [
        trial(folder / "trial", data, Fatal(at, after=at % 2 == 0), wanted) for at in range(1, disk.calls + 1)
    ]
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process there and then, as SIGKILL does
    for _ in range(random_moments):
        trials.append(trial(folder / "trial", data, Disk(), wanted, delay=chance.uniform(0.0, seconds)))
    json.dump({"calls": disk.calls, "trials": trials}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
