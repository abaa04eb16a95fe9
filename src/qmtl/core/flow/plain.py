"""Author's functions over windows of rows of their own interval: shown as slices, decided by compiled code (E5, E6).

What is computed and shown is that of :mod:`qmtl.core.flow.function`, at a fraction of its cost. A vectorized function
is called once for all rows that close together; where it raises, once for each, so that the row that fails is the same
however the run is cut (E15).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qmtl.core.flow import layout
from qmtl.core.flow.answer import answers, taken
from qmtl.core.flow.plan import Group, Relation
from qmtl.core.flow.rectangle_kernels import statuses
from qmtl.core.flow.timeline import FAILED, GAP, HALTED, VALUE
from qmtl.core.flow.view import Columns, View, locked
from qmtl.core.graph.ir import OnMissing

Halt = Callable[[int, str], None]  # told the bucket and the cause


def is_plain(group: Group) -> bool:
    """Whether every input is a required window of rows, and a missing one only makes a gap."""
    return group.nodes[0].closing.on_missing is not OnMissing.FAIL and all(
        edge.relation is Relation.OWN and edge.window.rows is not None and edge.required
        for edge in group.edges
    )


def close(group: Group, head: np.ndarray, lane: int, r0: int, r1: int, halt: Halt) -> None:
    """Compute rows ``[r0, r1)`` of a lane that has not halted; they close now."""
    for low in range(r0, r1, layout.BLOCK):
        statuses(head, group.index, low, min(r1, low + layout.BLOCK), lane, lane + 1)
    status = group.S[r0:r1, lane]
    rows = [r0 + n for n, each in enumerate(status.tolist()) if each == VALUE]
    if not rows:
        return
    run = _Run(group, lane, rows)
    if group.nodes[lane].vectorized and run.all_at_once():
        return
    for number in range(len(rows)):
        cause = run.one(number)
        if cause:
            group.S[rows[number], lane] = FAILED
            group.S[rows[number] + 1 : r1, lane] = HALTED
            halt(run.buckets[number], cause)
            return


class _Run:
    """Rows of one lane to be computed together."""

    def __init__(self, group: Group, lane: int, rows: list[int]) -> None:
        timeline, node = group.timeline, group.nodes[lane]
        assert timeline is not None and node.function is not None
        self._group, self._lane, self._rows, self._node = group, lane, rows, node
        self._cells, self._function, self._params = group.out + lane, node.function, dict(node.params)
        self._V, self._S = timeline.V, group.S
        seen = _seen(group, lane, rows[0], rows[-1])
        self.buckets: list[int] = timeline.bucket[rows].tolist()
        times = locked(timeline.bucket[seen])
        self._ends = (np.searchsorted(seen, rows) + 1).tolist()  # of the windows, among the rows seen
        self._inputs: list[tuple[str, int, dict[str, np.ndarray], np.ndarray | None]] = []
        for edge in group.edges:
            columns = edge.up.out[list(edge.columns)] + edge.lanes[lane]
            arrays = {name: locked(timeline.V[seen, c]) for name, c in zip(edge.names, columns, strict=True)}
            assert edge.window.rows is not None
            self._inputs.append((edge.name, edge.window.rows, arrays, None if edge.single else times))

    def one(self, number: int) -> str:
        """Compute one row; returns why it failed, if it did."""
        if self._node.vectorized:
            return self._ask([number])
        end, bucket = self._ends[number], self.buckets[number]
        shown: dict[str, Any] = {}
        for name, count, arrays, times in self._inputs:
            if times is None:
                (array,) = arrays.values()
                shown[name] = array[end - count : end]
            else:
                shown[name] = Columns(arrays, times, end - count, end)
        watermark = (bucket + self._group.interval,) if self._node.wants_watermark else ()
        try:
            answer = self._function(View(shown, bucket), *watermark, **self._params)
            if not isinstance(answer, float) or len(self._cells) > 1:
                answer = taken(answer, self._node.outputs)
        except Exception as error:  # noqa: BLE001 - whatever an author's code raises is contained here
            return f"{type(error).__name__}: {error}"
        self._keep(self._rows[number], answer)
        return ""

    def _keep(self, row: int, answer: float | np.ndarray | None) -> None:
        if answer is None:
            self._S[row, self._lane] = GAP
        else:
            self._V[row, self._cells] = answer

    def all_at_once(self) -> bool:
        """Compute all rows by one call; false where it raised."""
        return not self._ask(list(range(len(self._rows))))

    def _ask(self, numbers: list[int]) -> str:
        ends, buckets = np.array(self._ends)[numbers], np.array(self.buckets)[numbers]
        shown: dict[str, Any] = {}
        for name, count, arrays, times in self._inputs:
            at = (ends[:, None] - count) + np.arange(count)
            tables = {each: locked(array[at]) for each, array in arrays.items()}
            if times is None:
                (shown[name],) = tables.values()
            else:
                shown[name] = Columns(tables, locked(times[at]), 0, len(at))
        watermark = (buckets + self._group.interval,) if self._node.wants_watermark else ()
        try:
            given = self._function(View(shown, locked(buckets)), *watermark, **self._params)
            found = answers(given, self._node.outputs, len(numbers))
        except Exception as error:  # noqa: BLE001 - whatever an author's code raises is contained here
            return f"{type(error).__name__}: {error}"
        for n, number in enumerate(numbers):
            self._keep(self._rows[number], None if found is None else found[n])
        return ""


def _seen(group: Group, lane: int, first: int, last: int) -> np.ndarray:
    """The node's rows (E5) that the windows of rows ``first..last`` show, ascending."""
    wanted, reach = group.rows, group.rows
    start = max(0, first - reach + 1)
    while start > 0 and int(group.N[first, lane]) - int(group.N[start - 1, lane]) < wanted:
        reach *= 2
        start = max(0, first - reach + 1)
    found: np.ndarray = start + np.flatnonzero(group.M[start : last + 1, lane])
    return found
