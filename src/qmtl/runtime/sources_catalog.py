"""What the user gave as data, as tables and feeds: dicts, catalogs, globs, templates and iterables told apart."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from qmtl.core.errors import UserError
from qmtl.core.flow.catalog import Catalog, Reading
from qmtl.core.flow.event import ClockTick, Event
from qmtl.core.graph.duration import Duration
from qmtl.runtime.sources_files import ENDINGS, file_table, frame_table, is_frame

_MAGIC = re.compile(r"[*?\[{]")
_PIECE = re.compile(r"\{(?P<group>\w+)\}|(?P<deep>\*\*/?)|(?P<star>\*)|(?P<one>\?)|(?P<set>\[!?[^\]]+\])")
_INTERVAL = r"[0-9]+(?:ns|us|ms|s|m|h|d|w)"


@dataclass(frozen=True, slots=True)
class Listed:
    """A stream that the data offers, as a tag query sees it. `known` says whether the data names its interval."""

    id: str
    interval_ns: int | None
    known: bool
    tags: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One table that can serve a stream; `data` is a path or a frame, not yet read."""

    listed: Listed
    data: Any
    reading: Reading
    place: str

    def table(self) -> Any:
        """Read it. Raises :class:`UserError` as `file_table` and `frame_table` do."""
        return (
            file_table(self.data, self.place)
            if isinstance(self.data, Path)
            else frame_table(self.data, self.place)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """All that was given: tables by stream, and feeds (of one stream, or with `id` None of any)."""

    entries: tuple[Entry, ...]
    feeds: tuple[tuple[str | None, Iterable[Any]], ...]
    keys: frozenset[str]  # ids the user wrote as keys of a dict


def list_streams(data: Any) -> tuple[Listed, ...]:
    """The streams that `data` names, for tag queries; reads no table and consumes no iterable.

    Events under the key of a stream are listed by that key; those of bare iterables are unknown until read.
    """
    given = expand(data)
    listed = {one.listed for one in given.entries}
    listed |= {Listed(key, None, False, frozenset()) for key, _ in given.feeds if key is not None}
    return tuple(sorted(listed, key=lambda one: (one.id, one.interval_ns or 0)))


def expand(data: Any, default: Reading | None = None) -> Given:
    """Tell the forms of `data` apart and find the files. Raises :class:`UserError` for what is none of them."""
    entries: list[Entry] = []
    feeds: list[tuple[str | None, Iterable[Any]]] = []
    keys: set[str] = set()
    for one in _each(data):
        if isinstance(one, Catalog):
            entries += _of_catalog(one, default or Reading())
        elif isinstance(one, str | PathLike):
            entries += _of_catalog(Catalog(str(one)), default or Reading())
        elif isinstance(one, Mapping):
            for key, value in one.items():
                stream, known, interval = _key(key)
                keys.add(stream)
                if isinstance(value, Catalog | str | PathLike) or is_frame(value):
                    entries.append(_of_key(key, stream, known, interval, value, default or Reading()))
                else:
                    feeds.append((stream, _iterable(value, f"data[{key!r}]")))
        elif is_frame(one):
            raise UserError(
                "a frame without the id of its stream",
                place="data",
                value=type(one).__name__,
                cure='give a dict: {"BTC": frame}',
            )
        else:
            feeds.append((None, _iterable(one, "data")))
    return Given(tuple(entries), tuple(feeds), frozenset(keys))


def _each(data: Any) -> Iterable[Any]:
    """The parts of a list of data; anything else is its only part."""
    if not isinstance(data, list | tuple):
        return [data]
    if not data:
        raise UserError(
            "no data is given", place="data", value=data, cure='give for example {"BTC": "btc.parquet"}'
        )
    return [data] if isinstance(data[0], Event | ClockTick) else data


def _iterable(value: Any, place: str) -> Iterable[Any]:
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise UserError(
            "no kind of data",
            place=place,
            value=type(value).__name__,
            cure="give a path, a pandas, Polars or Arrow table, a Catalog, or an iterable of Event and ClockTick",
        )
    return value


def _key(key: Any) -> tuple[str, bool, int | None]:
    """(id, whether the interval is named, interval) of a key of a dict."""
    if isinstance(key, str):
        return key, False, None
    if isinstance(key, tuple) and len(key) == 2 and isinstance(key[0], str):
        return key[0], True, None if key[1] is None else Duration(key[1]).ns
    raise UserError(
        "a key of the data is not a stream",
        place="data",
        value=key,
        cure='use the id "BTC", or ("BTC", "5m"), or ("BTC", None) for ticks',
    )


def _of_key(key: Any, stream: str, known: bool, interval: int | None, value: Any, default: Reading) -> Entry:
    """The one entry of `{key: value}`."""
    catalog = value if isinstance(value, Catalog) else None
    if catalog is None:
        data = value if is_frame(value) else Path(value).expanduser()
        place = str(data) if isinstance(data, Path) else f"data[{key!r}]"
        if isinstance(data, Path) and _MAGIC.search(place) and not data.exists():
            raise UserError(
                "a pattern where one file is expected",
                place=f"data[{key!r}]",
                value=place,
                cure=f'give Catalog("{place}") instead of the dict, or the path of one file',
            )
        return Entry(Listed(stream, interval, known, frozenset()), data, default, place)
    found = _of_catalog(catalog, default, stream)
    if known:
        found = [one for one in found if not one.listed.known or one.listed.interval_ns == interval]
    if len(found) != 1:
        raise UserError(
            "a catalog of several files for one stream"
            if found
            else "the catalog has no file of that interval",
            place=f"data[{key!r}]",
            value=", ".join(one.place for one in found[:4]) or str(catalog.pattern),
            cure="narrow its pattern to one file, or give the Catalog itself, without a key",
        )
    listed = found[0].listed
    if known:
        listed = replace(listed, interval_ns=interval, known=True)
    return replace(found[0], listed=listed)


def _of_catalog(catalog: Catalog, default: Reading, stream: str | None = None) -> list[Entry]:
    """Its entries, in order of their paths; `stream` is the id where a dict's key names it."""
    reading = catalog.reading(default)
    given = None if catalog.interval is None else Duration(catalog.interval).ns
    tags = _tags(catalog)
    if is_frame(catalog.pattern):
        name = stream or catalog.id
        if not isinstance(name, str):
            raise UserError(
                "a frame without the id of its stream",
                place="Catalog",
                value=type(catalog.pattern).__name__,
                cure='Catalog(frame, id="BTC")',
            )
        listed = Listed(name, given, given is not None, tags(name, {}))
        return [
            Entry(listed, catalog.pattern, reading, f"Catalog({type(catalog.pattern).__name__}, id={name!r})")
        ]
    naming = _naming(catalog)
    entries = []
    for path, groups in _matches(str(catalog.pattern)):
        name = stream or naming(groups.get("id") or _stem(path), groups)
        interval = given if given is not None or "interval" not in groups else Duration(groups["interval"]).ns
        listed = Listed(name, interval, interval is not None, tags(name, groups))
        entries.append(Entry(listed, path, reading, str(path)))
    return entries


def _matches(pattern: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """The files of a glob or template, sorted, with what the template's groups matched."""
    pattern = str(Path(pattern).expanduser())
    if not _MAGIC.search(pattern) or Path(pattern).exists():
        yield Path(pattern), {}
        return
    expression, wild, end = "", "", 0
    for piece in _PIECE.finditer(pattern):
        literal = pattern[end : piece.start()]
        end = piece.end()
        group = piece["group"]
        matched = {"deep": "(?:.*/)?" if piece[0].endswith("/") else ".*", "star": "[^/]*", "one": "[^/]"}
        if group is None:
            rest = matched.get(piece.lastgroup or "", piece[0].replace("[!", "[^"))
        elif f"(?P<{group}>" in expression:
            rest = f"(?P={group})"
        else:
            rest = f"(?P<{group}>{_INTERVAL if group == 'interval' else '[^/]+'})"
        expression += re.escape(literal) + rest
        wild += literal + (piece[0] if group is None else "*")
    regex = re.compile(expression + re.escape(pattern[end:]))
    found = 0
    for name in sorted(glob.glob(wild + pattern[end:], recursive=True)):
        match = regex.fullmatch(name)
        if match and Path(name).is_file():
            found += 1
            yield Path(name), match.groupdict()
    if not found:
        raise UserError(
            "no file matches the catalog's pattern",
            place="Catalog",
            value=pattern,
            cure=f"relative patterns start at {Path.cwd()}; {{id}} and {{interval}} stand for parts of a file's name",
        )


def _stem(path: Path) -> str:
    """The file name without a known ending."""
    lower = path.name.lower()
    ending = max((one for one in ENDINGS if lower.endswith(one)), key=len, default=path.suffix)
    return path.name[: len(path.name) - len(ending)] if ending else path.name


def _naming(catalog: Catalog) -> Callable[[str, dict[str, str]], str]:
    """How a file becomes an id: by default its own name."""
    rule = catalog.id
    if rule is None:
        return lambda name, _: name
    if isinstance(rule, PathLike) or (isinstance(rule, str) and _is_table(rule)):
        rule = dict(_pairs(Path(rule), "file", "id"))
    if isinstance(rule, str):
        text = rule
        return lambda _, groups: _filled(text, groups, "id")
    if not isinstance(rule, Mapping) and not callable(rule):
        cure = "give a text, a mapping or a function"
        raise UserError("not a way to name streams", place="Catalog(id=…)", value=rule, cure=cure)
    chosen = rule

    def named(name: str, _: dict[str, str]) -> str:
        found = chosen.get(name) if isinstance(chosen, Mapping) else chosen(name)
        if not isinstance(found, str):
            raise UserError(
                "a file has no id",
                place="Catalog(id=…)",
                value=name,
                cure="name it there, or narrow the pattern",
            )
        return found

    return named


def _tags(catalog: Catalog) -> Callable[[str, dict[str, str]], frozenset[str]]:
    """How a stream becomes its tags; a stream that a mapping does not name has none."""
    rule = catalog.tags
    if isinstance(rule, PathLike) or (isinstance(rule, str) and _is_table(rule)):
        pairs = _pairs(Path(rule), "id", "tags")
        rule = {name: tuple(re.split(r"[\s,;]+", text.strip())) for name, text in pairs if text}
    if isinstance(rule, str):
        raise UserError(
            "tags are a text", place="Catalog(tags=…)", value=rule, cure=f"write a tuple: tags=({rule!r},)"
        )
    if isinstance(rule, tuple):
        words = rule
        return lambda _, groups: frozenset(_filled(word, groups, "tags") for word in words)
    if not isinstance(rule, Mapping) and not callable(rule):
        cure = "give a tuple, a mapping or a function"
        raise UserError("not a way to tag streams", place="Catalog(tags=…)", value=rule, cure=cure)
    chosen = rule

    def tagged(name: str, _: dict[str, str]) -> frozenset[str]:
        found = chosen.get(name, ()) if isinstance(chosen, Mapping) else chosen(name)
        if isinstance(found, str):
            cure = f"write a tuple: ({found!r},)"
            raise UserError("tags are a text", place=f"tags of {name!r}", value=found, cure=cure)
        return frozenset(found)

    return tagged


def _is_table(text: str) -> bool:
    return text.lower().endswith(tuple(ENDINGS))


def _filled(text: str, groups: dict[str, str], what: str) -> str:
    try:
        return text.format_map(groups)
    except (KeyError, ValueError, IndexError):
        raise UserError(
            "a group that the pattern does not have",
            place=f"Catalog({what}=…)",
            value=text,
            cure=f"the groups are {', '.join(groups) or 'none'}; write {{name}} into the pattern",
        ) from None


def _pairs(path: Path, key: str, value: str) -> Iterator[tuple[str, str]]:
    """Two columns of a table as texts. Raises :class:`UserError` where one is missing."""
    table = file_table(path.expanduser(), str(path))
    for name in (key, value):
        if name not in table.column_names:
            raise UserError(
                f"the table has no column {name!r}",
                place=str(path),
                value=", ".join(table.column_names),
                cure=f"it needs the columns {key!r} and {value!r}",
            )
    for one, other in zip(table.column(key).to_pylist(), table.column(value).to_pylist(), strict=True):
        yield str(one), "" if other is None else str(other)
