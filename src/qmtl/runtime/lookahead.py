"""The look-ahead check: with the future replaced by noise, nothing that was emitted or traded before may change.

At a cut, every event from some arrival on gets other values. What nodes emitted before that arrival must be the
same. So must the account before that *moment*: its fills and marks may use bars that ended before, and the opens of
bars that began before, which are known though the bar itself arrives later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmtl.core.control.costs import Costs
from qmtl.core.control.portfolio import Fills, Portfolio, TradedStream, simulate
from qmtl.core.flow.feed import EVENT
from qmtl.core.flow.instant import instant_text
from qmtl.core.graph.ir import Graph, Node, NodeKind
from qmtl.runtime.arrivals import Arrivals, SourceKey
from qmtl.runtime.backtest import Executed
from qmtl.runtime.ledger import Emissions, changes_by_lane, emissions
from qmtl.runtime.result import Result
from qmtl.runtime.trading import traded_streams


@dataclass(frozen=True, slots=True)
class LookAhead:
    """What the check found; true when no node saw the future."""

    cuts: int
    node: str = ""  # the first node (upstreams first) whose past changed, or the account
    place: str = ""
    bucket: str = ""
    cut: str = ""
    before: float = float("nan")
    after: float = float("nan")

    def __bool__(self) -> bool:
        return not self.node

    def __str__(self) -> str:
        if self:
            return f"no look-ahead at {self.cuts} cuts"
        where = f" ({self.place})" if self.place else ""
        return (
            f"{self.node}{where} sees the future: its value at {self.bucket} was {self.before!r}, "
            f"and {self.after!r} when "
            f"what arrived after {self.cut} was replaced by noise"
        )


def look_ahead(
    run: Callable[[Arrivals], Executed],
    arrivals: Arrivals,
    *,
    cuts: int,
    seed: int,
    graphs: Sequence[Graph] = (),
    costs: Costs | None = None,
) -> LookAhead:
    """Compare a run with `cuts` runs whose future is noise from a random arrival on; `seed` makes it repeatable.

    Of those of `graphs` that have targets the accounts are compared too.
    """
    chance = np.random.default_rng(seed)
    truth = run(arrivals)
    arrivals = truth.arrivals  # without what lies beyond the run's end, so that steps are its steps
    traded = [graph for graph in graphs if graph.targets]
    for step in np.sort(chance.integers(1, max(2, len(arrivals)), cuts)).tolist():
        other = run(with_noise(arrivals, step, chance))
        found = _difference(truth, other, step, cuts)
        for graph in traded if found else ():
            found = found and _of_account(truth, other, graph, costs or Costs(), step, cuts)
        if not found:
            return found
    return LookAhead(cuts)


def with_noise(arrivals: Arrivals, step: int, chance: np.random.Generator) -> Arrivals:
    """The same arrivals, with the values of all events from number `step` on multiplied by noise."""
    values = []
    late = np.flatnonzero((np.arange(len(arrivals)) >= step) & (arrivals.kind == EVENT))
    for number, table in enumerate(arrivals.values):
        rows = arrivals.row[late[arrivals.source[late] == number]]
        changed = table.copy()
        changed[rows] *= np.exp(chance.normal(0.0, 0.5, (len(rows), table.shape[1])))
        values.append(changed)
    return replace(arrivals, values=tuple(values))


def _difference(truth: Executed, other: Executed, step: int, cuts: int) -> LookAhead:
    known, known_again = changes_by_lane(truth.engine), changes_by_lane(other.engine)
    for node in truth.nodes.values():
        if node.kind in (NodeKind.TICKS, NodeKind.SELECT):
            continue
        group, lane = truth.engine.plan.home[node.node_id]
        again, its_lane = other.engine.plan.home[node.node_id]
        lanes = range(group.lanes) if group.kind is NodeKind.CROSS else [0]
        for each in lanes:
            one = _before(emissions(truth.engine, group, lane + each, truth.start, known), step)
            two = _before(emissions(other.engine, again, its_lane + each, other.start, known_again), step)
            at = first_difference(one, two)
            if at is not None:
                told = one if at < len(one.step) else two
                return LookAhead(
                    cuts,
                    node.label or node.operator,
                    node.place,
                    instant_text(int(told.bucket[at])),
                    instant_text(int(truth.arrivals.available_ns[step])),
                    _value(one, at),
                    _value(two, at),
                )
    return LookAhead(cuts)


def _before(told: Emissions, step: int) -> Emissions:
    return told.take(np.flatnonzero(told.step < step))


def _value(told: Emissions, at: int) -> float:
    return float(told.value[at, 0]) if at < len(told.step) else float("nan")


def first_difference(one: Emissions, two: Emissions) -> int | None:
    """The first emission in which two ledgers differ, bit for bit (NaN equals NaN), or None."""
    size = min(len(one.step), len(two.step))
    same = np.ones(size, np.bool_)
    for name in Emissions.__slots__:
        same &= _same(getattr(one, name)[:size], getattr(two, name)[:size])
    wrong = np.flatnonzero(~same)
    if len(wrong):
        return int(wrong[0])
    return None if len(one.step) == len(two.step) else size


def _same(one: Any, two: Any) -> Any:
    """Row by row, whether two columns (or tables) are equal bit for bit."""
    if one.dtype != np.float64:
        return one == two
    a, b = np.ascontiguousarray(one), np.ascontiguousarray(two)
    same = (a.view(np.int64) == b.view(np.int64)) | (np.isnan(a) & np.isnan(b))
    return same if same.ndim == 1 else same.all(axis=1)


# --- the account ---------------------------------------------------------------------------------------------


def _of_account(
    truth: Executed, other: Executed, graph: Graph, costs: Costs, step: int, cuts: int
) -> LookAhead:
    """Compare what a strategy's account did before the moment of arrival `step`."""
    moment = int(truth.arrivals.available_ns[step])
    streams = traded_streams(Result(truth, graph, costs))
    known = [
        _as_known(one, two, moment, _still_to_come(truth.arrivals, node, step))
        for one, two, (node, _) in zip(
            streams, traded_streams(Result(other, graph, costs)), graph.targets.values(), strict=True
        )
    ]
    one, two = (simulate(each, costs, truth.start, truth.end) for each in (streams, known))
    for what, columns, others, values in (
        ("fills", _columns(one.fills), _columns(two.fills), "quantity"),
        ("equity", _marks(one), _marks(two), "equity"),
    ):
        mine, theirs = _until(columns, moment), _until(others, moment)
        at = _first(mine, theirs)
        if at is not None:
            told = mine if at < len(mine["ts"]) else theirs
            before, after = (float(c[values][at]) if at < len(c["ts"]) else np.nan for c in (mine, theirs))
            where = instant_text(int(told["ts"][at])), instant_text(moment)
            return LookAhead(cuts, f"the account of {graph.name} ({what})", "", *where, before, after)
    return LookAhead(cuts)


def _still_to_come(arrivals: Arrivals, node: Node, step: int) -> NDArray[np.int64]:
    """The bars of a stream that arrive from `step` on."""
    number = arrivals.sources.index(SourceKey(node.stream or "", node.interval_ns))
    rest = slice(step, None)
    mine = (arrivals.kind[rest] == EVENT) & (arrivals.source[rest] == number)
    coming: NDArray[np.int64] = arrivals.event_ns[rest][mine]
    return coming


def _as_known(
    truth: TradedStream, other: TradedStream, moment: int, coming: NDArray[np.int64]
) -> TradedStream:
    """`other` with the prices that were known before `moment` of bars still to arrive.

    These are the opens of bars that had begun, and both prices of those that had ended and come late: an account is
    marked at prices of the market, not of the feed.
    """
    noisy = np.isin(truth.open_ts, coming)
    begun, ended = truth.open_ts < moment, truth.open_ts + truth.interval_ns < moment
    return replace(
        other,
        open=np.where(noisy & begun, truth.open, other.open),
        close=np.where(noisy & ended, truth.close, other.close),
    )


def _columns(fills: Fills) -> dict[str, Any]:
    return {column.name: getattr(fills, column.name) for column in fields(fills)}


def _marks(account: Portfolio) -> dict[str, Any]:
    return {name: getattr(account, name) for name in ("ts", "equity", "cash", "quantity", "price")}


def _until(columns: dict[str, Any], moment: int) -> dict[str, Any]:
    before = columns["ts"] < moment
    return {name: values[before] for name, values in columns.items()}


def _first(one: dict[str, Any], two: dict[str, Any]) -> int | None:
    """The first row in which two tables differ, or None."""
    size = min(len(one["ts"]), len(two["ts"]))
    same = np.ones(size, np.bool_)
    for name, values in one.items():
        same &= _same(values[:size], two[name][:size])
    wrong = np.flatnonzero(~same)
    if len(wrong):
        return int(wrong[0])
    return None if len(one["ts"]) == len(two["ts"]) else size
