"""The second lock: a slot that the log gives is worked on when its lease in a database is there, too (R1).

The log alone is safe. With the lease, a member that was given a slot waits until the one before has let go of it or has
not renewed it, so that the two do not compute the same at the same time. Where the database is away, what the log says
is enough: a worker does not stop for want of a lock that only saves work. A member that the log's servers cannot be
reached by does not renew, since it renews when it polls; so its leases run out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from qmtl.core.errors import Unavailable, Unknown
from qmtl.core.flow.commit import Generation, Slot, Step, Taken
from qmtl.ports.lease import Leases, lease_name
from qmtl.ports.log import Log, Member, Polled

Found = TypeVar("Found")

LEASE_SECONDS = 6.0
_log = logging.getLogger("qmtl.lease")


class LeasedLog:
    """A log whose members hold leases of their slots; all else is the log's own."""

    def __init__(
        self,
        log: Log,
        leases: Leases,
        cluster: str,
        watch: Callable[[], float],
        seconds: float = LEASE_SECONDS,
    ) -> None:
        """`cluster`: the first part of the leases' names; `watch`: a stopwatch in seconds."""
        self._log, self._leases, self._cluster = log, leases, cluster
        self._watch, self._seconds = watch, seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def member(self, name: str) -> LeasedMember:
        made = await self._log.member(name)
        return LeasedMember(made, self._leases, self._cluster, name, self._watch, self._seconds)

    async def close(self) -> None:
        await self._log.close()
        await self._leases.close()


class LeasedMember:
    """A member that works on a slot when it holds its lease."""

    def __init__(
        self,
        member: Member,
        leases: Leases,
        cluster: str,
        name: str,
        watch: Callable[[], float],
        seconds: float,
    ) -> None:
        self._member, self._leases, self._cluster, self._name = member, leases, cluster, name
        self._watch, self._seconds = watch, seconds
        self._held: set[Slot] = set()
        self._waiting: set[Slot] = set()  # given by the log, while another holds the lease
        self._lapsed: set[Slot] = set()  # since the last poll
        self._committing: float | None = None  # since when
        self._renewed = watch()

    async def poll(self, timeout: float, limit: int = 1000) -> Polled:
        polled = await self._member.poll(timeout, limit)
        await self._release(self._held & polled.lost)
        self._waiting = (self._waiting - polled.lost) | polled.assigned
        lapsed = (await self._renew() | self._lapsed) - polled.lost
        self._lapsed = set()
        got = await self._acquire()
        lost = polled.lost | lapsed
        batches = {slot: batch for slot, batch in polled.batches.items() if slot not in lapsed}
        return replace(polled, assigned=frozenset(got), lost=frozenset(lost), batches=batches)

    async def take(self, slot: Slot) -> Taken:
        return await self._member.take(slot)

    async def commit(self, step: Step, generation: Generation) -> None:
        self._committing = self._watch()
        try:
            await self._member.commit(step, generation)
        finally:
            self._committing = None

    async def heartbeat(self) -> None:
        """Leases are not renewed where the log has not answered a commit for as long as they last."""
        await self._member.heartbeat()
        if self._committing is not None and self._watch() - self._committing > self._seconds:
            return
        self._lapsed |= await self._renew()  # the next poll tells

    async def close(self) -> None:
        await self._release(set(self._held))
        await self._member.close()

    async def _renew(self) -> set[Slot]:
        """Slots whose leases have run out: another may work on them by now."""
        if not self._held or self._watch() - self._renewed < self._seconds / 3:
            return set()
        try:
            kept = await self._asked(self._leases.renew(self._names(self._held), self._name, self._seconds))
        except Unavailable as away:
            _log.warning("leases are not renewed: %s", away)
            return set()
        self._renewed = self._watch()
        lapsed = {slot for slot in self._held if lease_name(self._cluster, slot) not in kept}
        self._held -= lapsed
        self._waiting |= lapsed
        return lapsed

    async def _acquire(self) -> set[Slot]:
        got: set[Slot] = set()
        for slot in sorted(self._waiting):
            name = lease_name(self._cluster, slot)
            try:
                token = await self._asked(self._leases.acquire(name, self._name, self._seconds))
            except Unavailable as away:  # the others are not asked for one by one
                _log.warning("slots %s are worked on without a lease: %s", sorted(self._waiting - got), away)
                got = set(self._waiting)
                break
            if token is not None:
                got.add(slot)
        self._waiting -= got
        self._held |= got
        return got

    async def _release(self, slots: set[Slot]) -> None:
        self._held -= slots
        if slots:
            with suppress(Unavailable):
                await self._asked(self._leases.release(self._names(slots), self._name))

    async def _asked(self, answer: Awaitable[Found]) -> Found:
        """Raises Unavailable also where there is no answer in time: a lock that only saves work is not waited for."""
        try:
            async with asyncio.timeout(self._seconds / 6):
                return await answer
        except (TimeoutError, Unknown):
            raise Unavailable("the database of leases does not answer") from None

    def _names(self, slots: Iterable[Slot]) -> list[str]:
        return [lease_name(self._cluster, slot) for slot in sorted(slots)]
