"""Operators as methods, written by `tools/sdk_operators.py` from the registry. Do not edit."""

from __future__ import annotations

from typing import Literal, TypeVar, cast

from qmtl.sdk.apply import apply
from qmtl.sdk.arithmetic import Arithmetic
from qmtl.sdk.choosing import maximum as maximum
from qmtl.sdk.choosing import minimum as minimum
from qmtl.sdk.choosing import where as where
from qmtl.sdk.operand import Operand
from qmtl.sdk.shaping import Shaping

One = TypeVar("One")
Many = TypeVar("Many")


class SeriesOperators(Arithmetic[One, Many]):
    """Operators of one column; `One` is what a single output is, `Many` what several are."""

    __slots__ = ()

    def clip(self, low: float, high: float) -> One:
        """Clip doc. (src)"""
        return cast(One, apply("clip", (self,), {"low": low, "high": high}))

    def corr(self, y: Operand[One, Many], n: int) -> One:
        """Corr doc. (src)"""
        return cast(One, apply("corr", (self, y), {"n": n}))

    def ema(self, n: int, seed: Literal["first", "sma"] = "first") -> One:
        """Ema doc. (src)"""
        return cast(One, apply("ema", (self,), {"n": n, "seed": seed}))

    def exp(self) -> One:
        """E to the power x. (IEEE 754-2019)"""
        return cast(One, apply("exp", (self,), {}))

    def log(self) -> One:
        """Natural logarithm; NaN for x ≤ 0. (IEEE 754-2019)"""
        return cast(One, apply("log", (self,), {}))

    def macd(self, fast: int = 12, slow: int = 26, signal: int = 9) -> Many:
        """Macd doc. Columns: macd, signal, hist. (src)"""
        return cast(Many, apply("macd", (self,), {"fast": fast, "slow": slow, "signal": signal}))

    def returns(self, n: int) -> One:
        """Returns doc. (src)"""
        return cast(One, apply("returns", (self,), {"n": n}))

    def sign(self) -> One:
        """1, 0 or −1 as x is positive, zero or negative. (IEEE 754-2019)"""
        return cast(One, apply("sign", (self,), {}))

    def sma(self, n: int) -> One:
        """Sma doc. (src)"""
        return cast(One, apply("sma", (self,), {"n": n}))

    def sqrt(self) -> One:
        """Square root; NaN for x < 0. (IEEE 754-2019)"""
        return cast(One, apply("sqrt", (self,), {}))

    def zscore(self, n: int) -> One:
        """Zscore doc. (src)"""
        return cast(One, apply("zscore", (self,), {"n": n}))


class StreamOperators(Shaping[One, Many]):
    """Operators that read columns of one stream by name."""

    __slots__ = ()

    def atr(self, n: int) -> One:
        """Atr doc. Reads high, low, close. (src)"""
        return cast(One, apply("atr", (self,), {"n": n}))
