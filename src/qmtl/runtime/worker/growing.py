"""Streams in files that grow, and in folders to which files are added (C7)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qmtl.core.errors import UserError
from qmtl.core.flow.catalog import Reading
from qmtl.core.graph.ir import Node
from qmtl.runtime.arrivals import Source
from qmtl.runtime.sources_files import ENDINGS, Format, csv_head, csv_rows, file_table
from qmtl.runtime.sources_table import Wanted, read_table
from qmtl.runtime.worker.feed import CHUNK, Feed, Now, came, events_of
from qmtl.runtime.worker.messages import Events

PIECE_BYTES = 256 << 10  # of a file, at a time
ALL = "all"


class GrowingFile(Feed):
    """A CSV to whose end rows are added: positions are bytes. A row is there when its line has ended.

    Its rows come in the order in which they stand. A cell in quotes must not hold the end of a line.
    """

    def __init__(
        self,
        node: Node,
        wanted: Wanted,
        path: Path,
        reading: Reading,
        now: Now,
        piece: int = PIECE_BYTES,
    ) -> None:
        """`now`: when what is read came, where no column says it (`columns={"at": …}`).

        Raises UserError where such a file cannot be followed.
        """
        ending = next((one for one in sorted(ENDINGS, key=len, reverse=True) if path.name.endswith(one)), "")
        if ENDINGS.get(ending) is not Format.CSV:
            raise UserError(
                "only a CSV file can grow by rows",
                place=str(path),
                value=ending or path.name,
                cure="follow a folder, to which complete files are added, or leave --follow out",
            )
        self._node_id, self._wanted, self._path, self._reading = node.node_id, wanted, path, reading
        self._now, self._piece = now, piece

    def read(self, position: int | str) -> tuple[Events | None, int | str]:
        """Raises UserError for rows that are none, and where the file has become shorter."""
        source, after = self.rows(int(position))
        if source is None:
            return None, after
        return events_of(self._node_id, source, came(self._reading, self._now)), after

    def rows(self, position: int) -> tuple[Source | None, int]:
        """The rows that follow `position`, and the position after them."""
        try:
            with self._path.open("rb") as file:
                head = csv_head(file, str(self._path))
                begin = max(position, file.tell())
                size = file.seek(0, 2)
                if head is None or size == begin:
                    return None, position
                if size < begin:
                    raise UserError(
                        "the file is shorter than what was read of it",
                        place=str(self._path),
                        value=f"{size:,} bytes of {position:,}",
                        cure="rows are only added to a file that is followed: put it back, or begin another log",
                    )
                file.seek(begin)
                body = file.read(self._piece)
        except OSError as error:
            raise UserError(
                f"the file cannot be followed: {error.strerror}",
                place=str(self._path),
                value=self._wanted.id,
                cure="check the path and who may read it",
            ) from None
        end = body.rfind(b"\n") + 1
        if not end and len(body) == self._piece:
            raise UserError(
                "a row does not end",
                place=f"{self._path}, byte {begin:,}",
                value=body[:60].decode(errors="replace"),
                cure="the file is damaged, or its lines end otherwise than with a newline",
            )
        if not body[:end].strip():
            return None, begin + end if end else position
        place = f"{self._path} from byte {begin:,} on"
        source, _ = read_table(csv_rows(head, body[:end], place), self._wanted, self._reading, place)
        return source, begin + end


class GrowingFolder(Feed):
    """A folder to which files are added, each complete and named after those before: positions are `name:rows`, and
    `name:all` once there are no more, from when on the file may go.

    A file must come by renaming; names that begin with `.` or `_`, or whose ending is of no table, are passed over.
    """

    def __init__(self, node: Node, wanted: Wanted, path: Path, reading: Reading, now: Now) -> None:
        self._node_id, self._wanted, self._path, self._reading = node.node_id, wanted, path, reading
        self._now = now
        self._read: Mapping[str, Source] = {}  # the file that is being read

    def read(self, position: int | str) -> tuple[Events | None, int | str]:
        """Raises UserError for a file that is none, and where one that was read is gone before its end."""
        source, after = self.rows(position)
        if source is None:
            return None, after
        return events_of(self._node_id, source, came(self._reading, self._now)), after

    def rows(self, position: int | str) -> tuple[Source | None, int | str]:
        """The rows that follow `position`, and the position after them."""
        name, _, number = str(position).rpartition(":")
        names = self._names(name)
        if name and number != ALL and name not in names:
            raise UserError(
                "a file is gone that was not read to its end",
                place=str(self._path / name),
                value=f"{number} rows were read",
                cure="put it back; a file may go once it was read to its end",
            )
        for each in names:
            begin = 0
            if each == name:
                if number == ALL:
                    continue
                begin = int(number)
            source = self._source(each)
            count = len(source.event_ns)
            end = min(begin + CHUNK, count)
            return _part(source, begin, end), f"{each}:{ALL if end == count else end}"
        return None, position

    def _names(self, first: str) -> list[str]:
        if not self._path.is_dir():
            raise UserError(
                "the folder is not there", place=str(self._path), value=self._wanted.id, cure="check the path"
            )
        return sorted(
            one.name
            for one in self._path.iterdir()
            if one.name >= first and one.name[0] not in "._" and one.name.lower().endswith(tuple(ENDINGS))
        )

    def _source(self, name: str) -> Source:
        if name not in self._read:
            path = self._path / name
            source, _ = read_table(file_table(path, str(path)), self._wanted, self._reading, str(path))
            self._read = {name: source}
        return self._read[name]


def _part(source: Source, begin: int, end: int) -> Source:
    """The rows `[begin, end)` of a table, in its order."""
    rows = slice(begin, end) if source.order is None else source.order.argsort()[begin:end]
    return Source(
        source.key,
        source.fields,
        source.event_ns[rows],
        source.available_ns[rows],
        source.values[rows],
        None if source.event_id is None else source.event_id[rows],
        None if source.revision is None else source.revision[rows],
        source.place,
    )
