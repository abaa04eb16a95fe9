"""Files that are there as a whole or not at all: written aside, synced, renamed to their place, its folder synced."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from qmtl.adapters.files.disk import Disk

STALE_SECONDS = 3600.0


class Writer:
    """Writes below `folder`, aside in `folder`/aside. All calls raise OSError."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._aside, self._disk, self._numbers = folder / "aside", disk, count()
        self._lasting: set[Path] = set()  # folders that are known to outlast a crash
        for each in (*reversed(folder.parents), folder):
            if not each.exists():
                self._make(each)
        with suppress(PermissionError):  # not ours to sync: another made the folder
            disk.fsync_folder(folder.parent)
        self._lasting.add(folder)
        self.last(self._aside)
        self._sweep()

    def write(self, place: Path, content: Sequence[memoryview]) -> None:
        aside, file = self._new()
        try:
            try:
                for buffer in content:
                    self._disk.write(file, buffer)
                self._disk.fsync(file)
            finally:
                os.close(file)
            self.last(place.parent)
            self._disk.rename(aside, place)
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        self._disk.fsync_folder(place.parent)

    def last(self, folder: Path) -> None:
        """Make a folder, and it and those above it last. Another may have made it, and died before it was synced."""
        if folder not in self._lasting:
            self.last(folder.parent)
            self._make(folder)
            self._lasting.add(folder)

    def _make(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._disk.fsync_folder(folder.parent)

    def _new(self) -> tuple[Path, int]:
        while True:
            aside = self._aside / f"{os.getpid()}-{next(self._numbers)}"
            with suppress(FileExistsError):  # left by a process that had this number once
                return aside, os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    def _sweep(self) -> None:
        """Let go of what was left aside by processes that have died, an hour ago or longer by the folder's clock."""
        own, file = self._new()
        os.close(file)
        now = own.stat().st_mtime
        own.unlink()
        for each in self._aside.iterdir():
            alive = Path(f"/proc/{each.name.partition('-')[0]}").exists()
            with suppress(FileNotFoundError):
                if not alive and each.stat().st_mtime < now - STALE_SECONDS:
                    each.unlink()
