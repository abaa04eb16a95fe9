"""Pollers wait here, to be woken by a notification or to look again after a short while."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

CHANNEL = "qmtl_log"
MEMBERS_CHANGED = (
    "members"  # a notification of this text is about slots to be shared anew, any other about records
)


class Wake:
    """`heard` counts notifications, `members` those about members: what came since one looked is not missed."""

    def __init__(self) -> None:
        self.heard = self.members = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def tell(self, notifications: Iterable[str]) -> None:
        for each in notifications:
            self.heard += 1
            self.members += each == MEMBERS_CHANGED
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    async def wait(self, heard: int, seconds: float) -> None:
        """Until more is heard than `heard`, at most so long."""
        if self.heard != heard:
            return
        told = asyncio.get_running_loop().create_future()
        self._waiting.add(told)
        try:
            async with asyncio.timeout(seconds):
                await told
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(told)

    async def listen(self) -> None:
        """Connects to what notifies, where there is such a thing and it was lost."""

    def close(self) -> None:
        """Nobody notifies any more."""
