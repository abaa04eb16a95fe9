"""Operators across the lanes of a panel, per bucket: `cross.rank(peers.close.returns(12))`.

Every lane is optional; fewer than `min_count` present is a gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from qmtl.core.graph import ir
from qmtl.sdk.apply import bound_operator
from qmtl.sdk.declaring import declare
from qmtl.sdk.intervals import spelled
from qmtl.sdk.node import Node
from qmtl.sdk.operand import Lane, node_of, wrap
from qmtl.sdk.panel import Panel, select
from qmtl.sdk.place import mistake
from qmtl.sdk.series import Series


def rank(panel: Panel | Node, *, min_count: int = 1) -> Panel:
    """(average rank − 1) / (k − 1) over the k lanes present: 0 the lowest, 1 the highest; 0.5 for k = 1."""
    return cast(Panel, _across("rank", panel, min_count=min_count))


def zscore(panel: Panel | Node, *, min_count: int = 1) -> Panel:
    """How many standard deviations each lane lies above the mean of the lanes present."""
    return cast(Panel, _across("zscore", panel, min_count=min_count))


def demean(panel: Panel | Node, *, min_count: int = 1) -> Panel:
    """Each lane less the mean of the lanes present."""
    return cast(Panel, _across("demean", panel, min_count=min_count))


def mean(panel: Panel | Node, *, min_count: int = 1) -> Series:
    """The mean of the lanes present, as one series."""
    return cast(Series, _across("mean", panel, min_count=min_count))


def top_k(panel: Panel | Node, k: int, *, min_count: int = 1) -> Panel:
    """1 for the k greatest lanes present, 0 for the others."""
    return cast(Panel, _across("top_k", panel, k=k, min_count=min_count))


def bottom_k(panel: Panel | Node, k: int, *, min_count: int = 1) -> Panel:
    """1 for the k least lanes present, 0 for the others."""
    return cast(Panel, _across("bottom_k", panel, k=k, min_count=min_count))


def _across(name: str, panel: object, **params: Any) -> Series | Panel:
    if not isinstance(panel, Panel):
        raise mistake(
            f"cross.{name} reads the lanes of a panel",
            value=panel,
            cure='choose a column of a tag query, peers.close, or name the lanes: Panel({"BTC": btc.close})',
        )
    operator, bound, kernel = bound_operator(f"cross_{name}", params)
    lanes = panel.lanes
    node = declare(
        ir.Node(
            kind=ir.NodeKind.CROSS,
            operator=operator.name,
            interval_ns=_interval(name, lanes),
            outputs=operator.outputs,
            edges=_edges(lanes),
            params=bound,
            kernel=kernel,
            members=tuple(lanes) if isinstance(lanes, Mapping) else (),
        )
    )
    column = ir.Column(node, node.outputs[0])
    if kernel.single_lane:
        return cast(Series, wrap(column, panel=False))
    if isinstance(lanes, Mapping):
        return cast(Panel, wrap({member: select(column, member) for member in lanes}, panel=True))
    return cast(Panel, wrap(column, panel=True))


def _edges(lanes: Lane | Mapping[str, Lane]) -> tuple[ir.Edge, ...]:
    named = lanes if isinstance(lanes, Mapping) else {"panel": lanes}
    return tuple(
        ir.Edge(name, lane.node, (lane.column,), required=False)
        for name, lane in named.items()
        if isinstance(lane, ir.Column)
    )


def _interval(name: str, lanes: Lane | Mapping[str, Lane]) -> int:
    nodes = [node_of(lane) for lane in (lanes.values() if isinstance(lanes, Mapping) else (lanes,))]
    intervals = {node.interval_ns for node in nodes}
    if None in intervals:
        raise mistake(f"cross.{name} cannot read ticks", cure='make bars of them first: ticks.bars("1m")')
    if len(intervals) > 1:
        known = ", ".join(sorted(spelled(one) for one in intervals))
        raise mistake(
            f"cross.{name} compares lanes of different intervals: {known}",
            cure='resample them to one: m1.resample("5m")',
        )
    (interval,) = intervals
    assert interval is not None
    return interval
