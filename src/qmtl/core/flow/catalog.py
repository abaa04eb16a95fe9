"""Where data lies and how its times are read: values only; the files are found and opened elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from os import PathLike
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from qmtl.core.errors import UserError
from qmtl.core.graph.duration import Duration

Path: TypeAlias = str | PathLike[str]
E = TypeVar("E", bound=StrEnum)


class Stamp(StrEnum):
    """What the time of a bar in a file means: the bar is `[open, close)`."""

    OPEN = "open"
    CLOSE = "close"


class TimeUnit(StrEnum):
    """Unit of times written as integers (since 1970 UTC)."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"
    NANOSECONDS = "ns"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a table is read, as :class:`Catalog` says. `columns`: field, `time`, `at`, `id` or `revision` → column."""

    tz: str | None = None
    stamp: Stamp = Stamp.OPEN
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    time_unit: TimeUnit | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """Files (or one frame) as streams.

    pattern    a path, a glob, a template such as `"data/{id}-{interval}.feather"`, or a pandas, Polars or Arrow table
    id         default: the template's `{id}`, else the file name without its endings; a text (which may use the
               template's groups: `"{base}/{quote}"`), a mapping or a function of that default, or the path of a
               table with the columns `file` (that default) and `id`
    tags       labels: a tuple (groups may be used too), a mapping or a function of the id, or the path of a table
               with the columns `id` and `tags` (separated by spaces, commas or semicolons)
    tz         zone of naive times, e.g. `"UTC"` or `"Europe/London"`; times that carry a zone do not need it
    stamp      whether a bar's time is its `"open"` (default) or its `"close"`; without meaning for ticks
    columns    field → column of the file, where the names differ; `time`, `id` and `revision` likewise; `at` names a
               column of arrival times, by which the rows are then replayed
    interval   of all its files (`"1m"`); default: the template's `{interval}`, else whatever a strategy asks for
    time_unit  `"s"`, `"ms"`, `"us"` or `"ns"` where integer times do not show it by their size
    """

    pattern: Any
    id: str | Mapping[str, str] | Callable[[str], str] | Path | None = field(default=None, kw_only=True)
    tags: tuple[str, ...] | Mapping[str, tuple[str, ...]] | Callable[[str], tuple[str, ...]] | Path = field(
        default=(), kw_only=True
    )
    tz: str | None = field(default=None, kw_only=True)
    stamp: Stamp | str | None = field(default=None, kw_only=True)
    columns: Mapping[str, str] | None = field(default=None, kw_only=True)
    interval: str | timedelta | int | Duration | None = field(default=None, kw_only=True)
    time_unit: TimeUnit | str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self.reading(Reading())
        if isinstance(self.tags, list | set | frozenset):
            object.__setattr__(self, "tags", tuple(sorted(self.tags)))

    def reading(self, default: Reading) -> Reading:
        """Its own options, else those of `default` (the command line's). :class:`UserError` for unknown words."""
        return Reading(
            tz=self.tz if self.tz is not None else default.tz,
            stamp=_word(Stamp, self.stamp, "stamp") or default.stamp,
            columns=MappingProxyType(dict(default.columns) | dict(self.columns or {})),
            time_unit=_word(TimeUnit, self.time_unit, "time_unit") or default.time_unit,
        )


def _word(kind: type[E], value: str | None, name: str) -> E | None:
    if value is None:
        return None
    try:
        return kind(value)
    except ValueError:
        cure = "use one of " + ", ".join(repr(one.value) for one in kind)
        raise UserError(f"unknown {name}", place=f"Catalog({name}=…)", value=value, cure=cure) from None
