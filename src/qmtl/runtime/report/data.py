"""What a report shows: plain values, gathered by whoever ran the strategy; rendering decides nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qmtl.core.control.account import Account


@dataclass(frozen=True, slots=True)
class Source:
    """A stream that was read."""

    id: str
    interval: str  # "1m", or "ticks"
    rows: int
    first_ns: int | None = None
    last_ns: int | None = None
    origin: str = ""  # a file's name, "frame", …
    digest: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """A named output of the strategy over time; `ts` is when each value was known (bucket end), ns."""

    name: str
    ts: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DagNode:
    """A node of the strategy's graph; `inputs` are ids of nodes in the same report."""

    id: str
    label: str  # "ema 12", "BTC"
    operator: str
    interval: str
    inputs: tuple[str, ...] = ()
    kind: str = "operator"  # bars, ticks, operator, function, query, panel, cross, select
    shared_by: int = 1  # strategies of the run that have this node
    corrections: int = 0  # emissions that replaced an earlier one
    roles: tuple[str, ...] = ()  # "target BTC", "output score"


@dataclass(frozen=True, slots=True)
class SharingRow:
    """How much one strategy declared and how much of it had to be computed for it."""

    strategy: str
    declared: int  # nodes its author wrote
    unique: int  # different ones among them
    shared: int  # of those, also in another strategy of the run
    computed: int  # newly computed for this strategy, in the order of the run


@dataclass(frozen=True, slots=True)
class Correction:
    """One emission that replaced an earlier one; None is a gap."""

    node: str
    bucket_ns: int
    version: int
    old: float | None
    new: float | None
    cause: str  # "late bar BTC 2022-01-03 10:41, arrived 10:47"


@dataclass(frozen=True, slots=True, eq=False)
class ReportData:
    """Everything one page says about one strategy of a run."""

    title: str
    start_ns: int
    end_ns: int
    parameters: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    account: Account | None = None  # None: the strategy has no targets
    outputs: tuple[Output, ...] = ()
    nodes: tuple[DagNode, ...] = ()
    sharing: tuple[SharingRow, ...] = ()  # one row per strategy of the run
    counters: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # by entry, E14's names
    corrections: tuple[Correction, ...] = ()  # the first some
    corrections_total: int = 0  # of all; at least `len(corrections)`
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    manifest: Mapping[str, object] = field(default_factory=dict)  # nested plain values
