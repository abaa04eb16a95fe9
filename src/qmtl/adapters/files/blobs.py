"""Blobs in a folder of the local file system.

Content lies under two letters of its digest, its seal beside it; records lie in folders as their names say, each with
a digest of its own before it and ``=`` behind its name, which no other part of a name has. What was found corrupt goes
to ``corrupt/``, for whoever wants to know why.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from qmtl.adapters.files.disk import Disk
from qmtl.adapters.files.reading import Read
from qmtl.adapters.files.writing import Writer
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

SEAL, RECORD = ".sha256", "="
READ = "read"


class FileBlobs:
    """A store in `folder`, which is made where it is not there. Raises Unavailable where it cannot be written."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self._folder, self._disk, self.corrupt = folder, disk or Disk(), 0
        self._blobs, self._records, self._aside = (folder / name for name in ("blobs", "records", "aside"))
        with self._told("open"):
            self._writer = Writer(folder, self._disk)
            self._writer.last(self._blobs)
            self._writer.last(self._records)

    def put(self, content: Buffers) -> str:
        views = flat(content)
        digest = named(views)
        place = self._place(digest)
        with self._told("write", f"blob {digest}"):
            if not self._kept(place, digest):
                self._writer.write(place, views)
        return digest

    def get(self, digest: str, audit: bool = False) -> memoryview:
        place = self._place(digest)
        with self._told(READ, f"blob {digest}"):
            found = Read(place)
            seal = self._seal(place) if audit else None
        if found.digest != digest or (seal is not None and audited([found.content]) != seal):
            self._put_aside(place, found.inode)
            raise Corrupt(f"blob {digest}")
        return found.content

    def has(self, digest: str) -> bool:
        with suppress(Missing):
            return bool(self.stat(digest))
        return False

    def stat(self, digest: str) -> Stored:
        with self._told(READ, f"blob {digest}"):
            found = self._place(digest).stat()
        return Stored(digest, found.st_size, found.st_mtime_ns)

    def seal(self, digest: str) -> str:
        content, place = self.get(digest, audit=True), self._place(digest)
        with self._told("seal", f"blob {digest}"):
            known = self._seal(place)
            if known is not None:
                return known
            found = audited([content])
            self._writer.write(_seal_of(place), [memoryview(found.encode())])
        return found

    def delete(self, digest: str) -> None:
        place = self._place(digest)
        with self._told("delete", f"blob {digest}"):
            _seal_of(place).unlink(missing_ok=True)
            place.unlink(missing_ok=True)

    def stored(self) -> Iterator[Stored]:
        with self._told("list", "blobs"):
            for folder in self._blobs.iterdir():
                for each in os.scandir(folder) if folder.is_dir() else ():
                    if is_digest(each.name):
                        with suppress(FileNotFoundError):
                            found = each.stat()
                            yield Stored(each.name, found.st_size, found.st_mtime_ns)

    def set_record(self, name: str, content: bytes) -> None:
        place = self._record(name)
        with self._told("write", f"record {name}"):
            self._writer.write(place, [memoryview(sealed(content))])

    def get_record(self, name: str) -> bytes:
        place = self._record(name)
        with self._told(READ, f"record {name}"):
            found = Read(place)
        content = unsealed(bytes(found.content))
        if content is None:
            self._put_aside(place, found.inode)
            raise Corrupt(f"record {name}")
        return content

    def delete_record(self, name: str) -> None:
        with self._told("delete", f"record {name}"):
            self._record(name).unlink(missing_ok=True)

    def list_records(self, prefix: str) -> list[str]:
        above, _, beginning = prefix_checked(prefix).rpartition("/")
        with self._told("list", "records"):
            return sorted(_names(self._records / above, f"{above}/" if above else "", beginning))

    # --- files -----------------------------------------------------------------------------------------------

    def _place(self, digest: str) -> Path:
        return self._blobs / digest_checked(digest)[:2] / digest

    def _record(self, name: str) -> Path:
        return self._records / f"{name_checked(name)}{RECORD}"

    def _seal(self, place: Path) -> str | None:
        with suppress(FileNotFoundError):
            return _seal_of(place).read_text(encoding="ascii", errors="replace")
        return None

    def _kept(self, place: Path, digest: str) -> bool:
        """Whether this content is there, and right; it is as if it had been put now."""
        try:
            if Read(place).digest != digest:
                return False
        except FileNotFoundError:
            return False
        with suppress(PermissionError):  # another's file
            os.utime(place)
        self._writer.last(place.parent)
        self._disk.fsync_folder(place.parent)  # another may have died, or be about to, before it has
        return True

    def _put_aside(self, place: Path, inode: int) -> None:
        """Move a corrupt file away, but not one that has been put there since it was read."""
        self.corrupt += 1
        corrupt = self._folder / "corrupt"
        with suppress(OSError):  # where nothing can be moved, it is found corrupt again
            corrupt.mkdir(exist_ok=True)
            if place.stat().st_ino != inode:
                return
            _seal_of(place).unlink(missing_ok=True)
            moved = corrupt / place.name
            self._disk.rename(place, moved)
            if moved.stat().st_ino != inode:  # it was replaced at this very moment
                self._disk.rename(moved, place)

    @contextmanager
    def _told(self, doing: str, what: str = "it") -> Iterator[None]:
        """The system's errors as faults."""
        try:
            yield
        except OSError as error:
            if isinstance(error, FileNotFoundError) and doing == READ:
                raise Missing(what) from None
            raise Unavailable(
                f"folder {self._folder}: cannot {doing} {what}: {error.strerror}; make it writable, with room left, "
                "or choose another"
            ) from error


def _seal_of(place: Path) -> Path:
    return place.with_name(place.name + SEAL)


def _names(folder: Path, above: str, beginning: str) -> Iterator[str]:
    """Names of the records in a folder and those below it; only of what begins so in the folder itself."""
    try:
        found = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for each in found:
        if not each.name.startswith(beginning):
            continue
        if each.name.endswith(RECORD):
            name = each.name.removesuffix(RECORD)
            if name.startswith(beginning):
                yield above + name
        else:
            yield from _names(Path(each.path), f"{above}{each.name}/", "")
