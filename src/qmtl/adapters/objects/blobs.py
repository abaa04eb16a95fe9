"""Blobs in an object store. Objects appear whole or not at all; content is only ever created, never overwritten.

A record's name ends in ``=`` there, for in some stores nothing lies below an object. Conditional deletion is not to be
had everywhere: content that is put again at the very moment in which its corrupt copy is moved away may be Missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import from_url

from qmtl.core.errors import Corrupt, Missing, Unavailable
from qmtl.core.flow.digest import (
    Buffers,
    audited,
    digest_checked,
    flat,
    is_digest,
    name_checked,
    named,
    prefix_checked,
    sealed,
    unsealed,
)
from qmtl.ports.blobs import Stored

BLOBS, SEALS, RECORDS, CORRUPT = "blobs", "seals", "records", "corrupt"
RECORD = "="
NOT_THERE = (NotFoundError, FileNotFoundError)
CREATED_ALREADY = (AlreadyExistsError, FileExistsError)


CLIENT: Any = {"timeout": "60s", "connect_timeout": "5s"}
RETRY: Any = {"max_retries": 5, "retry_timeout": timedelta(seconds=60)}
QUERY = re.compile(r"\?\S*")  # of a request: what signs it may be in there


def opened(url: str, allow_http: bool = False) -> ObjectBlobs:
    """The store at a URL; its endpoint and keys come from the environment (``AWS_…``), never from the URL.

    A call gives up after a minute. `allow_http`: whether the endpoint may be one without encryption; options given here
    take the place of the environment's. Raises obstore's errors or ValueError where there is no such store.
    """
    options: Any = {"client_options": {**CLIENT, "allow_http": allow_http}, "retry_config": RETRY}
    return ObjectBlobs(from_url(url, **options))


class ObjectBlobs:
    """A store over obstore's, below the prefix that was given to it. Retries and time limits are obstore's."""

    def __init__(self, store: Any) -> None:
        self._store, self.corrupt = store, 0

    def put(self, content: Buffers) -> str:
        views = flat(content)
        digest, body = named(views), views[0] if len(views) == 1 else b"".join(views)
        if not self._created(digest, body):
            try:
                self.get(digest)
            except (Corrupt, Missing):
                self._created(digest, body)
        return digest

    def get(self, digest: str, audit: bool = False) -> memoryview:
        place, what = _blob(digest), f"blob {digest}"
        content = self._read(place, what)
        seal = self._seal(digest) if audit else None
        if named([content]) != digest or (seal is not None and audited([content]) != seal):
            self._delete(f"{SEALS}/{digest}")
            self._put_aside(place)
            raise Corrupt(what)
        return content

    def has(self, digest: str) -> bool:
        with suppress(Missing):
            return bool(self.stat(digest))
        return False

    def stat(self, digest: str) -> Stored:
        with _reading(f"blob {digest}"):
            return _stored(digest, obstore.head(self._store, _blob(digest)))

    def seal(self, digest: str) -> str:
        content, known = self.get(digest, audit=True), self._seal(digest)
        if known is not None:
            return known
        found = audited([content])
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
                yield _stored(digest, each)

    def set_record(self, name: str, content: bytes) -> None:
        place = _record(name)
        with _told(f"record {name}"):
            obstore.put(self._store, place, sealed(content), use_multipart=False)

    def get_record(self, name: str) -> bytes:
        place = _record(name)
        content = unsealed(bytes(self._read(place, f"record {name}")))
        if content is None:
            self._put_aside(place)
            raise Corrupt(f"record {name}")
        return content

    def delete_record(self, name: str) -> None:
        self._delete(_record(name))

    def list_records(self, prefix: str) -> list[str]:
        folder = f"{RECORDS}/{prefix_checked(prefix).rpartition('/')[0]}".rstrip("/")
        found = (each["path"].removeprefix(f"{RECORDS}/") for each in self._listed(folder))
        return sorted(name.removesuffix(RECORD) for name in found if name.startswith(prefix))

    # --- objects ---------------------------------------------------------------------------------------------

    def _created(self, digest: str, body: bytes | memoryview) -> bool:
        """False where it is there already."""
        with _told(f"blob {digest}"):
            try:
                obstore.put(self._store, _blob(digest), body, mode="create", use_multipart=False)
            except CREATED_ALREADY:
                return False
        return True

    def _read(self, place: str, what: str) -> memoryview:
        with _reading(what):
            return memoryview(obstore.get(self._store, place).bytes()).cast("B")

    def _seal(self, digest: str) -> str | None:
        try:
            return bytes(self._read(f"{SEALS}/{digest}", f"seal {digest}")).decode("ascii", "replace")
        except Missing:
            return None

    def _delete(self, place: str) -> None:
        with _told(place), suppress(*NOT_THERE):
            obstore.delete(self._store, place)

    def _put_aside(self, place: str) -> None:
        self.corrupt += 1
        with (
            suppress(Unavailable, Missing),
            _told(place),
        ):  # where nothing can be moved, it is found corrupt again
            obstore.copy(self._store, place, f"{CORRUPT}/{place.rpartition('/')[2]}")
            obstore.delete(self._store, place)

    def _listed(self, folder: str) -> Iterator[Any]:
        with _told(folder):
            for chunk in obstore.list(self._store, folder):
                yield from chunk


@contextmanager
def _told(what: str) -> Iterator[None]:
    """The driver's errors as faults. Their texts may quote requests and answers: only the first line is told."""
    try:
        yield
    except (BaseError, OSError) as error:
        first = QUERY.sub("", str(error).partition("\n")[0])
        raise Unavailable(f"{what}: {type(error).__name__}: {first}") from None


@contextmanager
def _reading(what: str) -> Iterator[None]:
    with _told(what):
        try:
            yield
        except NOT_THERE:
            raise Missing(what) from None


def _blob(digest: str) -> str:
    return f"{BLOBS}/{digest_checked(digest)}"


def _record(name: str) -> str:
    return f"{RECORDS}/{name_checked(name)}{RECORD}"


def _stored(digest: str, found: Any) -> Stored:
    """Object stores tell times in seconds."""
    return Stored(digest, found["size"], int(found["last_modified"].timestamp()) * 1_000_000_000)
