"""Leases: who means to work on something, for so long (R1). They save work from being done twice; they protect nothing.

A process that was paused does not know that its lease is over. What protects is the log, which refuses the commit of
whoever lost the slot (:mod:`qmtl.ports.log`, P2).

 P1  A lease has one holder at most; it is free when it was released, or not renewed for as long as it was asked for.
 P2  The token of a lease grows whenever its holder changes, and never otherwise.
 P3  Time is the store's own: holders need no common clock.

Calls raise Unavailable where the store cannot be reached.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NewType, Protocol

from qmtl.core.flow.commit import Slot

Token = NewType("Token", int)


def lease_name(cluster: str, slot: Slot) -> str:
    """Of the slot's lease; `LEASE:{node_id}:{bucket}` is that of the node's slot (ARCHITECTURE, *Ownership*)."""
    return f"{cluster}/LEASE:{int(slot)}"


class Leases(Protocol):
    async def acquire(self, name: str, holder: str, seconds: float) -> Token | None:
        """The lease, new or renewed; None where another holds it. Raises ValueError for a name that is none."""
        ...

    async def renew(self, names: Iterable[str], holder: str, seconds: float) -> set[str]:
        """Renews what `holder` still holds; returns the names of it."""
        ...

    async def release(self, names: Iterable[str], holder: str) -> None:
        """Lets go of what `holder` holds."""
        ...

    async def close(self) -> None: ...
