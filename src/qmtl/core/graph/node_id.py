"""NodeID: SHA-256 over the canonical `(node_type, code_hash, config_hash, schema_hash)`.

Identity is content: two nodes have one id exactly when they compute the same values from the same things.
What is for people (labels, tags, places, the name of an author's function or of its only output) stays
outside, as do results, clocks, seeds and the runtime. Upstreams enter by id, column by column, so an id does
not depend on how edges are bundled.
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache

from qmtl.core.graph.canonical import digest
from qmtl.core.graph.ir import Closing, Edge, EventTime, Node, NodeKind

NAMED_BY_OPERATOR = frozenset({NodeKind.OPERATOR, NodeKind.CROSS})
VALUE_TYPE = "float64"


def identified(node: Node) -> Node:
    """The node with its id; its upstreams must have theirs."""
    return replace(node, node_id=id_of(node))


def id_of(node: Node) -> str:
    """The id of a node by its content, whatever id it has."""
    content = _content(node)
    found = None if content is None else _known.get(content)
    if found is None:
        found = digest((node_type(node), node.code_hash, config_hash(node), schema_hash(node)))
        if content is not None:
            if len(_known) >= _MOST:
                _known.clear()
            _known[content] = found
    return found


_known: dict[
    object, str
] = {}  # ids by content: strategies that share nodes declare the same ones again and again
_MOST = 1 << 16
_SCALARS = frozenset({int, float, bool, str, type(None)})


def _content(node: Node) -> object:
    """All that enters the id, equal only where the id is (1, 1.0 and True differ); None: a parameter is no scalar."""
    if not _SCALARS.issuperset({type(value) for _, value in node.params}):
        return None
    return (
        *(node.kind, node.operator, node.code_hash, type(node.interval_ns), node.interval_ns, node.outputs),
        *(node.stream, node.members, node.event_time, node.closing, node.wants_watermark, node.vectorized),
        tuple([(name, type(value), repr(value)) for name, value in node.params]),
        tuple([_read(edge) for edge in node.edges]),
    )


def _read(edge: Edge) -> object:
    up, window = edge.node, edge.window
    return (
        *(up.node_id, up.outputs, edge.columns, edge.name, edge.single, edge.required, edge.complete),
        *(type(window.rows), window.rows, type(window.span_ns), window.span_ns),
    )


def node_type(node: Node) -> str:
    """What kind of thing computes it; a built-in operator is known by its name, a function by its code."""
    return f"{node.kind.value}:{node.operator}" if node.kind in NAMED_BY_OPERATOR else node.kind.value


def config_hash(node: Node) -> str:
    """Everything that can change a value, other than code and schema."""
    config: dict[str, object] = {
        "interval": node.interval_ns,
        "params": dict(node.params),
        "inputs": [part for edge in node.edges for part in _input(node, edge)],
    }
    if node.stream is not None:
        config["stream"] = node.stream
    if node.members:
        config["members"] = list(node.members)
    if node.event_time is not None:
        config["event_time"] = _settings(node.event_time)
    if node.edges:
        config["closing"] = _settings(node.closing)
    if node.kind is NodeKind.FUNCTION:
        config["calling"] = {"watermark": node.wants_watermark, "vectorized": node.vectorized}
    return digest(config)


def schema_hash(node: Node) -> str:
    """The columns of its output. The name of a function's only column is a label: nothing is chosen by it."""
    return _schema(("",) if node.kind is NodeKind.FUNCTION and len(node.outputs) == 1 else node.outputs)


@cache
def _schema(names: tuple[str, ...]) -> str:
    return digest([[name, VALUE_TYPE] for name in names])


def _input(node: Node, edge: Edge) -> list[list[object]]:
    """One entry per column of an edge; the keywords of an author's function are part of its interface."""
    shown: list[object] = [
        edge.node.node_id,
        edge.window.rows,
        edge.window.span_ns,
        edge.required,
        edge.complete,
        edge.name if node.kind is NodeKind.FUNCTION or node.members else None,
    ]
    if not edge.single:
        return [[*shown, list(edge.columns)]]
    return [[*shown, edge.node.outputs.index(column)] for column in edge.columns]


@cache
def _settings(settings: EventTime | Closing) -> str:
    """The digest of a settings class by field; an unbounded time stays None."""
    return digest({one.name: _plain(getattr(settings, one.name)) for one in fields(settings)})


def _plain(value: object) -> object:
    return str(value) if isinstance(value, str) else value
