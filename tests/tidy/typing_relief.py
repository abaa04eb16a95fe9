"""Types are strict everywhere but in modules that numba compiles, under its decorator or the package's own."""

from __future__ import annotations

from typing import Any

from tidy.source import Source

DECORATOR = "qmtl.core.compiled"
RELAXING = frozenset({"check_untyped_defs", "disallow_untyped_defs", "ignore_errors"})


def relaxed_without_numba(overrides: list[dict[str, Any]], sources: list[Source]) -> list[str]:
    """`overrides` is `[[tool.mypy.overrides]]` of pyproject.toml."""
    compiled = {
        source.module
        for source in sources
        if any(each.top == "numba" or DECORATOR in each.names for each in source.imports) and source.module
    }
    return [
        f"pyproject.toml: mypy is relaxed for {module}, which numba does not compile; annotate it instead"
        for override in overrides
        if RELAXING & override.keys()
        for module in override["module"]
        if module.partition(".")[0] == "qmtl" and module not in compiled
    ]
