"""Blobs in a folder of the local file system.

Everything is written aside, synced, renamed to its place, and its folder synced: a name that is there has all of its
content (P2, P3). Content lies under two letters of its digest, its seal beside it; records lie in folders as their
names say, each with a digest of its own. What was found corrupt goes to ``corrupt/``, for whoever wants to know why.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

from qmtl.adapters.files.disk import Disk
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

SEAL = ".sha256"
STALE_SECONDS = 3600.0


class FileBlobs:
    """A store in `folder`, which is made where it is not there. Raises Unavailable where it cannot be used."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self._folder, self._disk = folder, disk or Disk()
        self._made: set[Path] = set()
        self._blobs, self._records, self._aside = (folder / name for name in ("blobs", "records", "aside"))
        try:
            for each in (self._blobs, self._records, self._aside):
                each.mkdir(parents=True, exist_ok=True)
            self._sweep()
        except OSError as error:
            raise Unavailable(
                f"folder {folder}: {error.strerror}; choose another, or make it writable"
            ) from error

    def put(self, content: Buffers) -> str:
        digest = named(content)
        place = self._place(digest)
        if not place.exists():
            self._write(place, content)
        return digest

    def get(self, digest: str, audit: bool = False) -> memoryview:
        place = self._place(digest)
        content = self._read(place, f"blob {digest}")
        seal = self._seal(place) if audit else None
        if named([content]) != digest or (seal is not None and audited([content]) != seal):
            self._put_aside(place)
            raise Corrupt(f"blob {digest}")
        return memoryview(content)

    def has(self, digest: str) -> bool:
        return self._place(digest).exists()

    def seal(self, digest: str) -> str:
        found, place = audited([self.get(digest)]), self._place(digest)
        self._write(place.with_name(place.name + SEAL), [found.encode()])
        return found

    def delete(self, digest: str) -> None:
        place = self._place(digest)
        for each in (place, place.with_name(place.name + SEAL)):
            with suppress(FileNotFoundError):
                each.unlink()

    def stored(self) -> Iterator[Stored]:
        for each in self._blobs.glob("??/*"):
            if is_digest(each.name):
                with suppress(FileNotFoundError):
                    found = each.stat()
                    yield Stored(each.name, found.st_size, found.st_mtime_ns)

    def set_record(self, name: str, content: bytes) -> None:
        self._write(self._record(name), [sealed(content)])

    def get_record(self, name: str) -> bytes:
        place = self._record(name)
        content = unsealed(self._read(place, f"record {name}"))
        if content is None:
            self._put_aside(place)
            raise Corrupt(f"record {name}")
        return content

    def delete_record(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._record(name).unlink()

    def list_records(self, prefix: str) -> list[str]:
        start = self._records / prefix.rpartition("/")[0]
        found = (str(each.relative_to(self._records)) for each in start.rglob("*") if each.is_file())
        return sorted(name for name in found if name.startswith(prefix))

    # --- files -----------------------------------------------------------------------------------------------

    def _place(self, digest: str) -> Path:
        return self._blobs / digest_checked(digest)[:2] / digest

    def _record(self, name: str) -> Path:
        return self._records / name_checked(name)

    def _read(self, place: Path, what: str) -> bytes:
        try:
            return place.read_bytes()
        except FileNotFoundError:
            raise Missing(what) from None
        except OSError as error:
            raise Unavailable(f"{what} in {self._folder}: {error.strerror}") from error

    def _seal(self, place: Path) -> str | None:
        try:
            return place.with_name(place.name + SEAL).read_text(encoding="ascii")
        except FileNotFoundError:
            return None

    def _write(self, place: Path, content: Buffers) -> None:
        aside = None
        try:
            file, name = mkstemp(dir=self._aside, prefix=f"{os.getpid()}-")
            aside = Path(name)
            try:
                for buffer in content:
                    self._disk.write(file, buffer)
                self._disk.fsync(file)
            finally:
                os.close(file)
            self._folder_of(place)
            self._disk.rename(aside, place)
            self._disk.fsync_folder(place.parent)
        except OSError as error:
            if aside is not None:
                aside.unlink(missing_ok=True)
            raise Unavailable(f"{self._folder} cannot be written: {error.strerror}") from error

    def _folder_of(self, place: Path) -> None:
        if place.parent not in self._made:
            missing = [each for each in place.parents if not each.exists()]
            place.parent.mkdir(parents=True, exist_ok=True)
            for each in missing:
                self._disk.fsync_folder(each.parent)
            self._made.add(place.parent)

    def _put_aside(self, place: Path) -> None:
        corrupt = self._folder / "corrupt"
        corrupt.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            self._disk.rename(place, corrupt / place.name)

    def _sweep(self) -> None:
        """Let go of what was left aside by processes that have died, an hour ago or longer by the folder's clock."""
        file, name = mkstemp(dir=self._aside, prefix=f"{os.getpid()}-")
        os.close(file)
        now = Path(name).stat().st_mtime
        Path(name).unlink()
        for each in self._aside.iterdir():
            alive = Path(f"/proc/{each.name.partition('-')[0]}").exists()
            with suppress(FileNotFoundError):
                if not alive and each.stat().st_mtime < now - STALE_SECONDS:
                    each.unlink()
