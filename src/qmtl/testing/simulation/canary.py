"""What a run is built of; a canary builds it with one thing broken, which the checks must then find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qmtl.adapters.memory.group import Group
from qmtl.adapters.memory.log import MemoryLog
from qmtl.adapters.memory.member import Cut
from qmtl.adapters.memory.store import Store
from qmtl.runtime.worker.worker import Worker


@dataclass(frozen=True)
class Canary:
    """`breaks`: in a sentence, what it does wrong."""

    name: str = ""
    breaks: str = ""
    worker: Callable[..., Worker] = Worker
    store: Callable[..., Store] = Store
    group: Callable[..., Group] = Group
    log: Callable[..., Any] = MemoryLog

    def opened(
        self, slots: int, clock: Callable[[], float], store: Store, lease_seconds: float, cut: Cut
    ) -> Any:
        group = self.group(slots, clock, lease_seconds)
        return self.log(slots, clock, cut=cut, store=store, group=group)


SOUND = Canary()
