"""Files read and verified at the cost of reading and hashing them.

Small files are read into memory. Large ones are hashed through a small buffer, and then mapped: what is handed out are
the very pages that were hashed, and filling new memory with them would cost more than both. Reading first makes a bad
disk an error, where touching a map would end the process. A map is of the file that was opened: whoever replaces it by
renaming does not change it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from qmtl.core.flow.digest import named

MAPPED = 1 << 17  # bytes from which on a file is mapped
CHUNK = 1 << 18  # stays in the processor's cache while it is hashed


class Read:
    """A file's content, the digest of it, and which file that was (`inode`)."""

    __slots__ = ("content", "digest", "inode")

    def __init__(self, place: Path) -> None:
        """Raises OSError where it cannot be read."""
        file = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            status = os.fstat(file)
            self.inode = status.st_ino
            mapped = _mapped(place, status) if status.st_size >= MAPPED else None
            if mapped is not None:
                self.content, self.digest = mapped, named(_chunks(file))
            else:
                whole = FileIO(file, closefd=False).readall()
                self.content, self.digest = memoryview(whole), named([whole])
        finally:
            os.close(file)


def _chunks(file: int) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(CHUNK))
    while count := os.readv(file, [buffer]):
        yield buffer[:count]


def _mapped(place: Path, opened: os.stat_result) -> memoryview | None:
    """The file at `place`, where it still is the one that was opened and there is room for one more map.

    Arrow's maps need no file descriptor, Python's keep one each.
    """
    import pyarrow as pa

    try:
        with pa.memory_map(str(place)) as file:
            found = memoryview(file.read_buffer(opened.st_size)).cast("B")
        now = place.stat()
    except OSError:
        return None
    same = (now.st_ino, now.st_dev, now.st_size) == (opened.st_ino, opened.st_dev, opened.st_size)
    return found if same and found.nbytes == opened.st_size else None
