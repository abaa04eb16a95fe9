"""Waiting for a change that somebody else in this process makes."""

from __future__ import annotations

import asyncio


class Wake:
    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], None] = {}  # told in the order in which they came

    def tell(self) -> None:
        for each in self._waiting:
            if not each.done():
                each.set_result(None)

    async def wait(self, timeout: float) -> None:
        """Until it is told, or `timeout` seconds have passed on the loop's clock."""
        told = asyncio.get_running_loop().create_future()
        self._waiting[told] = None
        try:
            async with asyncio.timeout(timeout):
                await told
        except TimeoutError:
            pass
        finally:
            self._waiting.pop(told, None)
