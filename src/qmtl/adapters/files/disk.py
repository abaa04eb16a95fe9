"""The calls on which durability rests, one method each, so that tests can die at every one of them."""

from __future__ import annotations

import os
from pathlib import Path


class Disk:
    """The operating system's."""

    def write(self, file: int, buffer: bytes | bytearray | memoryview) -> None:
        view = memoryview(buffer).cast("B")
        while view:
            view = view[os.write(file, view) :]

    def fsync(self, file: int) -> None:
        os.fsync(file)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def fsync_folder(self, folder: Path) -> None:
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
