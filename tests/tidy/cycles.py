"""No import cycles of any kind: lazy imports and imports for type checkers count."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from tidy.source import Source


def import_cycles(sources: Iterable[Source]) -> list[str]:
    """Cycle by cycle: the first import of each is left out, and the search goes on until none is left."""
    graph = _graph(sources)
    found = []
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            cycle = list(reversed(error.args[1]))  # graphlib lists predecessors: turn it into "imports"
            found.append(f"{' -> '.join(cycle)}; move what both need into a module below them")
            graph[cycle[0]].discard(cycle[1])
            continue
        return found


def _graph(sources: Iterable[Source]) -> dict[str, set[str]]:
    modules = {source.module: source for source in sources if source.module}
    known = frozenset(modules)
    graph = {}
    for name, source in sorted(modules.items()):
        targets = {each.target(known) for each in source.imports if each.top == "qmtl"}
        graph[name] = (targets & known) - {name}
    return graph
