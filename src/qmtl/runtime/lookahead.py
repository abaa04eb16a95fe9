"""The look-ahead check: with the future replaced by noise, nothing that was emitted before may change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from qmtl.core.flow.feed import EVENT
from qmtl.core.flow.instant import instant_text
from qmtl.core.graph.ir import NodeKind
from qmtl.runtime.arrivals import Arrivals
from qmtl.runtime.backtest import Executed
from qmtl.runtime.ledger import Emissions, changes_by_lane, emissions


@dataclass(frozen=True, slots=True)
class LookAhead:
    """What the check found; true when no node saw the future."""

    cuts: int
    node: str = ""  # the first node (upstreams first) whose past changed
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


def look_ahead(run: Callable[[Arrivals], Executed], arrivals: Arrivals, *, cuts: int, seed: int) -> LookAhead:
    """Compare a run with `cuts` runs whose future is noise from a random arrival on; `seed` makes it repeatable."""
    chance = np.random.default_rng(seed)
    truth = run(arrivals)
    for step in np.sort(chance.integers(1, max(2, len(arrivals)), cuts)).tolist():
        other = run(with_noise(arrivals, step, chance))
        found = _difference(truth, other, step, cuts)
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
    same = (one.bucket[:size] == two.bucket[:size]) & (one.version[:size] == two.version[:size])
    same &= (one.kind[:size] == two.kind[:size]) & (one.step[:size] == two.step[:size])
    a, b = np.ascontiguousarray(one.value[:size]), np.ascontiguousarray(two.value[:size])
    same &= ((a.view(np.int64) == b.view(np.int64)) | (np.isnan(a) & np.isnan(b))).all(axis=1)
    wrong = np.flatnonzero(~same)
    if len(wrong):
        return int(wrong[0])
    return None if len(one.step) == len(two.step) else size
