"""Records that others write, one after another: what a stream can be read from."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Written(NamedTuple):
    """A record of somebody else's."""

    position: int
    value: bytes | None


class Records(Protocol):
    """One sequence of records; positions ascend, with gaps. Used by one thread at a time."""

    @property
    def place(self) -> str:
        """What it is called in messages to people."""
        ...

    def read(self, start: int, limit: int) -> tuple[list[Written], int, bool]:
        """At most `limit` records from `start` on that are there, where to go on, and whether that is the end.

        Does not wait for more. Raises Unavailable, and UserError where records from `start` on are deleted.
        """
        ...
