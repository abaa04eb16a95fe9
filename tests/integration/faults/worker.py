"""`qmtl worker` as it is, but for what a fault run hands in: a short lease, a pace for its data, and stops at Points.

    python worker.py HANDED worker desk.py --log URL …

In the middle of a commit it looks for a file PID.want in the folder of strikes. Where that names the Point it is at, it
says so by renaming the file to PID.at, and stops until somebody continues or kills it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import msgspec

import qmtl.cli.worker as command
import qmtl.runtime.worker.starting as starting
from qmtl.adapters.sql.log import SqlLog
from qmtl.cli import main
from qmtl.core.flow.commit import Slot
from qmtl.ports.log import Log, Point
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.worker.history_feed import HistoryFeed

RELEASED = "released"  # this file: all data may come now


class Handed(msgspec.Struct, frozen=True):
    """What workers of a run get. `rate`: bars a second of each stream, since the stopwatch stood at `begin`."""

    folder: str
    strikes: str
    slots: int
    begin: float
    rate: float
    chunk: int
    lease_seconds: float
    lease: str = ""  # the URL of a database of leases beside the log
    through: str = ""  # the URL by which the log is reached, where that is another than its name


class PacedFeed(HistoryFeed):
    """The files come in as time goes on."""

    handed: Handed

    def _stop(self, position: int) -> int:
        stop = min(super()._stop(position), position + self.handed.chunk)
        if Path(self.handed.folder, RELEASED).exists():
            return stop
        come = int((stopwatch() - self.handed.begin) * self.handed.rate)
        return max(position, min(stop, come))


def strike(handed: Handed) -> Any:
    want, there = (Path(handed.strikes, f"{os.getpid()}.{end}") for end in ("want", "at"))

    def at(point: Point, slot: Slot) -> None:
        with suppress(FileNotFoundError):
            if want.read_text() == point.name:
                want.rename(there)
                # To this thread: sent to the process, another thread may take it while this one runs on.
                signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    return at


async def opened(url: str, handed: Handed, at: Any = None) -> Log:
    """The log of the run; its tables or topics are made where they are not there."""
    found = {} if at is None else {"at": at}
    if not url.startswith("kafka://"):
        return await SqlLog.open(url, handed.slots, lease_seconds=handed.lease_seconds, **found)
    from qmtl.adapters.kafka.cluster import Cluster
    from qmtl.adapters.kafka.log import KafkaLog

    host, _, name = url.removeprefix("kafka://").partition("/")
    return await KafkaLog.create(Cluster(host, name), handed.slots, **found)


def run() -> None:
    handed = msgspec.json.decode(sys.argv.pop(1), type=Handed)
    from faults.place import catalog

    PacedFeed.handed = handed
    starting.HistoryFeed = PacedFeed  # type: ignore[misc]
    if handed.lease:
        sys.argv += ["--lease", handed.lease]
    command.open_log = lambda url: opened(handed.through or url, handed, strike(handed))  # type: ignore[assignment]
    command.data_of = lambda *_: catalog(Path(handed.folder))  # type: ignore[assignment]
    with Path(handed.strikes, f"{os.getpid()}.told").open("w") as told, redirect_stdout(told):
        main()


if __name__ == "__main__":
    run()
