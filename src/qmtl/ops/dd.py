"""Double-double arithmetic: a value as an unevaluated sum of two floats, 106 bits.

Source: T. J. Dekker, "A floating-point technique for extending the available precision", Numer. Math. 18 (1971);
D. E. Knuth, The Art of Computer Programming 2, 4.2.2. A value that is not finite becomes NaN in the low part.
"""

from __future__ import annotations

from fractions import Fraction
from math import isfinite, nan
from typing import Any

import numba
from numba import types
from numba.extending import intrinsic

from qmtl.core.compiled import njit

options = {
    "cache": True,
    "error_model": "numpy",
    "nogil": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


@njit(**options)
def two_sum(a, b):
    """a + b exactly, as (sum, error)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


@intrinsic
def _fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a · b + c, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), generate


@njit(**options)
def two_prod(a, b):
    """a · b exactly, as (product, error)."""
    p = a * b
    return p, _fma(a, b, -p)


@njit(**options)
def add(ah, al, bh, bl):
    """Sum of two double-doubles (accurate form)."""
    s, e = two_sum(ah, bh)
    t, f = two_sum(al, bl)
    e += t
    h = s + e
    e = e - (h - s)
    e += f
    s = h + e
    return s, e - (s - h)


@njit(**options)
def mul(ah, al, bh, bl):
    """Product of two double-doubles."""
    p, e = two_prod(ah, bh)
    e += ah * bl + al * bh
    s = p + e
    return s, e - (s - p)


@njit(**options)
def div(ah, al, b):
    """A double-double divided by a float."""
    q = ah / b
    p, e = two_prod(q, b)
    r = ((ah - p) - e + al) / b
    s = q + r
    return s, r - (s - q)


@njit(**options)
def ratio(ah, al, bh, bl):
    """The quotient of two double-doubles, rounded to a float."""
    q = ah / bh
    ph, pl = mul(q, 0.0, bh, bl)
    rh, _ = add(ah, al, -ph, -pl)
    return q + rh / bh


if numba.config.DISABLE_JIT:

    def two_prod(a: float, b: float) -> tuple[float, float]:
        p = a * b
        return p, float(Fraction(a) * Fraction(b) - Fraction(p)) if isfinite(p) else nan
