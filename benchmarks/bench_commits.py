"""What batched commits in SQLite cost: against plain inserts of the same records, by the same driver and settings.

A commit is a step as workers make it: fenced by its epoch, with positions counted in the transaction and the step's
record. The plain insert is `executemany` into one table with the same columns and key, in a transaction of its own.
Records have 100 bytes. FULL is qmtl's default; with it the disk is waited for in every transaction.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import perf_counter

from figures import Figure, case, show
from harness import interleaved, keep, options
from qmtl.adapters.sql.log import SqlLog
from qmtl.core.flow.commit import Generation, Position, Record, Slot, Step, Taken, Topic
from qmtl.ports.log import Member

TITLE = "Commits in SQLite"
RECORDS = {"100": 100, "1k": 1_000, "5k": 5_000}  # of a commit
SYNCHRONOUS = ("FULL", "NORMAL")
MOST = 2.0  # times as long as plain inserts, as was asked
COMMITS = 20  # of a run
VALUE = bytes(100)
SLOT = Slot(0)
TABLE = (
    "CREATE TABLE records (partition INTEGER NOT NULL, position INTEGER NOT NULL, key BLOB NOT NULL, "
    "value BLOB NOT NULL, PRIMARY KEY (partition, position)) WITHOUT ROWID"
)
INSERT = "INSERT INTO records (partition, position, key, value) VALUES (?, ?, ?, ?)"


class Plain:
    """A table, and the positions in it."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute(f"PRAGMA synchronous={synchronous}")
        self._connection.execute(TABLE)
        self._next = 0

    def insert(self, records: tuple[Record, ...]) -> None:
        rows = [(0, number, each.key, each.value) for number, each in enumerate(records, self._next)]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(INSERT, rows)
        self._connection.execute("COMMIT")
        self._next += len(rows)

    def count(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM records").fetchone()[0])

    def close(self) -> None:
        self._connection.close()


async def _owned(path: Path, synchronous: str) -> tuple[SqlLog, Member, Taken, Generation]:
    log = await SqlLog.open(f"sqlite:///{path}", 1, lease_seconds=600.0, synchronous=synchronous)
    member = await log.member("bench")
    while SLOT not in (polled := await member.poll(1.0)).assigned:
        pass
    return log, member, await member.take(SLOT), polled.generation


def main() -> None:
    given = options(tuple(RECORDS), __doc__)
    cases: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as loop:
        for synchronous in SYNCHRONOUS:
            for size in given.sizes:
                place = Path(folder, f"{synchronous}-{size}")
                place.mkdir()
                figures = _figures(loop, place, synchronous, RECORDS[size], given.rounds)
                label = f"{RECORDS[size]:,} records a commit, synchronous={synchronous}"
                show(f"{TITLE}: {label}", figures)
                cases[label] = case(figures, records=RECORDS[size], commits=COMMITS)
    keep("commits", TITLE, cases, given)


def _figures(
    loop: asyncio.Runner, place: Path, synchronous: str, count: int, rounds: int
) -> dict[str, Figure]:
    records = tuple(Record(b"key-%06d" % number, VALUE) for number in range(count))
    log, member, taken, generation = loop.run(_owned(place / "log.sqlite", synchronous))
    step = Step(SLOT, taken.epoch, Position(0), records)
    with closing(Plain(place / "plain.sqlite", synchronous)) as plain:
        runs = {
            "commits": _timed(lambda: loop.run(_all(member, step, generation))),
            "inserts": _timed(lambda: [plain.insert(records) for _ in range(COMMITS)]),
        }
        for run in runs.values():
            run()
        samples = interleaved(runs, rounds)
        end = loop.run(log.end(Topic.COMMITS, SLOT))
        if end.visible % (count + 1) or plain.count() % count:
            raise RuntimeError("not everything was written")
    loop.run(log.close())
    once, other = samples["commits"].best / COMMITS, samples["inserts"].best / COMMITS
    return {
        "a commit": Figure(once * 1e3, "ms"),
        "plain inserts": Figure(other * 1e3, "ms"),
        "a commit, of plain inserts": Figure(once / other, "×", MOST),
        "records, committed": Figure(count / once, "/s"),
    }


async def _all(member: Member, step: Step, generation: Generation) -> None:
    for _ in range(COMMITS):
        await member.commit(step, generation)


def _timed(work: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        begin = perf_counter()
        work()
        return perf_counter() - begin

    return run


if __name__ == "__main__":
    main()
