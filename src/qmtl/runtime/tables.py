"""Tables of a run in the library the reader prefers: pandas (default), Polars or Arrow."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from importlib import import_module
from typing import Any

import numpy as np

from qmtl.core.errors import UserError
from qmtl.core.flow.view import make_table


class TableKind(StrEnum):
    PANDAS = "pandas"
    POLARS = "polars"
    ARROW = "arrow"


def table(
    columns: Mapping[str, Any], kind: str = "pandas", *, times: tuple[str, ...] = (), index: str | None = None
) -> Any:
    """`columns` as a table; those named in `times` are ns since 1970 UTC and become timestamps.

    `index` (pandas only): the column that becomes the index. Raises :class:`UserError` for an unknown or missing
    library.
    """
    try:
        chosen = TableKind(kind)
    except ValueError:
        raise UserError(
            "unknown kind of table", place="kind", value=kind, cure="choose " + ", ".join(TableKind)
        ) from None
    if chosen is TableKind.PANDAS:
        return _pandas(columns, times, index)
    import pyarrow as pa

    arrays = {
        name: pa.array(np.asarray(values), pa.timestamp("ns", tz="UTC"))
        if name in times
        else pa.array(values)
        for name, values in columns.items()
    }
    arrow = pa.table(arrays)
    return arrow if chosen is TableKind.ARROW else _library("polars").from_arrow(arrow)


def _pandas(columns: Mapping[str, Any], times: tuple[str, ...], index: str | None) -> Any:
    pandas = _library("pandas")
    made = {
        name: pandas.to_datetime(values, unit="ns", utc=True) if name in times else values
        for name, values in columns.items()
    }
    frame = pandas.DataFrame(made)
    return frame if index is None else frame.set_index(index)


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise UserError(
            f"{name} is not installed",
            place="kind",
            value=name,
            cure=f"pip install {name}, or choose another kind",
        ) from None


make_table["of"] = table
