"""The canonical IR: a strategy as single-assignment nodes, pure data.

Every value an author names is one :class:`Node`; an :class:`Edge` says which columns of which node a
window shows. Python and YAML strategies lower to these classes and nothing else, so they are checked,
identified and planned alike. Nothing here runs.

A *panel* is the same column over many lanes. A node is **lifted** when a :attr:`NodeKind.QUERY` (or the
panel output of a :attr:`NodeKind.CROSS`) stands in its ancestry: it means one concrete node per member,
found by substituting the member for the query (:mod:`qmtl.core.graph.expand`). Only ``CROSS`` reads all
lanes at once; only ``SELECT`` picks one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qmtl.core.flow.kernel import Kernel

NS = 1_000_000_000


class NodeKind(StrEnum):
    BARS = "bars"  # a source stream with an interval
    TICKS = "ticks"  # a source stream without one
    OPERATOR = "operator"  # a built-in operator; `kernel` computes it
    FUNCTION = "function"  # an author's function; `function` computes it
    QUERY = "query"  # a tag query: a panel of streams
    PANEL = "panel"  # an explicit panel: named members given by the author
    CROSS = "cross"  # an operator across the lanes of a panel; its output is a panel (or one lane)
    SELECT = "select"  # one member of a panel
    REMOTE = "remote"  # what is computed elsewhere, in a plan that reads it (core/flow/remote.py)


class OnLate(StrEnum):
    RECOMPUTE = "recompute"
    IGNORE = "ignore"
    SIDE_OUTPUT = "side_output"


class OnMissing(StrEnum):
    SKIP = "skip"
    FAIL = "fail"


class Caching(StrEnum):
    """What an author says of keeping a node's slices."""

    AUTO = "auto"  # those that took longer to compute than reading takes
    ALWAYS = "always"
    NEVER = "never"


class AllIdle(StrEnum):
    FLUSH = "flush"
    HOLD = "hold"


class CoarseFrontier(StrEnum):
    STRUCTURAL = "structural"
    STRICT = "strict"


class TickIdentity(StrEnum):
    EVENT_ID = "event_id"
    POSITION = "position"
    EVENT_TS = "event_ts"


@dataclass(frozen=True, slots=True)
class EventTime:
    """Event-time settings of a source stream (SEMANTICS E3, E7–E11, E13); times in nanoseconds."""

    lateness_ns: int = 0
    on_late: OnLate = OnLate.RECOMPUTE
    allowed_lateness_ns: int | None = None
    idle_timeout_ns: int | None = None
    max_future_skew_ns: int | None = None
    identity: TickIdentity = TickIdentity.EVENT_ID


@dataclass(frozen=True, slots=True)
class Closing:
    """Event-time settings of a computed node (SEMANTICS E2, E6, E11)."""

    on_missing: OnMissing = OnMissing.SKIP
    all_idle: AllIdle = AllIdle.FLUSH
    coarse_frontier: CoarseFrontier = CoarseFrontier.STRUCTURAL


@dataclass(frozen=True, slots=True)
class Window:
    """What an edge shows (E5): the `rows` latest rows, or the time span of `span_ns`; exactly one is set.

    Of a tick stream it is always a span; `rows=P` there has already become `span_ns = P * interval`.
    """

    rows: int | None = 1
    span_ns: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """One input of a node: `columns` of `node`, seen through `window`.

    `since_ns` and `until_ns` bound the buckets at which it belongs to a cross-section (E16): from `since_ns` on it
    counts in the watermark, before that its history only fills windows; from `until_ns` on it is gone. Not hashed.
    """

    name: str  # the keyword of the author's function, or the operator's name for this input
    node: Node
    columns: tuple[str, ...]
    window: Window = Window()
    required: bool = True
    complete: bool = False
    single: bool = True  # a Series (the view shows one array), not a Stream (a mapping of columns)
    since_ns: int | None = None
    until_ns: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One value of the IR. Identity (`node_id`) is content: see :mod:`qmtl.core.graph.node_id`.

    `label`, `tags` and `place` (where the author wrote it) are for people and never enter the id.
    """

    kind: NodeKind
    operator: str  # "bars", "ticks", operator name, function's name (not hashed for FUNCTION), "query" …
    interval_ns: int | None
    outputs: tuple[str, ...]
    edges: tuple[Edge, ...] = ()
    params: tuple[tuple[str, Any], ...] = ()  # sorted by name; plain values; hashed
    stream: str | None = None  # BARS, TICKS: stream id; SELECT: member; QUERY: normalised query text
    event_time: EventTime | None = None  # BARS, TICKS
    closing: Closing = Closing()
    code_hash: str = ""  # FUNCTION: hash of its source's meaning; else ""
    node_id: str = ""  # SHA-256 hex, set by node_id.identified()
    kernel: Kernel | None = None  # OPERATOR and CROSS; not hashed (operator and params are)
    function: Callable[..., Any] | None = None  # FUNCTION; not hashed (code_hash is)
    wants_watermark: bool = False  # FUNCTION: signature (view, watermark, …); hashed with the code
    vectorized: bool = False  # FUNCTION: called once per slice; hashed
    members: tuple[str, ...] = ()  # PANEL, and CROSS after expansion: the lanes' names in order
    tags: frozenset[str] = frozenset()
    label: str = ""
    place: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column of one node: what a `Series` denotes."""

    node: Node
    column: str


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """What a strategy declared: outputs and targets by name. Nodes are reached through them.

    `targets` maps a stream id to (the BARS node traded, the weight column). `declared` holds every node
    the author built, also those nothing reads, for the sharing report.
    """

    name: str
    outputs: dict[str, Column]
    targets: dict[str, tuple[Node, Column]]
    declared: tuple[Node, ...]
    params: tuple[tuple[str, Any], ...] = ()
