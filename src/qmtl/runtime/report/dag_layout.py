"""Where the nodes of a graph are drawn: layers by depth, few crossings, edges that pass between boxes.

The classic layered drawing (K. Sugiyama, S. Tagawa, M. Toda, "Methods for Visual Understanding of Hierarchical System
Structures", IEEE SMC 11, 1981): longest-path layers, way-points where an edge spans several layers, and a few
sweeps that order each layer by the mean position of its neighbours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 8


@dataclass(frozen=True, slots=True)
class Layout:
    """Layers of names, top to bottom; `routes` names the way-points of each edge from input to reader.

    Way-points are integers, nodes are strings.
    """

    layers: list[list[str | int]]
    routes: dict[tuple[str, str], list[str | int]]


def arrange(inputs: Mapping[str, Sequence[str]]) -> Layout:
    """Lay out a graph given as node → its inputs; inputs that are no nodes are left out."""
    known = {
        node: [i for i in dict.fromkeys(ups) if i in inputs and i != node] for node, ups in inputs.items()
    }
    depth = depths(known)
    layers: list[list[str | int]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node, level in depth.items():
        layers[level].append(node)
    routes: dict[tuple[str, str], list[str | int]] = {}
    points = 0
    for node, ups in known.items():
        for up in ups:
            route: list[str | int] = [up]
            for level in range(depth[up] + 1, depth[node]):
                layers[level].append(points)
                route.append(points)
                points += 1
            routes[up, node] = [*route, node]
    _order(layers, routes)
    return Layout(layers, routes)


def depths(inputs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Length of the longest path to each node from a node without inputs (without recursion: graphs may be deep)."""
    depth: dict[str, int] = {}
    for root in inputs:
        stack = [root]
        while stack:
            node = stack[-1]
            waiting = [i for i in inputs[node] if i not in depth]
            if waiting and len(stack) <= len(inputs):
                stack.extend(waiting)
                continue
            depth[node] = 1 + max((depth.get(i, -1) for i in inputs[node]), default=-1)
            stack.pop()
    return {node: depth[node] for node in inputs}


def _order(layers: list[list[str | int]], routes: Mapping[tuple[str, str], list[str | int]]) -> None:
    """Sort each layer by the mean position of its neighbours, forward and backward in turn; keep the best."""
    before: dict[str | int, list[str | int]] = defaultdict(list)
    after: dict[str | int, list[str | int]] = defaultdict(list)
    for route in routes.values():
        for a, b in pairwise(route):
            after[a].append(b)
            before[b].append(a)
    place = {name: i / len(row) for row in layers for i, name in enumerate(row)}
    best, fewest = [list(layer) for layer in layers], _crossings(layers, after)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        for layer in layers[1:] if forward else layers[-2::-1]:
            near = before if forward else after
            keys = {n: sum(place[m] for m in near[n]) / len(near[n]) if near[n] else place[n] for n in layer}
            layer.sort(key=keys.__getitem__)
            place.update((name, i / len(layer)) for i, name in enumerate(layer))
        if (count := _crossings(layers, after)) < fewest:
            place = {name: i / len(row) for row in layers for i, name in enumerate(row)}
    best, fewest = [list(layer) for layer in layers], count
    layers[:] = best


def _crossings(layers: Sequence[Sequence[str | int]], after: Mapping[str | int, Sequence[str | int]]) -> int:
    """Pairs of edges between neighbouring layers that cross."""
    total = 0
    for layer, following in pairwise(layers):
        place = {name: i for i, name in enumerate(following)}
        ends = [place[b] for a in layer for b in sorted(after.get(a, ()), key=lambda b: place[b])]
        total += sum(1 for i, end in enumerate(ends) for other in ends[:i] if other > end)
    return total
