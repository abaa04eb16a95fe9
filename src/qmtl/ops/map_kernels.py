"""Compiled elementwise operators: a row of lanes at a time; `p[0]` says which."""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit

ADD, SUB, MUL, DIV, POW, MOD, MINIMUM, MAXIMUM, AND, OR = range(10)
GT, GE, LT, LE, EQ, NE = range(6)
NEG, ABS, SIGN, LOG, EXP, SQRT, NOT = range(7)
SERIES, RIGHT, LEFT = range(3)  # p[1]: both operands are series, or p[2] stands on that side

options = {"cache": True, "error_model": "numpy", "nogil": True}
bare = options | {"_nrt": False}  # nothing is allocated


@njit(**bare)
def _apply(code, x, y, o):
    if code == ADD:
        for i in range(len(o)):
            o[i] = x[i] + y[i]
    elif code == SUB:
        for i in range(len(o)):
            o[i] = x[i] - y[i]
    elif code == MUL:
        for i in range(len(o)):
            o[i] = x[i] * y[i]
    elif code == DIV:
        for i in range(len(o)):
            o[i] = x[i] / y[i]
    else:
        for i in range(len(o)):
            o[i] = _binary(code, x[i], y[i])


@njit(**bare)
def _of_series(V, out, ins, code, r0, r1, a, b):
    for r in range(r0, r1):
        x, y = V[r, ins[0] + a : ins[0] + b], V[r, ins[1] + a : ins[1] + b]
        _apply(code, x, y, V[r, out[0] + a : out[0] + b])


@njit(**options)
def arithmetic(V, M, out, ins, p, r0, r1, a, b):
    """IEEE arithmetic; `mod` has the sign of the divisor, as in Python; NaN stays NaN."""
    if p[1] == SERIES:
        _of_series(V, out, ins, int(p[0]), r0, r1, a, b)
        return
    constant = np.full(b - a, p[2])
    for r in range(r0, r1):
        x, o = V[r, ins[0] + a : ins[0] + b], V[r, out[0] + a : out[0] + b]
        _apply(int(p[0]), x if p[1] == RIGHT else constant, constant if p[1] == RIGHT else x, o)


@njit(**options)
def _binary(code, u, v):
    if u != u or v != v:
        return np.nan
    if code == POW:
        return u**v
    if code == MOD:
        return np.nan if v == 0.0 else u - np.floor(u / v) * v
    if code == MINIMUM:
        return min(u, v)
    if code == MAXIMUM:
        return max(u, v)
    if code == AND:
        return 1.0 if u != 0.0 and v != 0.0 else 0.0
    return 1.0 if u != 0.0 or v != 0.0 else 0.0


@njit(**options)
def comparison(V, M, out, ins, p, r0, r1, a, b):
    """1.0 or 0.0; NaN where an operand is NaN."""
    code, constant = int(p[0]), np.full(b - a, p[2])
    for r in range(r0, r1):
        o, x = V[r, out[0] + a : out[0] + b], V[r, ins[0] + a : ins[0] + b]
        y = V[r, ins[1] + a : ins[1] + b] if p[1] == SERIES else constant
        x, y = (y, x) if p[1] == LEFT else (x, y)
        for i in range(b - a):
            u, v = x[i], y[i]
            if u != u or v != v:
                o[i] = np.nan
                continue
            if code == GT:
                holds = u > v
            elif code == GE:
                holds = u >= v
            elif code == LT:
                holds = u < v
            elif code == LE:
                holds = u <= v
            elif code == EQ:
                holds = u == v
            else:
                holds = u != v
            o[i] = 1.0 if holds else 0.0


@njit(**options)
def unary(V, M, out, ins, p, r0, r1, a, b):
    """One operand; log and sqrt of what is outside their domain are NaN."""
    code = int(p[0])
    for r in range(r0, r1):
        for lane in range(a, b):
            x = V[r, ins[0] + lane]
            if code == NEG:
                y = -x
            elif code == ABS:
                y = abs(x)
            elif code == SIGN:
                y = np.nan if x != x else 1.0 if x > 0.0 else -1.0 if x < 0.0 else 0.0
            elif code == LOG:
                y = np.log(x) if x > 0.0 else np.nan
            elif code == EXP:
                y = np.exp(x)
            elif code == SQRT:
                y = np.sqrt(x) if x >= 0.0 else np.nan
            else:
                y = np.nan if x != x else 1.0 if x == 0.0 else 0.0
            V[r, out[0] + lane] = y


@njit(**options)
def where3(V, M, out, ins, p, r0, r1, a, b):
    """The second input where the first is not 0, else the third; a NaN condition gives NaN."""
    for r in range(r0, r1):
        for lane in range(a, b):
            c = V[r, ins[0] + lane]
            if c != c:
                V[r, out[0] + lane] = np.nan
            elif c != 0.0:
                V[r, out[0] + lane] = V[r, ins[1] + lane]
            else:
                V[r, out[0] + lane] = V[r, ins[2] + lane]


@njit(**options)
def where_constant(V, M, out, ins, p, r0, r1, a, b):
    """As `where3`; p[0] says which sides are the constants p[1] and p[2]: 1 the first, 2 the second, 3 both."""
    sides = int(p[0])
    for r in range(r0, r1):
        for lane in range(a, b):
            c = V[r, ins[0] + lane]
            if c != c:
                V[r, out[0] + lane] = np.nan
            elif c != 0.0:
                V[r, out[0] + lane] = p[1] if sides != 2 else V[r, ins[1] + lane]
            else:
                V[r, out[0] + lane] = p[2] if sides != 1 else V[r, ins[1] + lane]


@njit(**options)
def where2(V, M, out, ins, p, r0, r1, a, b):
    """The second input where the first is not 0, else no value; a NaN condition gives NaN."""
    for r in range(r0, r1):
        for lane in range(a, b):
            c = V[r, ins[0] + lane]
            V[r, out[0] + lane] = np.nan if c != c else V[r, ins[1] + lane]
            if c == 0.0:
                M[r, lane] = 0


@njit(**options)
def clip(V, M, out, ins, p, r0, r1, a, b):
    """Within [p[0], p[1]]; NaN stays NaN."""
    for r in range(r0, r1):
        for lane in range(a, b):
            x = V[r, ins[0] + lane]
            V[r, out[0] + lane] = p[0] if x < p[0] else p[1] if x > p[1] else x


@njit(**options)
def fill(V, M, out, ins, p, r0, r1, a, b):
    """p[0] where the input is NaN."""
    for r in range(r0, r1):
        for lane in range(a, b):
            x = V[r, ins[0] + lane]
            V[r, out[0] + lane] = p[0] if x != x else x


@njit(**options)
def first(V, M, out, ins, p, r0, r1, a, b):
    """The first input, at the rows where all inputs are there."""
    for r in range(r0, r1):
        for lane in range(a, b):
            V[r, out[0] + lane] = V[r, ins[0] + lane]
