"""What happened, line by line: virtual time, who, what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from blake3 import blake3


class Violation(AssertionError):  # noqa: N818
    """Something that must never happen has happened; `line` of the story shows it."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.line = line


class Story:
    """The trace of a run. `faults`: how often which fault befell the cluster; `calls`: of the log's port.

    `seen`: how often what the checks are about came up at all.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: list[tuple[float, str, str]] = []
        self.faults: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.calls = 0

    def tell(self, who: str, what: str) -> None:
        self._told.append((self._clock(), who, what))

    def fault(self, who: str, kind: str, what: str) -> None:
        """A fault that befalls somebody."""
        self.faults[kind] += 1
        self.tell(who, f"! {kind}: {what}")

    def violation(self, who: str, what: str) -> Violation:
        """To be raised."""
        self.tell(who, f"VIOLATION: {what}")
        return Violation(what, len(self._told))

    def lines(self) -> list[str]:
        return [f"{n:5d} {at:9.3f} s {who:8s} {what}" for n, (at, who, what) in enumerate(self._told, 1)]

    def digest(self) -> str:
        """Of every line, and so of every choice that showed."""
        return blake3("\n".join(self.lines()).encode()).hexdigest()[:16]
