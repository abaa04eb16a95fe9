"""A module is named by its concept."""

from __future__ import annotations

from pathlib import PurePosixPath

from tidy.source import Source

EMPTY_WORDS = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "base"})
PRODUCT_WORDS = frozenset({"dag_manager", "tag_query_manager"})


def empty_names(source: Source) -> list[str]:
    path = PurePosixPath(source.path)
    return [
        f"{source.path}: {word!r} says nothing in a module's name; find the name of the concept it holds"
        for name in path.with_suffix("").parts
        if name not in PRODUCT_WORDS
        for word in name.lower().split("_")
        if word in EMPTY_WORDS
    ]
