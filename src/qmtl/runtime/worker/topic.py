"""A stream whose events are JSON objects in a topic, each with the fields that a row of a table has (C7)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from qmtl.core.errors import UserError
from qmtl.core.flow.catalog import Reading
from qmtl.core.graph.ir import Node
from qmtl.ports.records import Records, Written
from qmtl.runtime.arrivals import Source
from qmtl.runtime.sources_table import Wanted, read_table
from qmtl.runtime.worker.feed import CHUNK, Feed, Now, came, events_of
from qmtl.runtime.worker.messages import Events

_log = logging.getLogger("qmtl.worker")
_decoder = msgspec.json.Decoder(dict[str, Any])


class TopicFeed(Feed):
    """Positions are those of the topic. A record that is no event is told, counted in `rejected`, and passed over:
    whoever reads a topic cannot correct it."""

    def __init__(self, node: Node, wanted: Wanted, records: Records, reading: Reading, now: Now) -> None:
        """`now`: when what is read came, where no field says it (`columns={"at": …}`)."""
        self._node_id, self._wanted, self._records, self._reading = node.node_id, wanted, records, reading
        self._now = now
        self.caught_up = False

    def read(self, position: int | str) -> tuple[Events | None, int | str]:
        """Raises Unavailable, and UserError where records are deleted that were never read."""
        written, after, self.caught_up = self._records.read(int(position), CHUNK)
        source = self._source(written)
        return (
            None if source is None else events_of(self._node_id, source, came(self._reading, self._now))
        ), after

    def _source(self, written: Sequence[Written]) -> Source | None:
        """All together where all are events, which is quick; else one by one."""
        rows = [row for one in written if (row := self._decoded(one)) is not None]
        if not rows:
            return None
        try:
            return self._table([value for _, value in rows], rows[0][0])
        except UserError as wrong:
            if len(rows) == 1:
                self._reject(rows[0][0], str(wrong))
                return None
        return self._source_of(row for row in rows if self._good(row))

    def _source_of(self, rows: Iterable[tuple[int, dict[str, Any]]]) -> Source | None:
        good = list(rows)
        return self._table([value for _, value in good], good[0][0]) if good else None

    def _decoded(self, one: Written) -> tuple[int, dict[str, Any]] | None:
        try:
            return one.position, _decoder.decode(one.value or b"")
        except msgspec.MsgspecError as wrong:
            self._reject(one.position, str(wrong))
            return None

    def _good(self, row: tuple[int, dict[str, Any]]) -> bool:
        try:
            self._table([row[1]], row[0])
        except UserError as wrong:
            self._reject(row[0], str(wrong))
            return False
        return True

    def _table(self, values: list[dict[str, Any]], position: int) -> Source:
        place = f"{self._records.place}, record {position}"
        names = dict.fromkeys(name for one in values for name in one)
        try:
            table = pa.table({name: [one.get(name) for one in values] for name in names})
        except (pa.ArrowException, TypeError, OverflowError) as wrong:
            cure = "a field has one type in all records"
            raise UserError(
                "fields of different types", place=place, value=str(wrong)[:80], cure=cure
            ) from None
        return read_table(table, self._wanted, self._reading, place)[0]

    def _reject(self, position: int, why: str) -> None:
        self.rejected += 1
        _log.warning("%s, record %d is passed over: %s", self._records.place, position, why)
