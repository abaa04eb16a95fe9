"""Where a node lives: its *slot*, for life, history included (ARCHITECTURE, *Ownership*).

All that is computed from the same streams lives together: its nodes are lanes of one plan, and a step is one
transaction, however deep the graph. What reads nodes of other slots is told of them (:mod:`qmtl.core.flow.remote`).
"""

from __future__ import annotations

from hashlib import blake2b

from qmtl.core.graph.ir import Node, NodeKind

EMBEDDED, CLUSTER = 8, 32  # slots of a log, fixed when it is created


def home(node: Node, slots: int) -> int:
    """The slot of a concrete node, of so many. Raises ValueError where there are none."""
    if slots < 1:
        raise ValueError(f"a log has at least one slot, not {slots}")
    digest = blake2b(digest_size=8)
    for name in origins(node):
        digest.update(f"{len(name)}:{name}".encode())
    return int.from_bytes(digest.digest()) % slots


def origins(node: Node) -> tuple[str, ...]:
    """What a node is computed from in the end, sorted: ids of streams, and normalised tag queries.

    A cross-section over what a tag query finds comes from the query: it keeps its slot when members come and go.
    """
    found, ahead, seen = set(), [node], set()
    while ahead:
        one = ahead.pop()
        if one in seen:
            continue
        seen.add(one)
        if one.kind in (NodeKind.BARS, NodeKind.TICKS):
            found.add(one.node_id)
        elif one.meta.get("queries"):
            found.add(f"query {one.meta['queries']}")
        else:
            ahead += [edge.node for edge in one.edges]
    return tuple(sorted(found))


def partition_key(node: Node, slots: int, span_ns: int | None, bucket: int) -> tuple[int, int]:
    """Who computes a bucket (ns) of a node: its slot, and for history the number of the job's span in it (C10).

    `span_ns`: how long the jobs of its history are; None for what is computed live, where the number is 0.
    """
    return home(node, slots), 0 if span_ns is None else bucket // span_ns
