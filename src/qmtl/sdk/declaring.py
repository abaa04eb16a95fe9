"""The nodes an author declares: each gets its place and id at once, and the open definition keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from qmtl.core.graph.ir import Node
from qmtl.core.graph.node_id import id_of
from qmtl.sdk.place import author_place

_open: ContextVar[list[Node] | None] = ContextVar("qmtl_open_definition", default=None)


def declare(node: Node) -> Node:
    """The node with its place and id; part of the strategy being defined, if one is.

    It is given here before anybody else has it, and so completed in place: a copy costs more than all the rest.
    """
    object.__setattr__(node, "place", node.place or author_place())
    object.__setattr__(node, "node_id", id_of(node))
    nodes = _open.get()
    if nodes is not None:
        nodes.append(node)
    return node


@contextmanager
def definition() -> Iterator[list[Node]]:
    """Collect what is declared inside; definitions may nest, each sees its own."""
    nodes: list[Node] = []
    token = _open.set(nodes)
    try:
        yield nodes
    finally:
        _open.reset(token)
