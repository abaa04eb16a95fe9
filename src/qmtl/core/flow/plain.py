"""Author's functions over windows of rows of their own interval: shown as slices, decided by compiled code (E5, E6).

What is computed and shown is that of :mod:`qmtl.core.flow.function`, at a fraction of its cost. A vectorized function
is called once for all rows that close together; where it raises, once for each, so that the row that fails is the same
however the run is cut (E15).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from qmtl.core.flow import layout
from qmtl.core.flow.answer import answers, called, taken
from qmtl.core.flow.plan import EdgePlan, Group, Relation
from qmtl.core.flow.rectangle_kernels import statuses
from qmtl.core.flow.settle_kernels import one_row
from qmtl.core.flow.timeline import FAILED, GAP, HALTED, VALUE
from qmtl.core.flow.view import Columns, View, locked
from qmtl.core.graph.ir import OnMissing

Halt = Callable[[int, str], None]  # told the bucket and the cause


def is_ready(group: Group) -> bool:
    """Whether all lanes of a plain group ask one function, row by row."""
    first = group.nodes[0]
    return is_plain(group) and all(
        node.function is first.function and node.params == first.params and not node.vectorized
        for node in group.nodes
    )


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
    rows = [r0 + n for n, each in enumerate(group.S[r0:r1, lane].tolist()) if each == VALUE]
    if not rows:
        return
    run = _Run(group, lane, rows)
    done, cause = run.computed()
    if cause:
        group.S[rows[done], lane] = FAILED
        group.S[rows[done] + 1 : r1, lane] = HALTED
        halt(run.buckets[done], cause)


class Ready:
    """All lanes of a plain group, set up once, for rows that close one at a time."""

    def __init__(self, group: Group) -> None:
        timeline, node = group.timeline, group.nodes[0]
        assert timeline is not None and node.function is not None
        self._group, self._timeline, self._node, self._function = group, timeline, node, node.function
        self._params = dict(node.params)
        self._alone = (float, np.float64) if len(node.outputs) == 1 else ()
        self._inputs = [
            (
                edge.name,
                edge.window.rows or 1,
                list(zip(edge.names, self._offsets(edge), strict=True)),
                edge.single,
            )
            for edge in group.edges
        ]
        self._every, self._told = list(range(group.lanes)), np.zeros(group.lanes, np.uint8)
        outs = group.out.tolist()
        self._cells = [outs[0] + n if len(outs) == 1 else group.out + n for n in self._every]

    @staticmethod
    def _offsets(edge: EdgePlan) -> list[Any]:
        """Of each column of an input, where its cells are: the only lane's, a slice of several, or their numbers."""
        lanes = edge.lanes
        if len(lanes) == 1:
            return [int(edge.up.out[column] + lanes[0]) for column in edge.columns]
        if np.array_equal(lanes, lanes[0] + np.arange(len(lanes))):
            firsts = [int(edge.up.out[column] + lanes[0]) for column in edge.columns]
            return [slice(first, first + len(lanes)) for first in firsts]
        return [edge.up.out[column] + lanes for column in edge.columns]

    def close(
        self, head: np.ndarray, halt: Callable[[int, int, int, str], None]
    ) -> list[tuple[int, int]] | None:
        """Compute the one row that all lanes close now; `halt` is told the lane, row, bucket and cause of a failure.

        Returns (lane, row) of what is left to :func:`close`, windows over holes; None where more rows close.
        """
        group, told = self._group, self._told
        row = one_row(head, group.index, told)
        if row < 0:
            return None
        kinds = told.tolist()
        lanes = (
            self._every
            if 0 not in kinds and 2 not in kinds
            else [n for n, kind in enumerate(kinds) if kind == 1]
        )
        bucket, V, status = int(self._timeline.bucket[row]), self._timeline.V, group.S[row]
        while lanes:
            found, cause = called(
                self._function, self._views(row, bucket, lanes), self._params, self._take, self._alone
            )
            for lane, answer in zip(lanes, found, strict=False):
                if answer is None:
                    status[lane] = GAP
                else:
                    V[row, self._cells[lane]] = answer
            if cause:
                status[lanes[len(found)]] = FAILED
                halt(lanes[len(found)], row, bucket, cause)
            lanes = lanes[len(found) + 1 :]
        return [(lane, row) for lane, kind in enumerate(kinds) if kind == 2]

    def _take(self, answer: object) -> np.ndarray | None:
        return taken(answer, self._node.outputs)

    def _views(self, row: int, bucket: int, lanes: list[int]) -> Iterator[tuple[Any, ...]]:
        """What the function is called with, lane by lane; windows are copied, all at once, as a view may be kept."""
        if self._group.lanes == 1:
            yield self._only(row + 1, bucket)
            return
        shown = [self._windows(row + 1, *given) for given in self._inputs]
        names = [name for name, *_ in self._inputs]
        told = (bucket + self._group.interval,) if self._node.wants_watermark else ()
        if len(names) == 1:
            (name,), (windows,) = names, shown
            for lane in lanes:
                yield (View({name: windows[lane]}, bucket), *told)
            return
        for lane in lanes:
            yield (View({name: each[lane] for name, each in zip(names, shown, strict=True)}, bucket), *told)

    def _only(self, stop: int, bucket: int) -> tuple[Any, ...]:
        """What the only lane is called with."""
        V, shown = self._timeline.V, dict[str, Any]()
        for name, count, columns, single in self._inputs:
            start = stop - count
            if single:
                shown[name] = locked(V[start:stop, columns[0][1]].copy())
            else:
                arrays = {each: locked(V[start:stop, cell].copy()) for each, cell in columns}
                shown[name] = Columns(arrays, locked(self._timeline.bucket[start:stop].copy()), 0, count)
        told = (bucket + self._group.interval,) if self._node.wants_watermark else ()
        return (View(shown, bucket), *told)

    def _windows(
        self, stop: int, _: str, count: int, columns: list[tuple[str, Any]], single: bool
    ) -> list[Any]:
        """The latest rows of an input before `stop`, by lane."""
        V, start = self._timeline.V, stop - count
        arrays = {name: list(locked(V[start:stop, cells].T.copy())) for name, cells in columns}
        if single:
            (found,) = arrays.values()
            return found
        times = locked(self._timeline.bucket[start:stop].copy())
        return [
            Columns({name: each[lane] for name, each in arrays.items()}, times, 0, count)
            for lane in self._every
        ]


class _Run:
    """Rows of one lane to be computed together."""

    def __init__(self, group: Group, lane: int, rows: list[int]) -> None:
        timeline, node = group.timeline, group.nodes[lane]
        assert timeline is not None and node.function is not None
        self._group, self._lane, self._rows, self._node = group, lane, rows, node
        self._function, self._params = node.function, dict(node.params)
        seen = _seen(group, lane, rows[0], rows[-1])
        self.buckets: list[int] = timeline.bucket[rows].tolist()
        times = locked(timeline.bucket[seen])
        self._ends: list[int] = (
            np.searchsorted(seen, rows) + 1
        ).tolist()  # of the windows, among the rows seen
        self._inputs: list[tuple[str, int, dict[str, np.ndarray], np.ndarray | None]] = []
        for edge in group.edges:
            columns = edge.up.out[list(edge.columns)] + edge.lanes[lane]
            arrays = {name: locked(timeline.V[seen, c]) for name, c in zip(edge.names, columns, strict=True)}
            assert edge.window.rows is not None
            self._inputs.append((edge.name, edge.window.rows, arrays, None if edge.single else times))

    def computed(self) -> tuple[int, str]:
        """Compute the rows; returns how many, and why the next one failed, if it did."""
        every, outputs = list(range(len(self._rows))), self._node.outputs
        if not self._node.vectorized:
            alone = (float, np.float64) if len(outputs) == 1 else ()
            found, cause = called(
                self._function, self._views(), self._params, lambda answer: taken(answer, outputs), alone
            )
        else:
            found, cause = self._asked(every)
            if cause and len(every) > 1:
                found = []
                for number in every:
                    one, cause = self._asked([number])
                    found += one
                    if cause:
                        break
        self._keep(found)
        return len(found), cause

    def _keep(self, found: list[Any]) -> None:
        timeline, cells = self._group.timeline, self._group.out + self._lane
        assert timeline is not None
        there = [n for n, answer in enumerate(found) if answer is not None]
        if len(there) < len(found):
            for n, answer in enumerate(found):
                if answer is None:
                    self._group.S[self._rows[n], self._lane] = GAP
        if there:
            rows, values = [self._rows[n] for n in there], np.array([found[n] for n in there])
            timeline.V[np.array(rows)[:, None], cells] = values.reshape(len(there), -1)

    def _views(self) -> Iterator[tuple[Any, ...]]:
        """What the function is called with, row by row."""
        interval, told = self._group.interval, self._node.wants_watermark
        for end, bucket in zip(self._ends, self.buckets, strict=True):
            shown: dict[str, Any] = {}
            for name, count, arrays, times in self._inputs:
                if times is None:
                    (array,) = arrays.values()
                    shown[name] = array[end - count : end]
                else:
                    shown[name] = Columns(arrays, times, end - count, end)
            view = View(shown, bucket)
            yield (view, bucket + interval) if told else (view,)

    def _asked(self, numbers: list[int]) -> tuple[list[Any], str]:
        """The answers of a vectorized function to some rows at once, or why it has none."""
        ends, buckets = np.array(self._ends)[numbers], locked(np.array(self.buckets)[numbers])
        shown: dict[str, Any] = {}
        for name, count, arrays, times in self._inputs:
            at = (ends[:, None] - count) + np.arange(count)
            tables = {each: locked(array[at]) for each, array in arrays.items()}
            if times is None:
                (shown[name],) = tables.values()
            else:
                shown[name] = Columns(tables, locked(times[at]), 0, len(at))
        watermark = (locked(buckets + self._group.interval),) if self._node.wants_watermark else ()
        given, outputs = (View(shown, buckets), *watermark), self._node.outputs
        found, cause = called(
            self._function, [given], self._params, lambda answer: answers(answer, outputs, len(numbers))
        )
        return ([None] * len(numbers) if found[0] is None else list(found[0])) if found else [], cause


def _seen(group: Group, lane: int, first: int, last: int) -> np.ndarray:
    """The node's rows (E5) that the windows of rows ``first..last`` show, ascending."""
    wanted, reach = group.rows, group.rows
    start = max(0, first - reach + 1)
    while start > 0 and int(group.N[first, lane]) - int(group.N[start - 1, lane]) < wanted:
        reach *= 2
        start = max(0, first - reach + 1)
    found: np.ndarray = start + np.flatnonzero(group.M[start : last + 1, lane])
    return found
