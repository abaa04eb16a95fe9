"""Which interval a result has, and which mixtures are refused."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from math import lcm

from qmtl.core.graph.duration import Duration
from qmtl.core.graph.ir import Node
from qmtl.sdk.place import mistake


def spelled(interval_ns: int | None) -> str:
    """An interval as an author writes it."""
    return "ticks" if interval_ns is None else str(Duration.from_ns(interval_ns))


def divides(a: int, b: int) -> bool:
    """Whether one of two intervals is a multiple of the other."""
    return a % b == 0 or b % a == 0


def finest(nodes: Iterable[Node], what: str) -> int:
    """The finest interval of an operator's inputs, each of which must divide the coarser ones."""
    intervals: list[int] = []
    for node in nodes:
        if node.interval_ns is None:
            raise mistake(
                f"{what} cannot read the ticks of {node.stream!r}: ticks have no buckets",
                cure='make bars first: ticks.bars("1m"), or read them in an author\'s node with interval=',
            )
        intervals.append(node.interval_ns)
    refuse_mixture(intervals, what)
    return min(intervals)


def refuse_mixture(intervals: Iterable[int], what: str) -> None:
    """Refuse intervals of which neither divides the other."""
    for a, b in combinations(sorted(set(intervals)), 2):
        if not divides(a, b):
            raise mistake(
                f"{what} mixes the intervals {spelled(a)} and {spelled(b)}; neither divides the other",
                cure=f"resample one of them, for example both to {spelled(lcm(a, b))}",
            )
