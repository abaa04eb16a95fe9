"""What changed after its bucket had closed: late version 0, corrections, withdrawals (E8).

What closes in order is not logged: it can be read from the statuses and from when each clock closed each row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from qmtl.core.flow.entry import Fate
from qmtl.core.flow.plan import Group
from qmtl.core.flow.timeline import GAP, NONE, NULL, VALUE


class Change(NamedTuple):
    """One emission about a bucket that was closed already. `retract`/`value`: None where there is no value."""

    group: int
    lane: int
    bucket: int
    version: int
    step: int
    was: int  # the old status: NONE where there was no record
    kind: int  # the new status: VALUE, GAP, NULL, FAILED
    retract: tuple[float, ...] | None
    value: tuple[float, ...] | None


class Refusal(NamedTuple):
    """An arrival that did not enter, at one entry."""

    source: str  # node id of the stream
    reader: str  # node id of the entry
    step: int
    ts: int
    values: tuple[float, ...]
    fate: Fate


class Failure(NamedTuple):
    """A node that halted: its author's function raised, or a required input was missing under `fail`."""

    group: int
    lane: int
    bucket: int
    step: int
    cause: str


@dataclass(slots=True)
class Log:
    """Everything the engine said that cannot be read from its state."""

    changes: list[Change] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    inputs: dict[tuple[int, int], list[tuple[int, int, Any, list[str]]]] = field(default_factory=dict)


def compare(
    log: Log, group: Group, lane: int, row: int, step: int, old: int, before: np.ndarray, raised: bool = False
) -> bool:
    """Emit what became of a recomputed cell; returns whether its readers must look again.

    `old` and `before` are its status and outputs before; equal bits are suppressed (E8), while a function that has
    just `raised` always tells (reading 17).
    """
    timeline = group.timeline
    assert timeline is not None
    new = int(group.S[row, lane])
    if new == GAP and old in (VALUE, NULL):
        new = NULL
        group.S[row, lane] = NULL
    now = timeline.V[row, group.out + lane]
    if raised:
        pass
    elif old == new:
        if new != VALUE or _equal(before, now):
            return False
    elif new == NONE:
        return False
    if old != NONE:
        group.version[row, lane] += 1
    log.changes.append(
        Change(
            group.index,
            lane,
            int(timeline.bucket[row]),
            int(group.version[row, lane]),
            step,
            old,
            new,
            tuple(before.tolist()) if old == VALUE else None,
            tuple(now.tolist()) if new == VALUE else None,
        )
    )
    return True


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        if x != y and (x == x or y == y):
            return False
        if x == 0.0 and str(x) != str(y):
            return False
    return True
