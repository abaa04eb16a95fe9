"""Steps of averages, oscillators and cumulative operators: (inputs, parameters, state) to (outputs, state)."""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.ops import dd

EMA, DEMA, TEMA, TRIX, MACD, KAMA, RSI, CMO, STOCH_RSI, OBV, CUMSUM, CUMMAX, CUMMIN, CUMPROD, FFILL = range(
    15
)

options = {"cache": True, "error_model": "numpy", "nogil": True}


@njit(**options)
def ema(s, at, x, n, sma):
    """One exponential average with α = 2/(n+1); state: count, value. NaN until it is seeded.

    Seeded by its first value, or by the mean of the first n (`sma`).
    """
    s[at] += 1.0
    if sma and s[at] <= n:
        s[at + 1] += x
        if s[at] < n:
            return np.nan
        s[at + 1] /= n
    elif s[at] == 1.0:
        s[at + 1] = x
    else:
        s[at + 1] = (x - s[at + 1]) * (2.0 / (n + 1.0)) + s[at + 1]
    return s[at + 1]


@njit(**options)
def _chained(code, x, p, s, o):
    """dema, tema and trix: averages of averages. p: code, n, seed (1: sma)."""
    n, sma = p[1], p[2] == 1.0
    one = ema(s, 0, x[0], n, sma)
    if one != one:
        return
    two = ema(s, 2, one, n, sma)
    if two != two:
        return
    if code == DEMA:
        o[0] = 2.0 * one - two
        return
    three = ema(s, 4, two, n, sma)
    if three != three:
        return
    if code == TEMA:
        o[0] = 3.0 * one - 3.0 * two + three
        return
    if s[6] > 0.0 and s[7] != 0.0:
        o[0] = (three / s[7] - 1.0) * 100.0
    s[6], s[7] = 1.0, three


@njit(**options)
def _macd(x, p, s, o):
    """ema(fast) − ema(slow), its ema(signal), and the difference; all seeded by their first value."""
    line = ema(s, 0, x[0], p[1], False) - ema(s, 2, x[0], p[2], False)
    signal = ema(s, 4, line, p[3], False)
    o[0], o[1], o[2] = line, signal, line - signal


@njit(**options)
def _kama(x, p, s, o):
    """Kaufman's average as TA-Lib has it; state: count, value, then the last n + 1 prices as a ring."""
    n = int(p[1])
    count = int(s[0])
    ring = s[2:]
    before = ring[(count - 1) % (n + 1)] if count > 0 else 0.0
    ring[count % (n + 1)] = x[0]
    s[0] += 1.0
    if count < n:
        return
    value = before if count == n else s[1]
    moved, path = x[0] - ring[(count - n) % (n + 1)], 0.0
    for i in range(count - n + 1, count + 1):
        path += abs(ring[i % (n + 1)] - ring[(i - 1) % (n + 1)])
    ratio = 1.0 if path <= moved or path == 0.0 else abs(moved / path)
    fast, slow = 2.0 / (p[2] + 1.0), 2.0 / (p[3] + 1.0)
    smooth = ratio * (fast - slow) + slow
    s[1] = (x[0] - value) * (smooth * smooth) + value
    o[0] = s[1]


@njit(**options)
def _wilder(x, n, s):
    """Wilder's average gain and loss; state: count, price, gain, loss. Returns whether they are seeded."""
    count = s[0]
    s[0] += 1.0
    change = x - s[1]
    s[1] = x
    if count == 0.0:
        return False
    gain, loss = max(change, 0.0), max(-change, 0.0)
    if count <= n:
        s[2] += gain
        s[3] += loss
        if count < n:
            return False
        s[2] /= n
        s[3] /= n
    else:
        s[2] = (s[2] * (n - 1.0) + gain) / n
        s[3] = (s[3] * (n - 1.0) + loss) / n
    return True


@njit(**options)
def _strength(s):
    """100 · gain / (gain + loss); 0 where nothing moved, as TA-Lib has it."""
    total = s[2] + s[3]
    return 0.0 if total == 0.0 else 100.0 * (s[2] / total)


@njit(**options)
def _stoch_rsi(x, p, s, o):
    """%K of the rsi in its last `fast` values and its mean over `slow`; p: code, n, fast, slow.

    State: those of the rsi, count, then the rings of rsi and %K.
    """
    fast, slow = int(p[2]), int(p[3])
    if not _wilder(x[0], p[1], s):
        return
    count = int(s[4])
    s[5 + count % fast] = _strength(s)
    s[4] += 1.0
    if count < fast - 1:
        return
    low, high, now = np.inf, -np.inf, s[5 + count % fast]
    for i in range(fast):
        low, high = min(low, s[5 + i]), max(high, s[5 + i])
    k = 0.0 if high == low else 100.0 * (now - low) / (high - low)
    seen = count - (fast - 1)
    s[5 + fast + seen % slow] = k
    if seen < slow - 1:
        return
    total = 0.0
    for i in range(seen - slow + 1, seen + 1):
        total += s[5 + fast + i % slow]
    o[0], o[1] = k, total / slow


@njit(**options)
def _cumulative(code, x, s, o):
    first = s[0] == 0.0
    s[0] = 1.0
    if code == CUMSUM:
        s[1], s[2] = dd.add(s[1], s[2], x[0], 0.0)
    elif code == CUMMAX:
        s[1] = x[0] if first else max(s[1], x[0])
    elif code == CUMMIN:
        s[1] = x[0] if first else min(s[1], x[0])
    elif code == CUMPROD:
        s[1] = x[0] if first else s[1] * x[0]
    elif first:  # obv: x is close, volume; state: seen, value, close
        s[1], s[2] = x[1], x[0]
    else:
        s[1] += x[1] if x[0] > s[2] else -x[1] if x[0] < s[2] else 0.0
        s[2] = x[0]
    o[0] = s[1]


@njit(**options)
def step(code, x, p, s, o):
    """One bar of the operator `code`; EMA, RSI and CMO are stepped by :mod:`qmtl.ops.scan_lanes`."""
    if code <= TRIX:
        _chained(code, x, p, s, o)
    elif code == MACD:
        _macd(x, p, s, o)
    elif code == KAMA:
        _kama(x, p, s, o)
    elif code == STOCH_RSI:
        _stoch_rsi(x, p, s, o)
    elif code == FFILL:
        if x[0] == x[0]:
            s[0], s[1] = 1.0, x[0]
        o[0] = s[1] if s[0] == 1.0 else np.nan
    else:
        _cumulative(code, x, s, o)
