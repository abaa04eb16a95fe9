"""Blobs in an object store. Objects appear whole or not at all; content is only ever created, never overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError

from qmtl.core.errors import Corrupt, Missing, Unavailable
from qmtl.core.flow.digest import (
    Buffers,
    audited,
    digest_checked,
    is_digest,
    name_checked,
    named,
    sealed,
    unsealed,
)
from qmtl.ports.blobs import Stored

BLOBS, SEALS, RECORDS, CORRUPT = "blobs", "seals", "records", "corrupt"
NOT_THERE = (NotFoundError, FileNotFoundError)
CREATED_ALREADY = (AlreadyExistsError, FileExistsError)


class ObjectBlobs:
    """A store over obstore's, below the prefix that was given to it. Retries and time limits are obstore's."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def put(self, content: Buffers) -> str:
        digest = named(content)
        with _told(f"blob {digest}"), suppress(*CREATED_ALREADY):
            obstore.put(self._store, _blob(digest), b"".join(content), mode="create", use_multipart=False)
        return digest

    def get(self, digest: str, audit: bool = False) -> memoryview:
        content = self._read(_blob(digest), f"blob {digest}")
        seal = self._seal(digest) if audit else None
        if named([content]) != digest or (seal is not None and audited([content]) != seal):
            self._put_aside(_blob(digest))
            raise Corrupt(f"blob {digest}")
        return content

    def has(self, digest: str) -> bool:
        with _told(f"blob {digest}"):
            try:
                obstore.head(self._store, _blob(digest))
            except NOT_THERE:
                return False
        return True

    def seal(self, digest: str) -> str:
        found = audited([self.get(digest)])
        with _told(f"seal {digest}"):
            obstore.put(self._store, f"{SEALS}/{digest}", found.encode(), use_multipart=False)
        return found

    def delete(self, digest: str) -> None:
        self._delete(_blob(digest))
        self._delete(f"{SEALS}/{digest}")

    def stored(self) -> Iterator[Stored]:
        for each in self._listed(BLOBS):
            digest = each["path"].rpartition("/")[2]
            if is_digest(digest):
                yield Stored(digest, each["size"], int(each["last_modified"].timestamp()) * 1_000_000_000)

    def set_record(self, name: str, content: bytes) -> None:
        place = f"{RECORDS}/{name_checked(name)}"
        with _told(f"record {name}"):
            obstore.put(self._store, place, sealed(content), use_multipart=False)

    def get_record(self, name: str) -> bytes:
        place = f"{RECORDS}/{name_checked(name)}"
        content = unsealed(bytes(self._read(place, f"record {name}")))
        if content is None:
            self._put_aside(place)
            raise Corrupt(f"record {name}")
        return content

    def delete_record(self, name: str) -> None:
        self._delete(f"{RECORDS}/{name_checked(name)}")

    def list_records(self, prefix: str) -> list[str]:
        folder = f"{RECORDS}/{prefix.rpartition('/')[0]}".rstrip("/")
        found = (each["path"].removeprefix(f"{RECORDS}/") for each in self._listed(folder))
        return sorted(name for name in found if name.startswith(prefix))

    # --- objects ---------------------------------------------------------------------------------------------

    def _read(self, place: str, what: str) -> memoryview:
        with _told(what):
            try:
                return memoryview(obstore.get(self._store, place).bytes())
            except NOT_THERE:
                raise Missing(what) from None

    def _seal(self, digest: str) -> str | None:
        try:
            return bytes(self._read(f"{SEALS}/{digest}", f"seal {digest}")).decode("ascii", "replace")
        except Missing:
            return None

    def _delete(self, place: str) -> None:
        with _told(place), suppress(*NOT_THERE):
            obstore.delete(self._store, place)

    def _put_aside(self, place: str) -> None:
        with _told(place), suppress(*NOT_THERE):
            obstore.copy(self._store, place, f"{CORRUPT}/{place.rpartition('/')[2]}")
            obstore.delete(self._store, place)

    def _listed(self, folder: str) -> Iterator[Any]:
        with _told(folder):
            for chunk in obstore.list(self._store, folder):
                yield from chunk


@contextmanager
def _told(what: str) -> Iterator[None]:
    """The driver's errors as faults. Their texts may quote requests, so only their kind is told."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise Unavailable(f"{what}: the object store answered {type(error).__name__}") from error


def _blob(digest: str) -> str:
    return f"{BLOBS}/{digest_checked(digest)}"
