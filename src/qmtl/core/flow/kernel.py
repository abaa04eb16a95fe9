"""What the engine needs to know of an operator: its kernel and the numbers that go with it.

A kernel computes a *rectangle*, rows ``[r0, r1)`` by lanes ``[a, b)``, of a timeline's storage. A timeline
keeps one float64 array ``V[row, cell]`` (C order) for all nodes of one interval; a *column* of a node over
its lanes is ``V[:, off + lane]``. Rows are buckets in ascending order. The engine calls a kernel in
ascending rows for each lane and guarantees that rows before ``r0`` are computed for the lanes asked. A kernel
must give the same bits however the rectangle is cut, and writes only its own output columns and state.

``M`` is a uint8 array ``M[row, lane]``: 1 where the cell is a *row* of the node (E5: every required own-interval
input has its value), else 0. ``N`` is an int32 array ``N[row, lane]``: rows up to and including this one.
``bucket`` is int64 ``bucket[row]`` (ns), ``interval`` the node's interval in ns. ``ins`` and ``out`` are int64
arrays of column offsets (first lane) of the inputs and outputs; ``p`` is float64, the parameters.

* MAP     ``k(V, M, out, ins, p, r0, r1, a, b)``: out from the same row of the inputs. Runs on every cell of the
  rectangle (values at cells with M = 0 are never read). With ``may_null`` it sets ``M = 0`` where the answer is
  "no value".
* WINDOW  ``k(V, M, N, bucket, interval, out, ins, p, memo, r0, r1, a, b)``: out at every cell with M = 1 and
  N >= rows, from the ``rows`` latest cells of that lane with M = 1, at or before the row. `memo` (float64
  ``memo[memo_rows, lane]``) is the kernel's own: what it remembers between calls, to be checked against `bucket`.
* SCAN    ``k(V, M, bucket, out, s, ins, p, r0, r1, a, b)``: `s` (float64 ``s[word, lane]``) is the state before row
  r0, and after the call that after row r1 - 1. At M = 1 the new state is computed from it and the inputs, and out is
  written; at M = 0 it stays. An all-zero state means "nothing seen yet".
* CROSS   ``k(V, M, out, ins, p, r0, r1, lanes)``: reads lanes ``ins[0] + 0..lanes`` where ``M[row, lane] = 1``; writes
  one value per lane, or (``lanes_out = 1``) one value at ``out[0]``. At least ``min_count`` lanes are present.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class KernelKind(StrEnum):
    MAP = "map"
    WINDOW = "window"
    SCAN = "scan"
    CROSS = "cross"
    RESAMPLE = "resample"  # finer bars or ticks to bars; computed by the engine itself


@dataclass(frozen=True, slots=True)
class Kernel:
    """An operator with its parameters fixed.

    `load` returns the compiled function (compiled at the first call, then cached by numba). `rows` is P of E5: the
    node is in warm-up while fewer than ``rows − 1`` rows lie before a bucket. `state_words` is the number of
    float64 of a scan's state per lane, `memo_rows` that of what a window kernel remembers.
    """

    kind: KernelKind
    load: Callable[[], Callable[..., Any]]
    args: tuple[float, ...] = ()
    rows: int = 1
    state_words: int = 0
    memo_rows: int = 0
    may_null: bool = False
    min_count: int = 1  # CROSS
    single_lane: bool = False  # CROSS: one output lane instead of one per member
