"""Agreement with TA-Lib, bar by bar, where it defines the same thing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qmtl.core.flow.kernel import KernelKind
from qmtl.ops.registry import bind

talib = pytest.importorskip("talib")

ROWS = 600
_chance = np.random.default_rng(3)
CLOSE = 100 + _chance.normal(0, 1, ROWS).cumsum()
HIGH, LOW = CLOSE + _chance.random(ROWS), CLOSE - _chance.random(ROWS)
VOLUME = _chance.random(ROWS) * 1000 + 1
DATA = {"x": CLOSE, "high": HIGH, "low": LOW, "close": CLOSE, "volume": VOLUME}


def evaluate(name: str, **params: object) -> np.ndarray:
    """Outputs (rows, outputs) of an operator over one lane; NaN in warm-up."""
    operator, _, kernel = bind(name, params)
    inputs, outputs = len(operator.inputs), len(operator.outputs)
    V = np.zeros((ROWS, inputs + outputs))
    for at, one in enumerate(operator.inputs):
        V[:, at] = DATA[one]
    M, N = np.ones((ROWS, 1), np.uint8), np.arange(1, ROWS + 1, dtype=np.int32).reshape(-1, 1)
    ins, out = np.arange(inputs), np.arange(outputs) + inputs
    p, bucket, state = np.array(kernel.args), np.arange(ROWS) * 60, np.zeros((kernel.state_words, 1))
    if kernel.kind is KernelKind.WINDOW:
        kernel.load()(
            V, M, N, bucket, 60, out, ins, p, np.zeros((max(kernel.memo_rows, 1), 1)), 0, ROWS, 0, 1
        )
    else:
        kernel.load()(V, M, bucket, out, state, ins, p, 0, ROWS, 0, 1)
    result = V[:, out]
    result[: kernel.rows - 1] = np.nan
    return result


HLC = (HIGH, LOW, CLOSE)
CASES: dict[str, tuple[Callable[[], object], dict[str, object]]] = {
    "sma": (lambda: talib.SMA(CLOSE, 20), {"n": 20}),
    "wma": (lambda: talib.WMA(CLOSE, 20), {"n": 20}),
    "ema": (lambda: talib.EMA(CLOSE, 20), {"n": 20, "seed": "sma"}),
    "dema": (lambda: talib.DEMA(CLOSE, 10), {"n": 10, "seed": "sma"}),
    "tema": (lambda: talib.TEMA(CLOSE, 10), {"n": 10, "seed": "sma"}),
    "trix": (lambda: talib.TRIX(CLOSE, 10), {"n": 10, "seed": "sma"}),
    "kama": (lambda: talib.KAMA(CLOSE, 10), {"n": 10}),
    "min": (lambda: talib.MIN(CLOSE, 14), {"n": 14}),
    "max": (lambda: talib.MAX(CLOSE, 14), {"n": 14}),
    "var": (lambda: talib.VAR(CLOSE, 20), {"n": 20}),
    "std": (lambda: talib.STDDEV(CLOSE, 20), {"n": 20}),
    "bollinger": (lambda: talib.BBANDS(CLOSE, 20, 2.0, 2.0), {"n": 20}),
    "true_range": (lambda: talib.TRANGE(*HLC), {}),
    "atr": (lambda: talib.ATR(*HLC, 14), {"n": 14}),
    "natr": (lambda: talib.NATR(*HLC, 14), {"n": 14}),
    "diff": (lambda: talib.MOM(CLOSE, 10), {"n": 10}),
    "roc": (lambda: talib.ROC(CLOSE, 10), {"n": 10}),
    "rsi": (lambda: talib.RSI(CLOSE, 14), {"n": 14}),
    "cmo": (lambda: talib.CMO(CLOSE, 14), {"n": 14}),
    "stochastic": (lambda: talib.STOCH(*HLC, 5, 3, 0, 3, 0), {}),
    "stochastic_rsi": (lambda: talib.STOCHRSI(CLOSE, 14, 5, 3, 0), {}),
    "williams_r": (lambda: talib.WILLR(*HLC, 14), {"n": 14}),
    "cci": (lambda: talib.CCI(*HLC, 14), {"n": 14}),
    "adx": (lambda: (talib.ADX(*HLC, 14), talib.PLUS_DI(*HLC, 14), talib.MINUS_DI(*HLC, 14)), {"n": 14}),
    "aroon": (lambda: talib.AROON(HIGH, LOW, 14)[::-1], {"n": 14}),
    "mfi": (lambda: talib.MFI(*HLC, VOLUME, 14), {"n": 14}),
    "obv": (lambda: talib.OBV(CLOSE, VOLUME), {}),
    "psar": (lambda: talib.SAR(HIGH, LOW), {}),
    "linreg": (lambda: talib.LINEARREG(CLOSE, 14), {"n": 14}),
    "linreg_slope": (lambda: talib.LINEARREG_SLOPE(CLOSE, 14), {"n": 14}),
    "linreg_intercept": (lambda: talib.LINEARREG_INTERCEPT(CLOSE, 14), {"n": 14}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_agrees_with_talib(name: str) -> None:
    theirs, params = CASES[name]
    wanted = theirs()
    columns = wanted if isinstance(wanted, tuple) else (wanted,)
    ours = evaluate(name, **params)
    for at, column in enumerate(columns):
        known = np.isfinite(ours[:, at])
        assert known.sum() > ROWS // 2
        np.testing.assert_allclose(ours[known, at], column[known], rtol=1e-9, atol=1e-9)
