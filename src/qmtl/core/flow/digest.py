"""The two hashes of stored content: BLAKE3 names and guards it on every read, SHA-256 is for audits (R15)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from blake3 import blake3

Buffers = Sequence[bytes | bytearray | memoryview]  # or anything else that a memoryview can be made of

SIZE = 32  # bytes of a digest
PART, NAME = 200, 800  # letters of a record's name between slashes, and in all: what every store takes
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PART = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
_NAME = re.compile(f"{_PART}(/{_PART})*")
_PREFIX = re.compile(f"({_PART}/)*({_PART})?")


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
    if not _NAME.fullmatch(name) or len(name) > NAME or max(map(len, name.split("/"))) > PART:
        raise ValueError(
            f"not a record's name (letters, digits, -_. and slashes between parts of at most {PART}, "
            f"{NAME} in all): {name!r}"
        )
    return name


def prefix_checked(prefix: str) -> str:
    """The beginning of names of records; raises ValueError where no name begins so."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"no record's name begins like this: {prefix!r}")
    return prefix


def flat(buffers: Buffers) -> list[memoryview]:
    """The buffers as bytes, not copied; each must be contiguous."""
    views = (memoryview(buffer) for buffer in buffers)
    return [view.cast("B") for view in views if view.nbytes]


def named(buffers: Iterable[bytes | bytearray | memoryview]) -> str:
    """BLAKE3 of the buffers one after the other, in hex: the name of content."""
    return _blake3(buffers).hexdigest()


def audited(buffers: Iterable[bytes | bytearray | memoryview]) -> str:
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


def _blake3(buffers: Iterable[bytes | bytearray | memoryview]) -> blake3:
    """On one thread: those that blake3 would start are missing in a forked process, which would wait for them."""
    digest = blake3()
    for buffer in buffers:
        digest.update(buffer)
    return digest
