"""Stored content by its digest, and small records by name (R6, R15, F3).

Promises, proven for every adapter by `qmtl.testing.contracts.blobs`:

 P1  Content is named by its BLAKE3 digest (hex), is never changed, and putting it again is nothing new.
 P2  When `put` or `set_record` has returned, a crash of the process or of the machine loses nothing of it. (What was
     deleted may be back after a crash of the machine.)
 P3  All or nothing: half-written content and records are never seen, whenever the writer was killed.
 P4  `get` verifies: content that is not what it was raises Corrupt, is put aside and gone afterwards. To put it again
     repairs it, whether it was read before or not. With `audit`, the SHA-256 of content that was sealed is verified,
     too; a seal that does not match goes with its content.
 P5  Records are replaced as a whole, the last to be set wins; a record that is not what was set raises Corrupt, and is
     gone afterwards.
 P6  Processes and threads may use one store at the same time.
 P7  `stored` and `list_records` tell of all that had returned when they began.

What is not there raises Missing. Where the store cannot be reached, read or written, calls raise Unavailable, which
says why. What is no digest and no name raises ValueError.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from qmtl.core.flow.digest import Buffers


class Stored(NamedTuple):
    """Content that is there: `size` in bytes; `modified` in ns since 1970, when it was put (0 in memory)."""

    digest: str
    size: int
    modified: int


class Blobs(Protocol):
    """A store of blobs and records. Calls block."""

    corrupt: int  # how often a call of this object has raised Corrupt

    def put(self, content: Buffers) -> str:
        """Keep the buffers, one after the other; returns their digest. They are not copied where it can be helped."""
        ...

    def get(self, digest: str, audit: bool = False) -> memoryview:
        """The content of a digest, read-only bytes."""
        ...

    def has(self, digest: str) -> bool:
        """Whether there is content of this digest; it is not read."""
        ...

    def stat(self, digest: str) -> Stored:
        """Its size and age; it is not read."""
        ...

    def seal(self, digest: str) -> str:
        """Keep the SHA-256 of verified content beside it, for audits; returns it. Sealed before, it is verified."""
        ...

    def delete(self, digest: str) -> None:
        """Let content and its seal go; what is not there is gone already."""
        ...

    def stored(self) -> Iterator[Stored]:
        """All content, in no order."""
        ...

    def set_record(self, name: str, content: bytes) -> None:
        """Set a record. A name consists of letters, digits, ``-_.`` and slashes between parts."""
        ...

    def get_record(self, name: str) -> bytes:
        """A record as it was set."""
        ...

    def delete_record(self, name: str) -> None:
        """Let a record go; what is not there is gone already."""
        ...

    def list_records(self, prefix: str) -> list[str]:
        """Names that begin with `prefix`, ascending."""
        ...
