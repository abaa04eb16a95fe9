"""The two hashes of stored content: BLAKE3 names and guards it on every read, SHA-256 is for audits (R15)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from blake3 import blake3

Buffers = Sequence[bytes | bytearray | memoryview]

LARGE = 1 << 20  # bytes from which on several threads hash faster than one
SIZE = 32  # bytes of a digest
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")


def is_digest(text: str) -> bool:
    """Whether it is a digest in hex."""
    return _DIGEST.fullmatch(text) is not None


def digest_checked(text: str) -> str:
    """The digest; raises ValueError for what is none."""
    if not is_digest(text):
        raise ValueError(f"not a digest of 64 hex digits: {text!r}")
    return text


def name_checked(name: str) -> str:
    """The name of a record; raises ValueError for what is none."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a record's name (letters, digits, -_. and slashes between parts): {name!r}")
    return name


def named(buffers: Buffers) -> str:
    """BLAKE3 of the buffers one after the other, in hex: the name of content."""
    return _blake3(buffers).hexdigest()


def audited(buffers: Buffers) -> str:
    """SHA-256 of the same, in hex."""
    digest = hashlib.sha256()
    for buffer in buffers:
        digest.update(buffer)
    return digest.hexdigest()


def sealed(content: bytes) -> bytes:
    """A record with its own digest before it, so that a torn one is known."""
    return _blake3([content]).digest() + content


def unsealed(record: bytes) -> bytes | None:
    """What was `sealed`; None where the record is torn or changed."""
    digest, content = record[:SIZE], record[SIZE:]
    return content if _blake3([content]).digest() == digest else None


def _blake3(buffers: Buffers) -> blake3:
    size = sum(memoryview(buffer).nbytes for buffer in buffers)
    digest = blake3(max_threads=blake3.AUTO if size >= LARGE else 1)
    for buffer in buffers:
        digest.update(buffer)
    return digest
