"""The plan: concrete nodes as groups of lanes, in topological order; pure data plus storage offsets.

Nodes that differ only in their upstream are lanes of one :class:`Group`. When the buckets of a node close
depends only on its inputs' closings, so nodes share **clocks** (:mod:`qmtl.core.flow.clock`): a node over one input
of its own interval closes exactly when that input does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from qmtl.core.flow import layout
from qmtl.core.flow.kernel import Kernel
from qmtl.core.flow.timeline import FOREVER, NEVER, Timeline
from qmtl.core.graph.ir import Node, NodeKind, Window

I64 = NDArray[np.int64]


class Relation(IntEnum):
    OWN = layout.OWN
    FINER = layout.FINER
    COARSER = layout.COARSER
    TICK = layout.TICK


@dataclass(slots=True, eq=False)
class EdgePlan:
    """One input of a group: for lane `l` it reads lane `lanes[l]` of group `up`."""

    name: str
    up: Group
    lanes: I64
    columns: tuple[int, ...]  # output numbers of `up`
    names: tuple[str, ...]
    relation: Relation
    window: Window
    required: bool
    complete: bool
    single: bool
    since: int = NEVER  # E16, ns
    until: int = FOREVER
    scratch: int = -1  # offset of gathered columns in V, or -1: read in place

    @property
    def computed(self) -> bool:
        """Whether the input can be in warm-up (streams of events never are)."""
        return self.up.nodes[0].stream is None


@dataclass(slots=True, eq=False)
class Group:
    """Lanes of one kernel (or function). `nodes[l]` is lane `l`; a CROSS group has one node and many lanes."""

    index: int
    kind: NodeKind
    nodes: list[Node]
    interval: int
    timeline: Timeline | None  # None: a tick stream
    lanes: int
    outputs: tuple[str, ...]
    kernel: Kernel | None = None
    edges: list[EdgePlan] = field(default_factory=list)
    rows: int = 1  # the largest P of its own-interval edges (warm-up)
    out: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    copies: int = -1  # SCAN: index of its plane of state copies
    ins: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    args: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    clocks: I64 = field(default_factory=lambda: np.zeros(0, np.int64))  # per lane
    origin: I64 = field(default_factory=lambda: np.zeros(0, np.int64))  # per lane, ns
    planes: tuple[int, int, int, int] = (-1, -1, -1, -1)
    readers: list[tuple[Group, EdgePlan]] = field(default_factory=list)

    @property
    def S(self) -> NDArray[np.uint8]:
        """Status per row and lane."""
        assert self.timeline is not None
        return self.timeline.planes[self.planes[0]]  # type: ignore[return-value]

    @property
    def M(self) -> NDArray[np.uint8]:
        """1 where the cell is a row of the node (E5)."""
        assert self.timeline is not None
        return self.timeline.planes[self.planes[1]]  # type: ignore[return-value]

    @property
    def N(self) -> NDArray[np.int32]:
        """Rows up to and including this one."""
        assert self.timeline is not None
        return self.timeline.planes[self.planes[2]]  # type: ignore[return-value]

    @property
    def version(self) -> NDArray[np.int32]:
        """Latest version of each cell."""
        assert self.timeline is not None
        return self.timeline.planes[self.planes[3]]  # type: ignore[return-value]

    @property
    def compiled(self) -> bool:
        return self.kind in (NodeKind.OPERATOR, NodeKind.CROSS)


@dataclass(slots=True, eq=False)
class Plan:
    """Groups in topological order, where each node lives, and one timeline per interval."""

    groups: list[Group]
    home: dict[str, tuple[Group, int]]  # node id -> group and lane (CROSS: lane 0)
    timelines: dict[int, Timeline]
    rows: dict[object, tuple[int, int]] = field(default_factory=dict)  # planes of rows that groups share
