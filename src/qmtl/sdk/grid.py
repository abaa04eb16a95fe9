"""`grid(Trend, fast=[8, 12], slow=[26, 52])`: one strategy per combination of parameters."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from math import prod
from typing import Any

from qmtl.sdk.place import mistake
from qmtl.sdk.strategy import AnyStrategy, Strategy

GRID_LIMIT = 100_000  # strategies in one run: beyond it the graph alone takes gigabytes


def grid(strategy: type[AnyStrategy], **values: Iterable[Any]) -> list[AnyStrategy]:
    """A strategy per combination, the last parameter varying fastest; single values may be written bare."""
    if not (isinstance(strategy, type) and issubclass(strategy, Strategy)):
        raise mistake("grid takes a strategy's class", value=strategy, cure="grid(Trend, fast=[8, 12])")
    axes = {name: _axis(name, given) for name, given in values.items()}
    size = prod(len(axis) for axis in axes.values())
    if size > GRID_LIMIT:
        raise mistake(
            f"a grid of {size:,} strategies", cure=f"at most {GRID_LIMIT:,}: split it into several runs"
        )
    return [strategy(**dict(zip(axes, chosen, strict=True))) for chosen in product(*axes.values())]


def _axis(name: str, given: Iterable[Any]) -> list[Any]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        return [given]
    axis = list(given)
    if not axis:
        raise mistake(f"grid: {name} has no values", cure=f"{name}=[…] with at least one")
    return axis
