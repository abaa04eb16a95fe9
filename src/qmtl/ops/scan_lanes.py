"""Steps of the averages that plans hold most of, a row of lanes at a time and without branches.

They compute what :mod:`qmtl.ops.scan_averages` computes, to the bit.
"""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit

options = {"cache": True, "error_model": "numpy", "nogil": True, "_nrt": False}  # nothing is allocated


@njit(**options)
def ema(x, here, seen, value, o, n, sma):
    """One exponential average; state: count, value. Seeded by its first value, or by the mean of the first n."""
    weight, last = 2.0 / (n + 1.0), n if sma else 1.0
    for i in range(len(x)):
        act = here[i] == 1 and abs(x[i]) < np.inf
        count, old = seen[i] + 1.0, value[i]
        seed = old + x[i] if sma else x[i]
        seed = seed / n if sma and count == n else seed
        new = seed if count <= last else (x[i] - old) * weight + old
        shown = np.nan if count < last else new
        seen[i] = count if act else seen[i]
        value[i] = new if act else old
        o[i] = shown if act else np.nan


@njit(**options)
def wilder(x, here, seen, price, up, down, n):
    """Wilder's average gain and loss; state: count, price, gain, loss."""
    for i in range(len(x)):
        act = here[i] == 1 and abs(x[i]) < np.inf
        count, change, u, d = seen[i], x[i] - price[i], up[i], down[i]
        gain, loss = (change if change > 0.0 else 0.0), (-change if change < 0.0 else 0.0)
        u1, d1 = u + gain, d + loss
        u1, d1 = (u1 / n if count == n else u1), (d1 / n if count == n else d1)
        u1 = (u * (n - 1.0) + gain) / n if count > n else u1
        d1 = (d * (n - 1.0) + loss) / n if count > n else d1
        u1, d1 = (u if count == 0.0 else u1), (d if count == 0.0 else d1)
        seen[i] = count + 1.0 if act else count
        price[i] = x[i] if act else price[i]
        up[i] = u1 if act else u
        down[i] = d1 if act else d


@njit(**options)
def strength(x, here, seen, up, down, o, n, signed):
    """100 · gain / (gain + loss), or `signed` 100 · (gain − loss) / (gain + loss); 0 where nothing moved."""
    for i in range(len(x)):
        act = here[i] == 1 and abs(x[i]) < np.inf and seen[i] > n
        total = up[i] + down[i]
        share = 100.0 * ((up[i] - down[i]) / total) if signed else 100.0 * (up[i] / total)
        share = 0.0 if total == 0.0 else share
        o[i] = share if act else np.nan


@njit(**options)
def ema_row(V, M, out, s, ins, p, r, a, b):
    x, here, o = V[r, ins[0] + a : ins[0] + b], M[r, a:b], V[r, out[0] + a : out[0] + b]
    ema(x, here, s[0, a:b], s[1, a:b], o, p[1], p[2] == 1.0)


@njit(**options)
def strength_row(V, M, out, s, ins, p, r, a, b, signed):
    x, here, o = V[r, ins[0] + a : ins[0] + b], M[r, a:b], V[r, out[0] + a : out[0] + b]
    seen, up, down = s[0, a:b], s[2, a:b], s[3, a:b]
    wilder(x, here, seen, s[1, a:b], up, down, p[1])
    strength(x, here, seen, up, down, o, p[1], signed)


@njit(**options)
def ema_lane(V, M, out, s, ins, p, r0, r1, lane):
    """As `ema_row`, down the rows of one lane."""
    n, sma, column, to = p[1], p[2] == 1.0, ins[0] + lane, out[0] + lane
    seen, value, weight, last = s[0, lane], s[1, lane], 2.0 / (n + 1.0), n if sma else 1.0
    for r in range(r0, r1):
        x = V[r, column]
        if M[r, lane] != 1 or not abs(x) < np.inf:
            V[r, to] = np.nan
            continue
        seen += 1.0
        if seen <= last:
            value = value + x if sma else x
            value = value / n if sma and seen == n else value
        else:
            value = (x - value) * weight + value
        V[r, to] = np.nan if seen < last else value
    s[0, lane], s[1, lane] = seen, value


@njit(**options)
def strength_lane(V, M, out, s, ins, p, r0, r1, lane, signed):
    """As `strength_row`, down the rows of one lane."""
    n, column, to = p[1], ins[0] + lane, out[0] + lane
    seen, price, up, down = s[0, lane], s[1, lane], s[2, lane], s[3, lane]
    for r in range(r0, r1):
        x = V[r, column]
        if M[r, lane] != 1 or not abs(x) < np.inf:
            V[r, to] = np.nan
            continue
        change = x - price
        gain, loss = (change if change > 0.0 else 0.0), (-change if change < 0.0 else 0.0)
        if seen > n:
            up, down = (up * (n - 1.0) + gain) / n, (down * (n - 1.0) + loss) / n
        elif seen > 0.0:
            up, down = up + gain, down + loss
            up, down = (up / n if seen == n else up), (down / n if seen == n else down)
        seen, price, total = seen + 1.0, x, up + down
        share = 100.0 * ((up - down) / total) if signed else 100.0 * (up / total)
        V[r, to] = np.nan if seen <= n else 0.0 if total == 0.0 else share
    s[0, lane], s[1, lane], s[2, lane], s[3, lane] = seen, price, up, down
