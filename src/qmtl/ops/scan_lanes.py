"""Steps of the averages that plans hold most of, a row of lanes at a time and without branches.

They compute what :mod:`qmtl.ops.scan_averages` computes, to the bit. `c0`, `v0` … are the state after the row before.
"""

from __future__ import annotations

import numba
import numpy as np

options = {"cache": True, "error_model": "numpy", "nogil": True}


@numba.njit(**options)
def ema(x, here, c0, v0, c1, v1, o, n, sma):
    """One exponential average; state: count, value. Seeded by its first value, or by the mean of the first n."""
    weight, last = 2.0 / (n + 1.0), n if sma else 1.0
    for i in range(len(x)):
        act = here[i] == 1 and abs(x[i]) < np.inf
        count, old = c0[i] + 1.0, v0[i]
        seed = old + x[i] if sma else x[i]
        seed = seed / n if sma and count == n else seed
        new = seed if count <= last else (x[i] - old) * weight + old
        shown = np.nan if count < last else new
        c1[i] = count if act else c0[i]
        v1[i] = new if act else old
        o[i] = shown if act else np.nan


@numba.njit(**options)
def wilder(x, here, c0, x0, g0, l0, c1, x1, g1, l1, n):
    """Wilder's average gain and loss; state: count, price, gain, loss."""
    for i in range(len(x)):
        act = here[i] == 1 and abs(x[i]) < np.inf
        count, change = c0[i], x[i] - x0[i]
        gain, loss = (change if change > 0.0 else 0.0), (-change if change < 0.0 else 0.0)
        up, down = g0[i] + gain, l0[i] + loss
        up, down = (up / n if count == n else up), (down / n if count == n else down)
        up = (g0[i] * (n - 1.0) + gain) / n if count > n else up
        down = (l0[i] * (n - 1.0) + loss) / n if count > n else down
        up, down = (g0[i] if count == 0.0 else up), (l0[i] if count == 0.0 else down)
        c1[i] = count + 1.0 if act else count
        x1[i] = x[i] if act else x0[i]
        g1[i] = up if act else g0[i]
        l1[i] = down if act else l0[i]


@numba.njit(**options)
def strength(x, here, c1, g1, l1, o, n, signed):
    """100 · gain / (gain + loss), or `signed` 100 · (gain − loss) / (gain + loss); 0 where nothing moved."""
    for i in range(len(x)):
        act = here[i] == 1 and abs(x[i]) < np.inf and c1[i] > n
        total = g1[i] + l1[i]
        share = 100.0 * ((g1[i] - l1[i]) / total) if signed else 100.0 * (g1[i] / total)
        share = 0.0 if total == 0.0 else share
        o[i] = share if act else np.nan


@numba.njit(**options)
def ema_row(V, M, out, st, ins, p, r, a, b):
    n, nothing = b - a, np.zeros(b - a if r == 0 else 0)
    x, here, o = V[r, ins[0] + a : ins[0] + b], M[r, a:b], V[r, out[0] + a : out[0] + b]
    c1, v1 = V[r, st[0] + a : st[0] + b], V[r, st[1] + a : st[1] + b]
    if r == 0:
        ema(x, here, nothing, nothing, c1, v1, o, p[1], p[2] == 1.0)
        return
    c0, v0 = V[r - 1, st[0] + a : st[0] + b], V[r - 1, st[1] + a : st[1] + b]
    ema(x[:n], here, c0, v0, c1, v1, o, p[1], p[2] == 1.0)


@numba.njit(**options)
def strength_row(V, M, out, st, ins, p, r, a, b, signed):
    x, here, o = V[r, ins[0] + a : ins[0] + b], M[r, a:b], V[r, out[0] + a : out[0] + b]
    c1, x1 = V[r, st[0] + a : st[0] + b], V[r, st[1] + a : st[1] + b]
    g1, l1 = V[r, st[2] + a : st[2] + b], V[r, st[3] + a : st[3] + b]
    if r == 0:
        zero = np.zeros(b - a)
        wilder(x, here, zero, zero, zero, zero, c1, x1, g1, l1, p[1])
    else:
        c0, x0 = V[r - 1, st[0] + a : st[0] + b], V[r - 1, st[1] + a : st[1] + b]
        g0, l0 = V[r - 1, st[2] + a : st[2] + b], V[r - 1, st[3] + a : st[3] + b]
        wilder(x, here, c0, x0, g0, l0, c1, x1, g1, l1, p[1])
    strength(x, here, c1, g1, l1, o, p[1], signed)
