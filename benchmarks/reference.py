"""What every form must answer on workload W: computed slowly and plainly in extended precision.

Windows and averages count the bars that are there: a missing bar leaves its symbol's column and is NaN in the answer.
The mean over symbols at a bar is that of the symbols which have a zscore there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from workload import Workload

OUTPUTS = ("sma20", "ema12", "ema26", "macd", "rsi14", "zscore60", "mean_zscore60")
WARM = {  # how many bars of a symbol go before the first one that is compared
    "sma20": 19,
    "ema12": 11,
    "ema26": 25,
    "macd": 25,
    "rsi14": 14,
    "zscore60": 59,
}
TOLERANCE = 1e-6  # of max(1, |answer|); sums of squares lose digits, and each form's error is reported


class WrongOutputError(AssertionError):
    """A form's outputs are not those of the workload."""


def reference(of: Workload) -> dict[str, np.ndarray]:
    if of.present.all():
        answer = _columns(of.close.astype(np.longdouble))
    else:
        answer = {name: np.full(of.close.shape, np.nan) for name in WARM}
        for symbol in range(of.symbols):
            there = of.present[:, symbol]
            close = of.close[there, symbol].astype(np.longdouble)[:, None]
            for name, column in _columns(close).items():
                answer[name][there, symbol] = column[:, 0]
    zscore = answer["zscore60"]
    known = ~np.isnan(zscore)
    total = np.where(known, zscore, 0.0).sum(axis=1, dtype=np.longdouble)
    with np.errstate(invalid="ignore"):
        answer["mean_zscore60"] = (total / known.sum(axis=1)).astype(float)
    return answer


def _columns(x: np.ndarray) -> dict[str, np.ndarray]:
    """Every output per symbol from x (bars, symbols), all of them present."""
    fast, slow = _ema(x, 12), _ema(x, 26)
    exact = {
        "sma20": _mean(x, 20),
        "ema12": fast,
        "ema26": slow,
        "macd": fast - slow,
        "rsi14": _rsi(x, 14),
        "zscore60": _zscore(x, 60),
    }
    return {name: values.astype(float) for name, values in exact.items()}


def _mean(x: np.ndarray, n: int) -> np.ndarray:
    answer = np.full_like(x, np.nan)
    if len(x) >= n:
        answer[n - 1 :] = sum(x[k : len(x) - n + 1 + k] for k in range(n)) / n
    return answer


def _ema(x: np.ndarray, n: int) -> np.ndarray:
    """Seeded by the first value."""
    answer = x.copy()
    alpha = np.longdouble(2) / (n + 1)
    for row in range(1, len(x)):
        answer[row] = answer[row - 1] + alpha * (x[row] - answer[row - 1])
    return answer


def _rsi(x: np.ndarray, n: int) -> np.ndarray:
    """Wilder's: averages of gain and loss seeded by the means of the first n changes, then smoothed by 1/n."""
    answer = np.full_like(x, np.nan)
    change = np.diff(x, axis=0)
    if len(change) < n:
        return answer
    gain, loss = np.maximum(change, 0), np.maximum(-change, 0)
    average_gain, average_loss = gain[:n].sum(axis=0) / n, loss[:n].sum(axis=0) / n
    for row in range(n, len(x)):
        if row > n:
            average_gain = (average_gain * (n - 1) + gain[row - 1]) / n
            average_loss = (average_loss * (n - 1) + loss[row - 1]) / n
        answer[row] = 100 * average_gain / (average_gain + average_loss)
    return answer


def _zscore(x: np.ndarray, n: int) -> np.ndarray:
    """(x − mean) / population standard deviation of the last n."""
    answer = np.full_like(x, np.nan)
    if len(x) < n:
        return answer
    mean = _mean(x, n)[n - 1 :]
    variance = sum((x[k : len(x) - n + 1 + k] - mean) ** 2 for k in range(n)) / n
    answer[n - 1 :] = (x[n - 1 :] - mean) / np.sqrt(variance)
    return answer


def compared(of: Workload) -> dict[str, np.ndarray]:
    """Where each output is compared: at bars that are there, after their symbol's warm-up."""
    count = of.present.cumsum(axis=0)
    where = {name: of.present & (count > warm) for name, warm in WARM.items()}
    where["mean_zscore60"] = (count > WARM["zscore60"]).all(axis=1) & of.present.any(axis=1)
    return where


def check(
    of: Workload,
    outputs: Mapping[str, np.ndarray],
    expected: Mapping[str, np.ndarray],
    where: Mapping[str, np.ndarray],
) -> dict[str, float]:
    """The largest error of each output, of max(1, |answer|); raises where one is wrong or missing."""
    errors = {}
    for name in OUTPUTS:
        if name not in outputs:
            raise WrongOutputError(f"{name}: there is no such output")
        given, right = np.asarray(outputs[name], float), expected[name]
        if given.shape != right.shape:
            raise WrongOutputError(f"{name}: shape {given.shape}, expected {right.shape}")
        error = np.abs(given - right) / np.maximum(1.0, np.abs(right))
        error = np.where(where[name], error, 0.0)
        worst = np.unravel_index(np.argmax(np.where(np.isnan(error), np.inf, error)), error.shape)
        errors[name] = float(error[worst])
        if not errors[name] <= TOLERANCE:
            at = ", ".join(str(each) for each in worst)
            raise WrongOutputError(f"{name}[{at}] is {given[worst]!r}, expected {right[worst]!r} ({of.name})")
    return errors
