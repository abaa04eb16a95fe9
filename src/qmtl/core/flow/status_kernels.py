"""Compiled: what each cell becomes when its bucket closes (SEMANTICS E5, E6), and gathering of inputs.

A rectangle is rows ``[r0, r1)`` by lanes ``[a, b)``. The work plane `W` collects, edge by edge, what the inputs say:
bit 1 a required own input is missing (no row), 2 some own input is there, 4 a required input is missing,
8 a required input is in warm-up, 16 something is there, 32 the lane does not take part.
"""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.core.flow.address_kernels import options
from qmtl.core.flow.timeline import GAP, NONE, NULL, PENDING, VALUE

NO_ROW, OWN, MISSING, WARM, ANY, ASIDE = 1, 2, 4, 8, 16, 32


@njit(**options)
def fold_own(W, S, lanes, required, computed, r0, r1, a, b):
    """An input of the node's own interval: present iff it has its value at the bucket."""
    absent = (NO_ROW | MISSING) if required else 0
    for r in range(r0, r1):
        for lane in range(a, b):
            s = S[r, lanes[lane]]
            if s == VALUE:
                W[r - r0, lane - a] |= OWN | ANY
            else:
                bits = absent
                if required and computed and s == NONE:
                    bits |= WARM
                W[r - r0, lane - a] |= bits


@njit(**options)
def fold_beside(W, S, first, required, computed, r0, r1, a, b):
    """As `fold_own`, of lanes that lie side by side from `first` on."""
    absent = np.uint8((NO_ROW | MISSING) if required else 0)
    cold = np.uint8(absent | WARM) if required and computed else absent
    there = np.uint8(OWN | ANY)
    for r in range(r0, r1):
        s, w = S[r, first + a : first + b], W[r - r0]
        for i in range(len(s)):
            w[i] |= there if s[i] == VALUE else (cold if s[i] == NONE else absent)


@njit(**options)
def latest(S, lane, row):
    """The last row at or before `row` with a value, or -1."""
    while row >= 0 and S[row, lane] != VALUE:
        row -= 1
    return row


@njit(**options)
def fold_coarse(
    W, S, up_base, up_interval, up_rows, lanes, required, computed, base, interval, r0, r1, a, b, at
):
    """A coarser input: the latest bar that has ended by the bucket's end. `at` receives its row, or -1."""
    for lane in range(a, b):
        known, found = -2, -1
        for r in range(r0, r1):
            end = base + (r + 1) * interval
            last = (end - up_base) // up_interval - 1
            last = min(last, up_rows - 1)
            if known == -2 or last < known:
                found = latest(S, lanes[lane], last)
            else:
                for u in range(known + 1, last + 1):
                    if S[u, lanes[lane]] == VALUE:
                        found = u
            known = last
            at[r - r0, lane - a] = found
            if found >= 0:
                W[r - r0, lane - a] |= ANY
            elif required:
                W[r - r0, lane - a] |= MISSING
            if required and computed and (last < 0 or S[last, lanes[lane]] == NONE):
                W[r - r0, lane - a] |= WARM


@njit(**options)
def count_rows(W, M, N, needs_row, r0, r1, a, b):
    """Which buckets are rows of the node, and how many there are up to each (E5)."""
    mask, want = np.uint8(ASIDE | (NO_ROW if needs_row else OWN)), np.uint8(0 if needs_row else OWN)
    for r in range(r0, r1):
        w, m, now = W[r - r0], M[r, a:b], N[r, a:b]
        for i in range(len(m)):
            m[i] = 1 if w[i] & mask == want else 0
        if r == 0:
            for i in range(len(m)):
                now[i] = m[i]
            continue
        before = N[r - 1, a:b]
        for i in range(len(m)):
            now[i] = before[i] + m[i]


@njit(**options)
def judge(W, S, M, N, rows, r0, r1, a, b):
    """Statuses of a node whose windows are rows. What was recorded stays recorded (reading 5)."""
    for r in range(r0, r1):
        w, s, m, count = W[r - r0], S[r, a:b], M[r, a:b], N[r, a:b]
        for i in range(len(s)):
            old, before = s[i], count[i] - m[i]
            lost = np.uint8(NULL if old == VALUE else old)
            fresh = old == NONE or old == PENDING
            new = np.uint8(GAP if (w[i] & MISSING) | (~w[i] & ANY) else VALUE)
            new = np.uint8(NONE if before < rows - 1 or (w[i] & WARM) != 0 else new)
            new = new if new == VALUE or fresh else lost
            s[i] = old if (w[i] & ASIDE) != 0 else new


@njit(**options)
def gather(V, off, source, column, lanes, r0, r1, a, b):
    """Bring scattered lanes of an own-interval input side by side."""
    for r in range(r0, r1):
        for lane in range(a, b):
            V[r, off + lane] = source[r, column + lanes[lane]]


@njit(**options)
def gather_at(V, off, source, column, lanes, at, r0, r1, a, b):
    """Bring the values of a coarser input to the rows that see them."""
    for r in range(r0, r1):
        for lane in range(a, b):
            u = at[r - r0, lane - a]
            V[r, off + lane] = source[u, column + lanes[lane]] if u >= 0 else np.nan


@njit(**options)
def settle_nulls(S, M, r0, r1, a, b):
    """After a kernel that may answer "no value": M = 0 where status said VALUE becomes a gap."""
    for r in range(r0, r1):
        for lane in range(a, b):
            if S[r, lane] == VALUE and M[r, lane] == 0:
                S[r, lane] = GAP


@njit(**options)
def close_bars(S, r0, r1, a, b):
    """A bar stream's stored bars become its values when their bucket closes; it records no gaps."""
    for r in range(r0, r1):
        for i in range(b - a):
            if S[r, a + i] == PENDING:
                S[r, a + i] = VALUE


@njit(**options)
def close_bars_but(S, mask, r, a, b):
    """As `close_bars`, of one row, but for lanes with a mask."""
    for i in range(a, b):
        if S[r, i] == PENDING and mask[i] == 0:
            S[r, i] = VALUE


@njit(**options)
def nth_row_after(M, lane, row, n, stop):
    """The row of the n-th row (M = 1) after `row`, or `stop - 1` when there are fewer before `stop`."""
    while n > 0 and row < stop - 1:
        row += 1
        if M[row, lane] == 1:
            n -= 1
    return row


@njit(**options)
def warm(N, lane, row, stop, enough):
    """The first row from `row` on up to which there are so many rows, or `stop`."""
    while row < stop and N[row, lane] < enough:
        row += 1
    return row


@njit(**options)
def recount(M, N, lane, row, rows):
    """Rows from `row` on count what lies before them anew, also where only others that share the counts have closed."""
    more = N[row - 1, lane] + M[row, lane] - N[row, lane]
    if more != 0:
        for r in range(row, rows):
            N[r, lane] += more


@njit(**options)
def cross_status(M, S, per_lane, min_count, r0, r1, lanes):
    """A cross-section: `min_count` lanes must be present; with a value per lane, the lane too."""
    for r in range(r0, r1):
        count = 0
        for lane in range(lanes):
            count += M[r, lane]
        for lane in range(S.shape[1]):
            new = VALUE if count >= min_count and count > 0 and (not per_lane or M[r, lane] == 1) else GAP
            old = S[r, lane]
            if new == GAP and (old == VALUE or old == NULL):
                new = NULL
            S[r, lane] = new


@njit(**options)
def resample(
    V,
    S,
    out,
    method,
    N,
    base,
    interval,
    U,
    T,
    cols,
    lanes,
    up_base,
    up_interval,
    complete,
    computed,
    r0,
    r1,
    a,
    b,
    up_rows,
    starts,
):
    """Bars of `interval` from finer bars: method 0 first, 1 max, 2 min, 3 last, 4 sum, 5 mean, 6 count.

    Only buckets that begin at or after `starts[lane]` (the origin) are out of warm-up (E5).
    """
    ratio = interval // up_interval
    for lane in range(a, b):
        source = lanes[lane]
        for r in range(r0, r1):
            begin = base + r * interval
            first = (begin - up_base) // up_interval
            last = min(first + ratio, up_rows)
            seen = 0
            for u in range(max(first, 0), last):
                if T[u, source] != VALUE:
                    continue
                for c in range(len(out)):
                    x = U[u, cols[c] + source]
                    cell = out[c] + lane
                    m = method[c]
                    if m == 6:
                        x = 1.0
                    if seen == 0:
                        V[r, cell] = x
                    elif m == 1:
                        V[r, cell] = max(V[r, cell], x) if V[r, cell] == V[r, cell] else V[r, cell]
                        if x != x:
                            V[r, cell] = x
                    elif m == 2:
                        V[r, cell] = min(V[r, cell], x) if V[r, cell] == V[r, cell] else V[r, cell]
                        if x != x:
                            V[r, cell] = x
                    elif m == 3:
                        V[r, cell] = x
                    elif m >= 4:
                        V[r, cell] += x
                seen += 1
            for c in range(len(out)):
                if method[c] == 5 and seen > 0:
                    V[r, out[c] + lane] /= seen
            old = S[r, lane]
            warm = begin < starts[lane]
            if computed and not warm:
                u = first + ratio - 1
                warm = u < 0 or u >= up_rows or T[u, source] == NONE
            new = NONE if warm else VALUE if seen > 0 and (seen == ratio or not complete) else GAP
            if new != VALUE and old != NONE and old != PENDING:
                new = NULL if (old == VALUE or old == NULL) else old
            S[r, lane] = new
            N[r, lane] = (N[r - 1, lane] if r > 0 else 0) + (1 if new == VALUE else 0)
