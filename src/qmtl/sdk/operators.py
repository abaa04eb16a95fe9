"""Operators as methods, written by `tools/sdk_operators.py` from the registry. Do not edit."""

from __future__ import annotations

from typing import Literal, TypeVar, cast

from qmtl.sdk.apply import apply
from qmtl.sdk.arithmetic import Arithmetic
from qmtl.sdk.choosing import maximum, minimum, where
from qmtl.sdk.operand import Operand
from qmtl.sdk.shaping import Shaping

__all__ = ["SeriesOperators", "StreamOperators", "maximum", "minimum", "where"]

One = TypeVar("One")
Many = TypeVar("Many")


class SeriesOperators(Arithmetic[One, Many]):
    """Operators of one column; `One` is what a single output is, `Many` what several are."""

    __slots__ = ()

    def argmax(self, n: int) -> One:
        """Rows since the greatest of the last n; of equals the latest. (n − 1 − MAXINDEX of TA-Lib)"""
        return cast(One, apply("argmax", (self,), {"n": n}))

    def argmin(self, n: int) -> One:
        """Rows since the least of the last n; of equals the latest. (n − 1 − MININDEX of TA-Lib)"""
        return cast(One, apply("argmin", (self,), {"n": n}))

    def beta(self, y: Operand[One, Many], n: int) -> One:
        """cov(x, y)/var(y) over n rows; NaN where y is constant. (least squares of x on y)"""
        return cast(One, apply("beta", (self, y), {"n": n}))

    def bollinger(self, n: int, width: float = 2.0) -> Many:
        """Mean ± width · standard deviation. Columns: upper, middle, lower. (TA-Lib)"""
        return cast(Many, apply("bollinger", (self,), {"n": n, "width": width}))

    def clip(self, low: float, high: float) -> One:
        """Limited to [low, high]."""
        return cast(One, apply("clip", (self,), {"low": low, "high": high}))

    def cmo(self, n: int) -> One:
        """100 · (gain − loss)/(gain + loss) of Wilder's averages; 0 where nothing moved. (TA-Lib)"""
        return cast(One, apply("cmo", (self,), {"n": n}))

    def corr(self, y: Operand[One, Many], n: int) -> One:
        """Pearson's correlation over n rows; NaN where either is constant. (TA-Lib)"""
        return cast(One, apply("corr", (self, y), {"n": n}))

    def cov(self, y: Operand[One, Many], n: int, ddof: int = 0) -> One:
        """Covariance over n rows. (numpy.cov)"""
        return cast(One, apply("cov", (self, y), {"n": n, "ddof": ddof}))

    def crossover(self, y: Operand[One, Many]) -> One:
        """1 where x has just risen above y, else 0."""
        return cast(One, apply("crossover", (self, y), {}))

    def crossunder(self, y: Operand[One, Many]) -> One:
        """1 where x has just fallen below y, else 0."""
        return cast(One, apply("crossunder", (self, y), {}))

    def cummax(self) -> One:
        """Greatest so far. (numpy)"""
        return cast(One, apply("cummax", (self,), {}))

    def cummin(self) -> One:
        """Least so far. (numpy)"""
        return cast(One, apply("cummin", (self,), {}))

    def cumprod(self) -> One:
        """Product so far. (numpy)"""
        return cast(One, apply("cumprod", (self,), {}))

    def cumsum(self) -> One:
        """Sum so far, in double-double. (numpy)"""
        return cast(One, apply("cumsum", (self,), {}))

    def dema(self, n: int, seed: Literal["first", "sma"] = "first") -> One:
        """2·ema − ema(ema). (TA-Lib)"""
        return cast(One, apply("dema", (self,), {"n": n, "seed": seed}))

    def diff(self, n: int) -> One:
        """x − x of n rows ago. (MOM of TA-Lib)"""
        return cast(One, apply("diff", (self,), {"n": n}))

    def ema(self, n: int, seed: Literal["first", "sma"] = "first") -> One:
        """Exponential average with α = 2/(n+1). (TA-Lib)"""
        return cast(One, apply("ema", (self,), {"n": n, "seed": seed}))

    def exp(self) -> One:
        """e to the power x. (IEEE 754-2019)"""
        return cast(One, apply("exp", (self,), {}))

    def ffill(self) -> One:
        """The latest value that was not NaN. (numpy)"""
        return cast(One, apply("ffill", (self,), {}))

    def fillna(self, value: float) -> One:
        """The constant `value` where x is NaN."""
        return cast(One, apply("fillna", (self,), {"value": value}))

    def hma(self, n: int) -> One:
        """wma(2·wma(n/2) − wma(n), √n), halves and roots rounded down. (A. Hull, Hull Moving Average
        (2005))
        """
        return cast(One, apply("hma", (self,), {"n": n}))

    def kama(self, n: int, fast: int = 2, slow: int = 30) -> One:
        """Kaufman's adaptive average. (TA-Lib)"""
        return cast(One, apply("kama", (self,), {"n": n, "fast": fast, "slow": slow}))

    def kurt(self, n: int, bias: int = 0) -> One:
        """Excess kurtosis of the last n rows; of a constant window 0. (pandas)"""
        return cast(One, apply("kurt", (self,), {"n": n, "bias": bias}))

    def lag(self, n: int) -> One:
        """x of n rows ago."""
        return cast(One, apply("lag", (self,), {"n": n}))

    def linreg(self, n: int) -> One:
        """End of the least-squares line through the last n rows. (TA-Lib)"""
        return cast(One, apply("linreg", (self,), {"n": n}))

    def linreg_intercept(self, n: int) -> One:
        """The least-squares line at the oldest row. (TA-Lib)"""
        return cast(One, apply("linreg_intercept", (self,), {"n": n}))

    def linreg_r2(self, n: int) -> One:
        """Share of the variance the line explains; of a constant window 0."""
        return cast(One, apply("linreg_r2", (self,), {"n": n}))

    def linreg_slope(self, n: int) -> One:
        """Slope per row of the least-squares line. (TA-Lib)"""
        return cast(One, apply("linreg_slope", (self,), {"n": n}))

    def log(self) -> One:
        """Natural logarithm; NaN for x ≤ 0. (IEEE 754-2019)"""
        return cast(One, apply("log", (self,), {}))

    def log_returns(self, n: int) -> One:
        """ln(x / x of n rows ago); NaN where either is not positive."""
        return cast(One, apply("log_returns", (self,), {"n": n}))

    def macd(self, fast: int = 12, slow: int = 26, signal: int = 9) -> Many:
        """ema(fast) − ema(slow), its ema(signal), and the difference; averages seeded by their first
        value. Columns: macd, signal, hist. (TA-Lib)
        """
        return cast(Many, apply("macd", (self,), {"fast": fast, "slow": slow, "signal": signal}))

    def mad(self, n: int) -> One:
        """Mean absolute deviation from the mean of the last n rows. (AVGDEV of TA-Lib)"""
        return cast(One, apply("mad", (self,), {"n": n}))

    def max(self, n: int) -> One:
        """Greatest of the last n rows. (TA-Lib)"""
        return cast(One, apply("max", (self,), {"n": n}))

    def median(self, n: int) -> One:
        """Median of the last n rows. (Hyndman and Fan (1996), type 7)"""
        return cast(One, apply("median", (self,), {"n": n}))

    def min(self, n: int) -> One:
        """Least of the last n rows. (TA-Lib)"""
        return cast(One, apply("min", (self,), {"n": n}))

    def quantile(self, n: int, q: float) -> One:
        """Quantile q of the last n rows, interpolated linearly. (Hyndman and Fan (1996), type 7)"""
        return cast(One, apply("quantile", (self,), {"n": n, "q": q}))

    def rank(self, n: int) -> One:
        """(average rank − 1)/(n − 1) of the newest among the last n; 0.5 for n = 1."""
        return cast(One, apply("rank", (self,), {"n": n}))

    def ratio(self, y: Operand[One, Many]) -> One:
        """x / y."""
        return cast(One, apply("ratio", (self, y), {}))

    def returns(self, n: int) -> One:
        """x / x of n rows ago − 1; NaN where that was 0. (ROCP of TA-Lib)"""
        return cast(One, apply("returns", (self,), {"n": n}))

    def roc(self, n: int) -> One:
        """100 · returns. (TA-Lib)"""
        return cast(One, apply("roc", (self,), {"n": n}))

    def rsi(self, n: int) -> One:
        """Wilder's relative strength, 0 to 100; 0 where nothing moved. (TA-Lib)"""
        return cast(One, apply("rsi", (self,), {"n": n}))

    def sign(self) -> One:
        """1, 0 or −1 as x is positive, zero or negative. (IEEE 754-2019)"""
        return cast(One, apply("sign", (self,), {}))

    def skew(self, n: int, bias: int = 0) -> One:
        """Skewness of the last n rows; of a constant window 0. (pandas)"""
        return cast(One, apply("skew", (self,), {"n": n, "bias": bias}))

    def sma(self, n: int) -> One:
        """Mean of the last n rows. (TA-Lib)"""
        return cast(One, apply("sma", (self,), {"n": n}))

    def spread(self, y: Operand[One, Many]) -> One:
        """x − y."""
        return cast(One, apply("spread", (self, y), {}))

    def sqrt(self) -> One:
        """Square root; NaN for x < 0. (IEEE 754-2019)"""
        return cast(One, apply("sqrt", (self,), {}))

    def std(self, n: int, ddof: int = 0) -> One:
        """Standard deviation of the last n rows. (TA-Lib)"""
        return cast(One, apply("std", (self,), {"n": n, "ddof": ddof}))

    def stochastic_rsi(self, n: int = 14, fast: int = 5, slow: int = 3) -> Many:
        """Place of the rsi among its last `fast` values, and its mean over `slow`. Columns: k, d. (TA-Lib)"""
        return cast(Many, apply("stochastic_rsi", (self,), {"n": n, "fast": fast, "slow": slow}))

    def sum(self, n: int) -> One:
        """Sum of the last n rows. (TA-Lib)"""
        return cast(One, apply("sum", (self,), {"n": n}))

    def tema(self, n: int, seed: Literal["first", "sma"] = "first") -> One:
        """3·ema − 3·ema(ema) + ema(ema(ema)). (TA-Lib)"""
        return cast(One, apply("tema", (self,), {"n": n, "seed": seed}))

    def trix(self, n: int, seed: Literal["first", "sma"] = "first") -> One:
        """Change in percent of the triple ema. (TA-Lib)"""
        return cast(One, apply("trix", (self,), {"n": n, "seed": seed}))

    def var(self, n: int, ddof: int = 0) -> One:
        """Variance of the last n rows. (TA-Lib)"""
        return cast(One, apply("var", (self,), {"n": n, "ddof": ddof}))

    def wma(self, n: int) -> One:
        """Mean with weights 1 … n, the newest heaviest. (TA-Lib)"""
        return cast(One, apply("wma", (self,), {"n": n}))

    def zscore(self, n: int, ddof: int = 0) -> One:
        """(x − mean)/standard deviation of the last n rows; of a constant window 0. (population deviation
        by default)
        """
        return cast(One, apply("zscore", (self,), {"n": n, "ddof": ddof}))


class StreamOperators(Shaping[One, Many]):
    """Operators that read columns of one stream by name."""

    __slots__ = ()

    def adx(self, n: int) -> Many:
        """Wilder's directional index and +di, −di. Columns: adx, plus_di, minus_di. Reads high, low,
        close. (TA-Lib)
        """
        return cast(Many, apply("adx", (self,), {"n": n}))

    def aroon(self, n: int) -> Many:
        """How recent the highest high and lowest low of n + 1 rows are, 0 to 100. Columns: up, down. Reads
        high, low. (TA-Lib)
        """
        return cast(Many, apply("aroon", (self,), {"n": n}))

    def atr(self, n: int) -> One:
        """Wilder's average of the true range. Reads high, low, close. (TA-Lib)"""
        return cast(One, apply("atr", (self,), {"n": n}))

    def cci(self, n: int) -> One:
        """Distance of the typical price from its mean in units of 0.015 mean deviations. Reads high, low,
        close. (TA-Lib)
        """
        return cast(One, apply("cci", (self,), {"n": n}))

    def donchian(self, n: int) -> Many:
        """Highest high, middle and lowest low of the last n rows. Columns: upper, middle, lower. Reads
        high, low. (R. Donchian)
        """
        return cast(Many, apply("donchian", (self,), {"n": n}))

    def ichimoku(self, conversion: int = 9, base: int = 26, span: int = 52, displacement: int = 26) -> Many:
        """Conversion, base, and the two spans computed `displacement` rows before. Columns: conversion,
        base, span_a, span_b. Reads high, low. (G. Hosoda)
        """
        params = {"conversion": conversion, "base": base, "span": span, "displacement": displacement}
        return cast(Many, apply("ichimoku", (self,), params))

    def keltner(self, n: int = 20, atr_n: int = 10, width: float = 2.0) -> Many:
        """ema(n) of the close ± width · atr(atr_n). Columns: upper, middle, lower. Reads high, low, close.
        (L. Raschke's form of C. Keltner's bands)
        """
        return cast(Many, apply("keltner", (self,), {"n": n, "atr_n": atr_n, "width": width}))

    def mfi(self, n: int) -> One:
        """Money flow index over n changes; 0 where less than 1 flowed. Reads high, low, close, volume.
        (TA-Lib)
        """
        return cast(One, apply("mfi", (self,), {"n": n}))

    def natr(self, n: int) -> One:
        """atr as a percentage of the close. Reads high, low, close. (TA-Lib)"""
        return cast(One, apply("natr", (self,), {"n": n}))

    def obv(self) -> One:
        """On-balance volume. Reads close, volume. (TA-Lib)"""
        return cast(One, apply("obv", (self,), {}))

    def psar(self, acceleration: float = 0.02, maximum: float = 0.2) -> One:
        """Wilder's parabolic stop and reverse. Reads high, low. (TA-Lib)"""
        return cast(One, apply("psar", (self,), {"acceleration": acceleration, "maximum": maximum}))

    def stochastic(self, fast: int = 5, slow: int = 3, signal: int = 3) -> Many:
        """Place of the close in the range of `fast` rows, averaged over `slow`, and its mean over
        `signal`. Columns: k, d. Reads high, low, close. (TA-Lib)
        """
        return cast(Many, apply("stochastic", (self,), {"fast": fast, "slow": slow, "signal": signal}))

    def supertrend(self, n: int = 10, width: float = 3.0) -> Many:
        """A stop of width · atr that only tightens, and the trend (1 up, −1 down). Columns: line, trend.
        Reads high, low, close. (O. Seban)
        """
        return cast(Many, apply("supertrend", (self,), {"n": n, "width": width}))

    def true_range(self) -> One:
        """Greatest of high − low and the distances to the close before. Reads high, low, close. (TA-Lib)"""
        return cast(One, apply("true_range", (self,), {}))

    def vwap(self, n: int) -> One:
        """Σ typical price · volume / Σ volume over n rows; NaN where no volume was traded. Reads high,
        low, close, volume. (typical price (high + low + close)/3)
        """
        return cast(One, apply("vwap", (self,), {"n": n}))

    def williams_r(self, n: int) -> One:
        """−100 · (highest − close)/(highest − lowest) of n rows; 0 where they are equal. Reads high, low,
        close. (TA-Lib)
        """
        return cast(One, apply("williams_r", (self,), {"n": n}))
