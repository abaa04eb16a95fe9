"""Which slot computes which node, and to which slots events and slices go (ARCHITECTURE, *Ownership*)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from blake3 import blake3

from qmtl.core.flow.building import build, source_of
from qmtl.core.flow.clock import begins
from qmtl.core.flow.home import home
from qmtl.core.flow.remote import stub
from qmtl.core.flow.reuse import Reuse
from qmtl.core.graph.ir import Node, NodeKind

STREAMS = (NodeKind.BARS, NodeKind.TICKS)


@dataclass(frozen=True, slots=True)
class Spread:
    """The nodes of a log's strategies over its slots."""

    nodes: dict[str, Node]  # by id, in topological order
    home: dict[str, int]  # of each node
    readers: dict[
        str, tuple[int, ...]
    ]  # slots that read a node of another: of its slices, of a tick stream's events
    starts: dict[str, tuple[int, int]]  # origin and first bucket (ns) of each node
    origins: dict[str, int]  # of the streams
    end: int  # ns: no bucket that ends later closes
    digest: str  # of all that, and of the data
    slices: Callable[[], Reuse] | None = None  # who knows those of history, for one engine

    def slots(self) -> list[int]:
        """Those that have something to do."""
        return sorted({*self.home.values(), *(slot for read in self.readers.values() for slot in read)})

    def streams(self, slot: int) -> list[Node]:
        """The streams whose events the owner of a slot brings in."""
        return [
            node for node in self.nodes.values() if node.kind in STREAMS and self.home[node.node_id] == slot
        ]

    def told(self, slot: int) -> list[str]:
        """The nodes that a slot computes, bar streams among them."""
        return [
            key
            for key, node in self.nodes.items()
            if self.home[key] == slot and node.kind is not NodeKind.TICKS
        ]

    def plan(self, slot: int) -> list[Node]:
        """The nodes of a slot's plan: its own, the tick streams they read, and stubs of what else they read."""
        mine = [node for key, node in self.nodes.items() if self.home[key] == slot]
        local = {node.node_id for node in mine if node.kind is not NodeKind.TICKS}
        read = {source_of(edge)[0].node_id for node in mine for edge in node.edges}
        found = []
        for key, node in self.nodes.items():
            if key in local or (node.kind is NodeKind.TICKS and key in read):
                found.append(node)
            elif key in read:
                found.append(stub(node, *self.starts[key]))
        return found


def spread(
    nodes: Iterable[Node], slots: int, origins: dict[str, int], end: int, data: Iterable[str] = ()
) -> Spread:
    """Spread concrete nodes (topological order, unique ids) over so many slots; `data`: digests of what they read."""
    known = {node.node_id: node for node in nodes if node.kind is not NodeKind.SELECT}
    homes = {key: home(node, slots) for key, node in known.items()}
    readers: dict[str, set[int]] = {}
    for key, node in known.items():
        for edge in node.edges:
            up = source_of(edge)[0]
            if homes[up.node_id] != homes[key] or up.kind is NodeKind.TICKS:
                readers.setdefault(up.node_id, set()).add(homes[key])
    starts = begins(build(list(known.values())), origins)
    read = {key: tuple(sorted(slots)) for key, slots in readers.items()}
    told = [sorted(homes.items()), sorted(origins.items()), end, sorted(data)]
    return Spread(known, homes, read, starts, origins, end, blake3(repr(told).encode()).hexdigest())
