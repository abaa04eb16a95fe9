"""Data for a run: from what the user gave and what strategies read to columns in order of arrival.

| data | how it is read |
|---|---|
| dict id → path, frame, `Catalog` or iterable of events | the id may be `(id, interval)`, where it is read at several |
| `Catalog`, or a path (its name is the id) | each file that a strategy reads; the others are not opened |
| iterable of `Event` and `ClockTick` | in its own order; every stream not served otherwise comes from it |
| list of those | together |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from qmtl.core.errors import UserError
from qmtl.core.flow.catalog import Reading
from qmtl.core.graph.ir import TickIdentity
from qmtl.runtime.arrivals import Arrivals, Feed, Source, SourceKey, merge
from qmtl.runtime.sources_catalog import Entry, Given, Listed, expand, list_streams
from qmtl.runtime.sources_events import read_events
from qmtl.runtime.sources_table import Wanted, read_table

__all__ = ["Listed", "Wanted", "growing", "list_streams", "load"]


def load(
    data: Any,
    wanted: Iterable[Wanted],
    *,
    finished: bool = True,
    with_clock: bool = False,
    default: Reading | None = None,
) -> Arrivals:
    """Read what is wanted out of `data`, check it, and lay it in order of arrival.

    `finished` marks the end of every source; `with_clock` adds clock ticks (see :func:`merge`); `default` is how tables
    are read that do not say it themselves. A source wanted twice is read once, with the fields of both. Raises
    :class:`UserError` naming file, row and column for whatever is missing, malformed or unclear.
    """
    together = _together(wanted)
    given = expand(data, default)
    served = {one.key: _entry(one, together, given) for one in together}
    sources: list[Source] = []
    notes: list[str] = []
    for one in together:
        entry = served[one.key]
        if entry is not None:
            source, said = read_table(entry.table(), one, entry.reading, entry.place)
            sources.append(source)
            notes += said
    feeds = []
    for stream, items in given.feeds:
        feed, said = _feed(stream, items, together, served, given)
        feeds.append(feed)
        notes += said
    unread = sorted(given.keys - {one.id for one in together})
    notes += [f"data[{name!r}]: no strategy reads it" for name in unread]
    return merge(sources, feeds, finished=finished, with_clock=with_clock, notes=notes)


def growing(data: Any, wanted: Wanted) -> tuple[Path, Reading]:
    """The file or folder that serves a stream, and how it is read; nothing is read yet.

    Raises :class:`UserError` where none does, or several, or what is no file.
    """
    entry = _entry(wanted, [wanted], expand(data))
    if entry is None or not isinstance(entry.data, Path):
        raise UserError(
            "only files and folders grow",
            place=f"data[{wanted.id!r}]",
            value=wanted.key,
            cure="give the path of a CSV file, or of a folder",
        )
    return entry.data, entry.reading


def _together(wanted: Iterable[Wanted]) -> list[Wanted]:
    """One `Wanted` per source: all fields in order of first mention, ids where anyone needs them."""
    found: dict[SourceKey, Wanted] = {}
    for one in wanted:
        known = found.setdefault(one.key, one)
        if known is one:
            continue
        by_id = TickIdentity.EVENT_ID in (known.identity, one.identity)
        found[one.key] = replace(
            known,
            fields=tuple(dict.fromkeys((*known.fields, *one.fields))),
            identity=TickIdentity.EVENT_ID if by_id else known.identity,
            used=frozenset(name for each in (known, one) for name in each.fields if each.needs(name)),
        )
    return list(found.values())


def _entry(one: Wanted, together: Sequence[Wanted], given: Given) -> Entry | None:
    """The table that serves a source; None where it comes from a feed. :class:`UserError` where none or several do."""
    mine = [entry for entry in given.entries if entry.listed.id == one.id]
    exact = [entry for entry in mine if entry.listed.known and entry.listed.interval_ns == one.interval_ns]
    found = exact or [entry for entry in mine if not entry.listed.known]
    if len(found) > 1:
        raise UserError(
            f"several data serve {one.key}",
            place="data",
            value=", ".join(entry.place for entry in found[:4]),
            cure=f'name the interval: {{("{one.id}", "1m"): …}} or Catalog("…/{{id}}-{{interval}}.feather")',
        )
    fed = any(stream in (None, one.id) for stream, _ in given.feeds)
    if not found:
        if fed:
            return None
        raise _unserved(one, mine, given)
    if any(stream == one.id for stream, _ in given.feeds):
        raise UserError(
            f"{one.key} comes from a table and from events",
            place=found[0].place,
            value=one.id,
            cure="give one of them",
        )
    _not_shared(one, together, found[0], given)
    return found[0]


def _not_shared(one: Wanted, together: Sequence[Wanted], entry: Entry, given: Given) -> None:
    """Refuse one table of unnamed interval for several wanted ones."""
    if entry.listed.known:
        return
    named = {
        other.listed.interval_ns
        for other in given.entries
        if other.listed.known and other.listed.id == one.id
    }
    others = [str(other.key) for other in together if other.id == one.id and other.interval_ns not in named]
    if len(others) > 1:
        raise UserError(
            f"{one.id!r} is read at several intervals and the data does not say which one it is",
            place=entry.place,
            value=", ".join(others),
            cure=f'name it: {{("{one.id}", "1m"): …}}, or read one interval and .resample() it',
        )


def _unserved(one: Wanted, mine: Sequence[Entry], given: Given) -> UserError:
    if mine:
        offered = ", ".join(str(SourceKey(entry.listed.id, entry.listed.interval_ns)) for entry in mine)
        return UserError(
            f"the data has {one.id!r} only at another interval",
            place="data",
            value=str(one.key),
            cure=f"it has {offered}: read that, and .resample() bars of it",
        )
    ids = sorted({entry.listed.id for entry in given.entries} | given.keys)
    near = get_close_matches(one.id, ids, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the data has {', '.join(ids[:20])}"
    return UserError(f"no data for the stream {one.id!r}", place="data", value=str(one.key), cure=hint)


def _feed(
    stream: str | None,
    items: Iterable[Any],
    together: Sequence[Wanted],
    served: dict[SourceKey, Entry | None],
    given: Given,
) -> tuple[Feed, list[str]]:
    """Read an iterable for the sources that no table (and for a bare one no other iterable) serves."""
    own = {one for one, _ in given.feeds if one is not None}
    if stream is None and sum(1 for one, _ in given.feeds if one is None) > 1:
        raise UserError(
            "several iterables of events whose order of arrival between them is unknown",
            place="data",
            value=len(given.feeds),
            cure='chain them in order of arrival, or give each its stream: {"BTC": events}',
        )
    left = [one for one in together if served[one.key] is None]
    mine = [one for one in left if (one.id == stream if stream is not None else one.id not in own)]
    return read_events(items, mine, "data" if stream is None else f"data[{stream!r}]")
