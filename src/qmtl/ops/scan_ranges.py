"""Steps of operators that follow true ranges and directions. Inputs: high, low, close."""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.ops.scan_averages import ema

ATR, NATR, KELTNER, ADX, SUPERTREND, SAR = range(6)

options = {"cache": True, "error_model": "numpy", "nogil": True}


@njit(**options)
def _atr(x, n, s, at):
    """Wilder's average true range; state: count, close, average. NaN until n true ranges are known."""
    count, before = s[at], s[at + 1]
    s[at] += 1.0
    s[at + 1] = x[2]
    if count == 0.0:
        return np.nan
    true = max(x[0], before) - min(x[1], before)
    if count <= n:
        s[at + 2] += true
        if count < n:
            return np.nan
        s[at + 2] /= n
    else:
        s[at + 2] = (s[at + 2] * (n - 1.0) + true) / n
    return s[at + 2]


@njit(**options)
def _keltner(x, p, s, o):
    """ema(close) ± width · atr; p: code, n, atr n, width."""
    middle, away = ema(s, 3, x[2], p[1], False), _atr(x, p[2], s, 0)
    if away == away:
        o[0], o[1], o[2] = middle + p[3] * away, middle, middle - p[3] * away


@njit(**options)
def _directional(x, n, s):
    """Wilder's directional movement and true range sums as TA-Lib seeds them; whether they are known.

    State: count, high, low, close, plus, minus, true range.
    """
    count, high, low, close = s[0], s[1], s[2], s[3]
    s[0] += 1.0
    s[1], s[2], s[3] = x[0], x[1], x[2]
    if count == 0.0:
        return False
    up, down = x[0] - high, low - x[1]
    plus = up if up > 0.0 and up > down else 0.0
    minus = down if down > 0.0 and down > up else 0.0
    true = max(x[0], close) - min(x[1], close)
    if count < n:
        s[4] += plus
        s[5] += minus
        s[6] += true
        return False
    s[4] = s[4] - s[4] / n + plus
    s[5] = s[5] - s[5] / n + minus
    s[6] = s[6] - s[6] / n + true
    return True


@njit(**options)
def _adx(x, p, s, o):
    """adx, +di, −di; a bar without movement leaves the adx as it was. State after the sums: count, adx."""
    n = p[1]
    if not _directional(x, n, s):
        return
    plus = 0.0 if s[6] == 0.0 else 100.0 * (s[4] / s[6])
    minus = 0.0 if s[6] == 0.0 else 100.0 * (s[5] / s[6])
    total = plus + minus
    known = total != 0.0
    index = 100.0 * (abs(minus - plus) / total) if known else 0.0
    s[7] += 1.0
    if s[7] <= n:
        s[8] += index
        if s[7] < n:
            return
        s[8] /= n
    elif known:
        s[8] = (s[8] * (n - 1.0) + index) / n
    o[0], o[1], o[2] = s[8], plus, minus


@njit(**options)
def _supertrend(x, p, s, o):
    """Bands of width · atr around the middle that only tighten; p: code, n, width. 1 is up, −1 down.

    State after the atr: seen, upper, lower, direction, close.
    """
    away = _atr(x, p[1], s, 0)
    if away != away:
        s[7] = x[2]
        return
    middle = (x[0] + x[1]) / 2.0
    upper, lower = middle + p[2] * away, middle - p[2] * away
    if s[3] == 0.0:
        s[3], s[6] = 1.0, 1.0
    else:
        upper = upper if upper < s[4] or s[7] > s[4] else s[4]
        lower = lower if lower > s[5] or s[7] < s[5] else s[5]
        if s[6] == 1.0 and x[2] < lower:
            s[6] = -1.0
        elif s[6] == -1.0 and x[2] > upper:
            s[6] = 1.0
    s[4], s[5], s[7] = upper, lower, x[2]
    o[0], o[1] = (lower if s[6] == 1.0 else upper), s[6]


@njit(**options)
def _turn(long, s, x, p, o):
    """The stop was hit: the trend turns, the stop jumps to the extreme and starts anew."""
    stop = s[3]
    if long:
        stop = max(stop, s[1], x[0])
        o[0] = stop
        s[5], s[3], s[6] = p[1], x[1], -1.0
        stop = stop + s[5] * (s[3] - stop)
        s[4] = max(stop, s[1], x[0])
    else:
        stop = min(stop, s[2], x[1])
        o[0] = stop
        s[5], s[3], s[6] = p[1], x[0], 1.0
        stop = stop + s[5] * (s[3] - stop)
        s[4] = min(stop, s[2], x[1])


@njit(**options)
def _sar(x, p, s, o):
    """Parabolic stop and reverse as TA-Lib has it; p: code, acceleration, maximum.

    State: count, high, low, extreme, stop, acceleration, direction. Inputs: high, low.
    """
    count = s[0]
    s[0] += 1.0
    if count == 0.0:
        s[1], s[2] = x[0], x[1]
        return
    if count == 1.0:
        down, up = s[2] - x[1], x[0] - s[1]
        s[6] = -1.0 if down > 0.0 and down > up else 1.0
        s[5] = p[1]
        s[3], s[4] = (x[0], s[2]) if s[6] == 1.0 else (x[1], s[1])
        s[1], s[2] = x[0], x[1]
    if s[6] == 1.0 and x[1] <= s[4]:
        _turn(True, s, x, p, o)
    elif s[6] == -1.0 and x[0] >= s[4]:
        _turn(False, s, x, p, o)
    elif s[6] == 1.0:
        o[0] = s[4]
        if x[0] > s[3]:
            s[3], s[5] = x[0], min(s[5] + p[1], p[2])
        s[4] = min(s[4] + s[5] * (s[3] - s[4]), s[2], x[1])
    else:
        o[0] = s[4]
        if x[1] < s[3]:
            s[3], s[5] = x[1], min(s[5] + p[1], p[2])
        s[4] = max(s[4] + s[5] * (s[3] - s[4]), s[1], x[0])
    s[1], s[2] = x[0], x[1]


@njit(**options)
def step(code, x, p, s, o):
    """One bar of the operator `code`."""
    if code == KELTNER:
        _keltner(x, p, s, o)
    elif code == ADX:
        _adx(x, p, s, o)
    elif code == SUPERTREND:
        _supertrend(x, p, s, o)
    elif code == SAR:
        _sar(x, p, s, o)
    else:
        average = _atr(x, p[1], s, 0)
        if average == average:
            o[0] = average if code == ATR else np.nan if x[2] == 0.0 else average / x[2] * 100.0
