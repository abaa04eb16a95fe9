"""Compiled groups: recomputing what a change reaches (E8)."""

from __future__ import annotations

import numpy as np

from qmtl.core.flow import status_kernels as cells
from qmtl.core.flow.book import Book
from qmtl.core.flow.drive_kernels import judge_rows
from qmtl.core.flow.emission import Log, compare
from qmtl.core.flow.kernel import KernelKind
from qmtl.core.flow.plan import Group, Relation
from qmtl.core.flow.rectangle_kernels import cross, values
from qmtl.core.flow.tick_bars import bars_of_ticks
from qmtl.core.flow.windows import TickEntries

REPLAY = 64  # rows a scan replays before it looks whether its state has met the old one


def correct(
    group: Group,
    book: Book,
    ticks: TickEntries,
    log: Log,
    lane: int,
    dirty: list[int],
    stop: int,
    step: int,
) -> list[int]:
    """Recompute lane `lane` after its inputs changed at rows `dirty` (ascending); returns the rows that changed.

    `stop`: rows closed so far. A scan replays until its state has the old bits again; the rest reaches as far as
    its window does.
    """
    kernel = group.kernel
    assert kernel is not None
    low, last = dirty[0], dirty[-1]
    if kernel.kind is KernelKind.SCAN:
        return _replay(group, book, ticks, log, lane, low, last, stop, step)
    high = last + 1
    old = group.S[low:stop, lane].copy()
    if kernel.kind is KernelKind.WINDOW:
        before = _outputs(group, lane, low, stop)
        judge_rows(book.head, group.index, low, stop, lane, lane + 1)
        high = int(cells.nth_row_after(group.M, lane, last, kernel.rows - 1, stop)) + 1
        moved = np.flatnonzero(group.S[low:stop, lane] != old)
        high = max(high, low + int(moved[-1]) + 1 if len(moved) else 0)
    else:
        before = _outputs(group, lane, low, high)
        judge_rows(book.head, group.index, low, high, lane, lane + 1)
    _values(group, book, ticks, lane, low, high)
    return [
        row
        for row in range(low, high)
        if compare(log, group, lane, row, step, int(old[row - low]), before[row - low])
    ]


def _values(group: Group, book: Book, ticks: TickEntries, lane: int, low: int, high: int) -> None:
    if group.edges[0].relation is Relation.TICK:
        bars_of_ticks(group, ticks, lane, low, high)
    else:
        values(book.head, group.index, low, high, lane, lane + 1)


def _outputs(group: Group, lane: int, low: int, high: int) -> np.ndarray:
    assert group.timeline is not None
    return group.timeline.V[low:high, group.out + lane].copy()


def _replay(
    group: Group,
    book: Book,
    ticks: TickEntries,
    log: Log,
    lane: int,
    low: int,
    last: int,
    stop: int,
    step: int,
) -> list[int]:
    timeline = group.timeline
    assert timeline is not None
    old = group.S[low:stop, lane].copy()
    judge_rows(book.head, group.index, low, stop, lane, lane + 1)
    moved = np.flatnonzero(group.S[low:stop, lane] != old)
    last = max(last, low + int(moved[-1]) if len(moved) else 0)
    changed: list[int] = []
    start = low
    while start < stop:
        end = min(start + REPLAY, stop)
        before = _outputs(group, lane, start, end)
        state = timeline.V[end - 1, group.state + lane].view(np.int64).copy()
        _values(group, book, ticks, lane, start, end)
        changed += [
            row
            for row in range(start, end)
            if compare(log, group, lane, row, step, int(old[row - low]), before[row - start])
        ]
        again = timeline.V[end - 1, group.state + lane].view(np.int64)
        if end > last and bool(np.all(again == state)):
            break
        start = end
    return changed


def correct_cross(group: Group, book: Book, log: Log, dirty: list[int], step: int) -> dict[int, list[int]]:
    """Recompute a cross-section at rows `dirty`; returns the rows that changed, by lane."""
    changed: dict[int, list[int]] = {}
    for row in dirty:
        old = group.S[row].copy()
        assert group.timeline is not None
        before = [group.timeline.V[row, group.out + lane].copy() for lane in range(group.lanes)]
        cross(book.head, group.index, row, row + 1)
        for lane in range(group.lanes):
            if compare(log, group, lane, row, step, int(old[lane]), before[lane]):
                changed.setdefault(lane, []).append(row)
    return changed
