"""A process of the simulated cluster, as the event loop and the log see it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

TICK_SECONDS = 1e-9  # of any clock


@dataclass(eq=False)
class Process:
    """`skew_seconds`, `rate`: its clock shows `skew_seconds + rate × true time`."""

    name: str
    skew_seconds: float = 0.0
    rate: float = 1.0
    paused: bool = False  # nothing of it runs, and it does not know (SIGSTOP)
    dead: bool = False  # nothing of it ever runs again (SIGKILL)
    cut_off: bool = False  # from the log

    def shown(self, true: float) -> float:
        """What its clock shows."""
        return self.skew_seconds + self.rate * true

    def true(self, shown: float) -> float:
        """When its clock shows that, and not a rounding before."""
        return (shown - self.skew_seconds) / self.rate + TICK_SECONDS


current: ContextVar[Process | None] = ContextVar("process", default=None)  # whose code is running
