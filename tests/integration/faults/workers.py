"""Worker processes as a fault run has them in its hands: started, struck, stopped, continued, killed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from faults.worker import RELEASED, Handed
from qmtl.ports.log import Point
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.servers.process import Process

PROGRAM = Path(__file__).with_name("worker.py")
LOOK_SECONDS = 0.01
PATIENCE_SECONDS = 60.0


async def wait_for(true: Callable[[], bool], seconds: float = PATIENCE_SECONDS, what: str = "") -> bool:
    """Look until it is so; where it is not in time, False, or a failure where `what` says what was waited for."""
    late = stopwatch() + seconds
    while not true():
        if stopwatch() > late:
            assert not what, f"not within {seconds:.0f} s: {what}"
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return True


class Worker:
    """One `qmtl worker`; when it was killed or has ended it can be started again, as another process."""

    def __init__(self, number: int, url: str, handed: Handed) -> None:
        self.number, self.url, self.handed = number, url, handed
        command = [sys.executable, str(PROGRAM), msgspec.json.encode(handed).decode()]
        command += [
            "worker",
            "desk.py",
            "--json",
            "--log",
            url,
            "--snapshots",
            "kept",
            "--snapshot-every",
            "5",
        ]
        path = os.pathsep.join(filter(None, (str(PROGRAM.parent.parent), *sys.path)))
        environment = {"PYTHONPATH": path, "QMTL_CACHE": "off", "OPENBLAS_NUM_THREADS": "1"}
        log = Path(handed.folder, f"worker-{number}.log")
        self.process = Process(command, log, detached=False, environment=environment)
        self.busy = False  # somebody has struck it: it is left alone by others
        self.starts = 0
        self.pids: list[int] = []

    def start(self) -> None:
        self.process.start()
        self.starts += 1
        self.pids.append(self.process.pid)

    def alive(self) -> bool:
        return self.process.alive()

    def kill(self) -> None:
        self.process.kill()

    def stop(self) -> None:
        self.process.pause()

    def go_on(self) -> None:
        self.process.resume()

    async def reach(self, point: Point, seconds: float = 10.0) -> bool:
        """Have it stop at this point of its next commit; False where it makes none in time."""
        pid = self.process.pid
        want, there = self._file("want"), self._file("at")
        want.with_suffix(".new").write_text(point.name)
        want.with_suffix(".new").rename(want)
        if not await wait_for(lambda: there.exists() or not self.alive(), seconds):
            try:
                want.unlink()
            except FileNotFoundError:  # at the last moment
                await wait_for(there.exists, what=f"worker {pid} says that it has stopped")
        if not there.exists():
            return False
        await wait_for(lambda: _state(pid) in "TZ", what=f"worker {pid} stops")
        there.unlink()
        return self.alive()

    def told(self) -> dict[str, Any]:
        """What it said of itself when it left in good order; nothing where it did not."""
        file = self._file("told", self.pids[-1])  # not there where it ended before it began
        text = file.read_text() if file.exists() else ""
        return dict(json.loads(text)) if text else {}

    async def leave(self) -> dict[str, Any]:
        """SIGTERM, and what it says of itself."""
        self.process.ask_to_stop()
        await wait_for(lambda: not self.alive(), what=f"worker {self.number} leaves after SIGTERM")
        told = self.told()
        assert told, f"worker {self.number} ended badly:\n{self.process.tail()}"
        return told

    def _file(self, end: str, pid: int = 0) -> Path:
        return Path(self.handed.strikes, f"{pid or self.process.pid}.{end}")


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


@dataclass
class Crew:
    """The workers of a run on one log."""

    handed: Handed
    workers: list[Worker] = field(default_factory=list)

    def worker(self, url: str, **changes: str) -> Worker:
        """Started, with `changes` to what is handed to all."""
        made = Worker(len(self.workers), url, msgspec.structs.replace(self.handed, **changes))
        self.workers.append(made)
        made.start()
        return made

    def release(self) -> None:
        """All data may come now."""
        Path(self.handed.folder, RELEASED).touch()

    def end(self) -> None:
        for each in self.workers:
            each.kill()


def handed(folder: Path, **options: Any) -> Handed:
    """`slots`, `rate`, `chunk`, `lease_seconds`; the data begin to come now."""
    strikes = folder / "strikes"
    strikes.mkdir(exist_ok=True)
    return Handed(str(folder), str(strikes), begin=stopwatch(), **options)
