"""From a strategy's targets to an account: decisions as they were known at the time, bars as they first came."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmtl.core.control.account import Account, trade
from qmtl.core.control.portfolio import Decisions, TradedStream
from qmtl.core.errors import UserError
from qmtl.core.flow.timeline import VALUE
from qmtl.core.graph.ir import Column, Node
from qmtl.runtime.ledger import Cells, Emissions, cells_of, emissions, first_version


def traded(result: Any, periods_per_year: float) -> Account:
    """The account that trades the strategy's targets over the run, beside buy-and-hold."""
    executed = result._executed
    return trade(
        traded_streams(result), result.costs, executed.start, executed.end, periods_per_year=periods_per_year
    )


def traded_streams(result: Any) -> list[TradedStream]:
    """Bars and decisions of every stream with a target; raises :class:`UserError` where there is none."""
    if not result.graph.targets:
        raise UserError(
            "the strategy has no target, so nothing is traded",
            place=result.graph.name,
            cure="call self.target(stream, weight) in define()",
        )
    return [_traded(result, name, node, weight) for name, (node, weight) in result.graph.targets.items()]


def _traded(result: Any, name: str, node: Node, weight: Column) -> TradedStream:
    for column in ("open", "close"):
        if column not in node.outputs:
            raise UserError(
                f"a traded stream needs the column {column!r}",
                place=name,
                value=", ".join(node.outputs),
                cure="read it with fields=OHLCV",
            )
    assert node.interval_ns is not None
    known = result._executed.bars
    if node.node_id not in known:
        known[node.node_id] = _bars(result, node)
    start, opens, closes = known[node.node_id]
    decisions = _decisions(result, node.interval_ns, weight)
    return TradedStream(name, node.interval_ns, start, opens, closes, decisions)


def _bars(result: Any, node: Node) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Starts, opens and closes of the bars of a stream as they first came."""
    group, lane = result.place(node)
    cells, _ = first_version(
        cells_of(result._executed.engine, group, lane, result._executed.start), result.changes(node)
    )
    bars = np.flatnonzero(cells.status == VALUE)
    opens, closes = (cells.value[bars, node.outputs.index(c)] for c in ("open", "close"))
    return cells.bucket[bars], opens, closes


def _decisions(result: Any, interval: int, weight: Column) -> Decisions:
    group, lane = result.place(weight.node)
    engine, start = result._executed.engine, result._executed.start
    changes, cells = result.changes(weight.node), cells_of(engine, group, lane, start)
    told: Cells | Emissions = cells
    if changes or np.any(cells.step[1:] < cells.step[:-1]):
        told = emissions(engine, group, lane, start, {(group.index, lane): changes})
        said = np.flatnonzero(told.has_value | (told.kind == "correction"))
    else:  # all that was said are the values, bucket by bucket
        said = np.flatnonzero(cells.status == VALUE)
    number = 0 if group.kind == "cross" else weight.node.outputs.index(weight.column)
    when = result._executed.arrivals.available_ns[told.step[said]]
    assert weight.node.interval_ns is not None
    bucket = (
        told.bucket[said] + weight.node.interval_ns - interval
    )  # so that it ends when the weight's bucket does
    return Decisions(bucket, np.maximum.accumulate(when) if len(when) else when, told.value[said, number])
