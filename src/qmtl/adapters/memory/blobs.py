"""Blobs in this process's memory."""

from __future__ import annotations

from collections.abc import Iterator

from qmtl.core.errors import Corrupt, Missing
from qmtl.core.flow.digest import (
    Buffers,
    audited,
    digest_checked,
    name_checked,
    named,
    sealed,
    unsealed,
)
from qmtl.ports.blobs import Stored


class MemoryBlobs:
    """What `put` and `set_record` keep lives as long as this object; `blobs` and `records` may be spoilt by tests."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.seals: dict[str, str] = {}
        self.records: dict[str, bytes] = {}

    def put(self, content: Buffers) -> str:
        digest = named(content)
        self.blobs.setdefault(digest, b"".join(content))
        return digest

    def get(self, digest: str, audit: bool = False) -> memoryview:
        if digest_checked(digest) not in self.blobs:
            raise Missing(f"blob {digest}")
        content = self.blobs[digest]
        sealed_as = self.seals.get(digest) if audit else None
        if named([content]) != digest or (sealed_as is not None and audited([content]) != sealed_as):
            self.delete(digest)
            raise Corrupt(f"blob {digest}")
        return memoryview(content)

    def has(self, digest: str) -> bool:
        return digest in self.blobs

    def seal(self, digest: str) -> str:
        self.seals[digest] = audited([self.get(digest)])
        return self.seals[digest]

    def delete(self, digest: str) -> None:
        self.blobs.pop(digest, None)
        self.seals.pop(digest, None)

    def stored(self) -> Iterator[Stored]:
        return iter([Stored(digest, len(content), 0) for digest, content in self.blobs.items()])

    def set_record(self, name: str, content: bytes) -> None:
        self.records[name_checked(name)] = sealed(content)

    def get_record(self, name: str) -> bytes:
        if name not in self.records:
            raise Missing(f"record {name}")
        content = unsealed(self.records[name])
        if content is None:
            self.delete_record(name)
            raise Corrupt(f"record {name}")
        return content

    def delete_record(self, name: str) -> None:
        self.records.pop(name, None)

    def list_records(self, prefix: str) -> list[str]:
        return sorted(name for name in self.records if name.startswith(prefix))
