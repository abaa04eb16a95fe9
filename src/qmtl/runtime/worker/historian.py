"""Who does the jobs of history (C10): the workers themselves, beside their slots.

A job is done by who holds its lease, in a database; that it is done is a record in the store that holds its slices, and
set after them. A job whose worker was killed is free when its lease is over. The events of a segment enter the log when
all jobs that read them are done, so that the owners of slots find the slices; live events come after all of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from qmtl.core.errors import Unavailable, Unknown
from qmtl.core.flow.reuse import Slice
from qmtl.core.graph.ir import Node
from qmtl.ports.blobs import Blobs
from qmtl.ports.lease import Leases
from qmtl.runtime.metrics import Metrics
from qmtl.runtime.slices import SliceCache
from qmtl.runtime.worker.history import History, Job, Pieces
from qmtl.runtime.worker.keeping import Compute

_log = logging.getLogger("qmtl.history")

FOLDER = "history/"  # records: which jobs are done
LEASE_SECONDS = 10.0
AWAY_SECONDS = 30.0  # after which the owners of the slots compute by themselves what nobody could


class Historian:
    """One worker's part in the jobs of a history."""

    def __init__(
        self,
        history: History,
        leases: Leases,
        store: Blobs,
        slices: Callable[[], SliceCache],
        name: str,
        watch: Callable[[], float],
        *,
        metrics: Metrics | None = None,
        poll_seconds: float = 0.5,
        compute: Compute = asyncio.to_thread,
    ) -> None:
        """`leases`: its own, closed in the end; `slices`: a cache over `store`, made anew; `name`: of the worker;
        `watch`: a stopwatch in seconds.
        """
        self.history, self._leases, self._store, self._slices = history, leases, store, slices
        self._name, self._watch, self._metrics = name, watch, Metrics() if metrics is None else metrics
        self._poll_seconds, self._compute = poll_seconds, compute
        self._done: set[str] = set()
        self._held: str | None = None
        self._going: dict[int, tuple[Pieces, SliceCache]] = {}  # by home: where its last job has come to
        self._given_up = False

    @property
    def over(self) -> bool:
        """Whether nothing is left that a slot would wait for."""
        return self._given_up or len(self._done) == len(self.history.jobs)

    def ready(self, stream: str) -> int:
        """How many segments of a stream (node id) may enter the log."""
        homes = () if self.over else self.history.homes(stream)
        left = [job.first for job in self.history.jobs if job.home in homes and job.name not in self._done]
        return min(left, default=self.history.segments)

    async def run(self) -> None:
        """Do jobs until all are done, by whomever. Where lease or store stay away, leave it to the slots' owners."""
        try:
            await self._all()
        finally:
            self._going.clear()
            await self._leases.close()

    async def _all(self) -> None:
        since = self._watch()
        while not self.over:
            try:
                if not await self._round():
                    await asyncio.sleep(self._poll_seconds)
                since = self._watch()
            except (Unavailable, Unknown) as away:
                if self._watch() - since > AWAY_SECONDS:
                    _log.warning("history is computed by the owners of its slots: %s", away)
                    self._given_up = True
                await asyncio.sleep(self._poll_seconds)

    async def beat(self) -> None:
        """Renews the lease of the job that is being done."""
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            if self._held is not None:
                with suppress(Unavailable, Unknown):  # then it may be done twice, to no harm
                    await self._leases.renew([self._held], self._name, LEASE_SECONDS)

    async def _round(self) -> bool:
        """Do one job that is free; whether there was any."""
        await self._look()
        for job in sorted(self.history.jobs, key=lambda one: (one.first, one.home)):
            if job.name in self._done or not self._done.issuperset(job.after):
                continue
            lease = lease_of(self.history, job)
            if await self._leases.acquire(lease, self._name, LEASE_SECONDS) is None:
                continue
            self._held = lease
            try:
                await self._look()  # it may have been done between the two
                if job.name not in self._done:
                    await self._do(job)
            finally:
                self._held = None
                with suppress(Unavailable, Unknown):
                    await self._leases.release([lease], self._name)
            return True
        return False

    async def _do(self, job: Job) -> None:
        pieces, cache = self._started(job)
        while pieces.next < job.stop:
            await self._compute(pieces.advance)
        await self._compute(cache.flush)
        await self._compute(lambda: self._store.set_record(self._folder + job.name, b"done"))
        self._done.add(job.name)
        self._going[job.home] = pieces, cache
        self._metrics.history_jobs.labels(job.home).inc()

    def _started(self, job: Job) -> tuple[Pieces, SliceCache]:
        """Where the job before it has ended, if that was done here; else from the beginning of its input."""
        going = self._going.pop(job.home, None)
        if going is not None and job.start == 0 and going[0].next == job.first:
            return going
        cache = self._slices()
        reuse = Kept(cache, self.history.begins(job.first)) if job.start else cache
        return Pieces(self.history, job, reuse), cache

    async def _look(self) -> None:
        """Which jobs are done."""
        found = await self._compute(lambda: self._store.list_records(self._folder))
        known = {job.name for job in self.history.jobs}
        self._done |= known & {one.removeprefix(self._folder) for one in found}

    @property
    def _folder(self) -> str:
        return f"{FOLDER}{self.history.digest}/"


class Kept:
    """Slices of which those before a bucket are not kept: there the windows are not full yet."""

    def __init__(self, cache: SliceCache, first: int) -> None:
        self._cache, self._first, self.span = cache, first, cache.span

    def find(self, node: Node, window: bytes, bucket: int, rows: int) -> Slice | None:
        return self._cache.find(node, window, bucket, rows)

    def computed(self, node: Node, window: bytes, bucket: int, made: Slice) -> None:
        if bucket >= self._first:
            self._cache.computed(node, window, bucket, made)


def lease_of(history: History, job: Job) -> str:
    """The name of a job's lease: of this history, so that workers of others do not meet at it."""
    return f"{history.digest}/HISTORY:{job.name}"
