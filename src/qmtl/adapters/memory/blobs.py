"""Blobs in this process's memory."""

from __future__ import annotations

from collections.abc import Iterator

from qmtl.core.errors import Corrupt, Missing
from qmtl.core.flow.digest import (
    Buffers,
    audited,
    digest_checked,
    flat,
    name_checked,
    named,
    prefix_checked,
    sealed,
    unsealed,
)
from qmtl.ports.blobs import Stored


class MemoryBlobs:
    """What `put` and `set_record` keep lives as long as this object; `blobs`, `seals` and `records` tests may spoil."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.seals: dict[str, str] = {}
        self.records: dict[str, bytes] = {}
        self.corrupt = 0

    def put(self, content: Buffers) -> str:
        kept = b"".join(flat(content))
        digest = named([kept])
        self.blobs[digest] = kept
        return digest

    def get(self, digest: str, audit: bool = False) -> memoryview:
        content = self.blobs.get(digest_checked(digest))
        if content is None:
            raise Missing(f"blob {digest}")
        seal = self.seals.get(digest) if audit else None
        if named([content]) != digest or (seal is not None and audited([content]) != seal):
            self.delete(digest)
            self.corrupt += 1
            raise Corrupt(f"blob {digest}")
        return memoryview(content)

    def has(self, digest: str) -> bool:
        return digest_checked(digest) in self.blobs

    def stat(self, digest: str) -> Stored:
        content = self.blobs.get(digest_checked(digest))
        if content is None:
            raise Missing(f"blob {digest}")
        return Stored(digest, len(content), 0)

    def seal(self, digest: str) -> str:
        return self.seals.setdefault(digest, audited([self.get(digest, audit=True)]))

    def delete(self, digest: str) -> None:
        self.seals.pop(digest_checked(digest), None)
        self.blobs.pop(digest, None)

    def stored(self) -> Iterator[Stored]:
        return iter([Stored(digest, len(content), 0) for digest, content in tuple(self.blobs.items())])

    def set_record(self, name: str, content: bytes) -> None:
        self.records[name_checked(name)] = sealed(content)

    def get_record(self, name: str) -> bytes:
        record = self.records.get(name_checked(name))
        if record is None:
            raise Missing(f"record {name}")
        content = unsealed(record)
        if content is None:
            self.delete_record(name)
            self.corrupt += 1
            raise Corrupt(f"record {name}")
        return content

    def delete_record(self, name: str) -> None:
        self.records.pop(name_checked(name), None)

    def list_records(self, prefix: str) -> list[str]:
        prefix = prefix_checked(prefix)
        return sorted(name for name in tuple(self.records) if name.startswith(prefix))
