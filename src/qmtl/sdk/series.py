"""`Series`, one column of a node, and `Stream`, its columns together, with the operators as methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NoReturn

from qmtl.core.graph import ir
from qmtl.core.graph.duration import Duration
from qmtl.sdk.columns import Columns
from qmtl.sdk.operand import lane_of, node_of
from qmtl.sdk.operators import SeriesOperators, StreamOperators
from qmtl.sdk.place import mistake


class Series(SeriesOperators["Series", "Stream"], panel=False, stream=False):
    """One column of one node: it stands for all its values over time and has none while it is defined."""

    __slots__ = ()

    def __init__(self, column: ir.Column) -> None:
        self._lanes = column

    @property
    def interval(self) -> Duration | None:
        """Length of its buckets; None for a column of ticks."""
        interval_ns = node_of(lane_of(self)).interval_ns
        return None if interval_ns is None else Duration.from_ns(interval_ns)

    @property
    def node_id(self) -> str:
        """Content id of its node."""
        return node_of(lane_of(self)).node_id

    def __bool__(self) -> NoReturn:
        raise mistake(
            "a series has no truth value: it stands for all its values",
            cure="choose per bucket with where(condition, a, b); combine conditions with & | ~ instead of "
            "and, or, not; compare with .eq() and .ne()",
        )

    def __len__(self) -> NoReturn:
        raise mistake(
            "a series has no length while it is defined",
            cure="a window has one: series.window(30) in an author's node",
        )

    def __iter__(self) -> Iterator[float]:
        raise mistake(
            "a series has no values to go through while it is defined",
            cure="read them in an author's node, or after a run: run[strategy].frame(series)",
        )

    def __repr__(self) -> str:
        lane = self._lanes
        assert not isinstance(lane, Mapping)
        node = node_of(lane)
        column = lane.column if isinstance(lane, ir.Column) else ", ".join(node.outputs)
        return f"<{type(self).__name__} {node.stream or node.label or node.operator}.{column}>"


class Stream(Columns[Series], StreamOperators["Series", "Stream"], panel=False, stream=True):
    """Columns of one node; `stream.close` or `stream["close"]` is one of them as a series."""

    __slots__ = ()

    @property
    def interval(self) -> Duration | None:
        """Length of its bars; None for ticks."""
        interval_ns = self._node().interval_ns
        return None if interval_ns is None else Duration.from_ns(interval_ns)

    @property
    def node_id(self) -> str:
        """Content id of its node."""
        return self._node().node_id

    def _node(self) -> ir.Node:
        assert isinstance(self._lanes, ir.Node)
        return self._lanes

    def __repr__(self) -> str:
        node = self._node()
        name = node.stream or node.label or node.operator
        return f"<{type(self).__name__} {name} ({', '.join(node.outputs)})>"
