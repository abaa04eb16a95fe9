"""Compiled: the engine's arrays, by what the tables of :mod:`qmtl.core.flow.layout` say of them."""

from __future__ import annotations

from qmtl.core.compiled import njit
from qmtl.core.flow import layout as at
from qmtl.core.flow.address_kernels import array, f64_2, i32_2, i64_2, u8_2
from qmtl.core.flow.timeline import COPY


@njit(**array)
def groups_of(head):
    return i64_2(head[at.H_GROUPS], head[at.H_GROUP_COUNT], at.G_FIELDS)


@njit(**array)
def edges_of(head):
    return i64_2(head[at.H_EDGES], head[at.H_EDGE_COUNT], at.E_FIELDS)


@njit(**array)
def timelines_of(head):
    return i64_2(head[at.H_TIMELINES], head[at.H_TIMELINE_COUNT], at.T_FIELDS)


@njit(**array)
def values_of(t):
    return f64_2(t[at.T_V], t[at.T_CAPACITY], t[at.T_WIDTH])


@njit(**array)
def status_of(g, t):
    return u8_2(g[at.G_S], t[at.T_CAPACITY], g[at.G_LANES])


@njit(**array)
def rows_of(g, t):
    return u8_2(g[at.G_M], t[at.T_CAPACITY], g[at.G_WIDTH])


@njit(**array)
def counts_of(g, t):
    return i32_2(g[at.G_N], t[at.T_CAPACITY], g[at.G_LANES])


@njit(**array)
def state_of(g):
    """State words of a scan by lane, as of the last row computed."""
    return f64_2(g[at.G_STATE], g[at.G_STATES], g[at.G_LANES])


@njit(**array)
def copies_of(g, t):
    """Copies of the state before every `COPY`-th row: row, then words by lanes."""
    return f64_2(g[at.G_COPIES], t[at.T_CAPACITY] // COPY, g[at.G_STATES] * g[at.G_LANES])


@njit(**array)
def clocks_of(head):
    """One column per clock, then one per tick stream; a row per field, as of all tables that change with each bar."""
    return i64_2(head[at.H_CLOCKS], at.C_FIELDS, head[at.H_CLOCK_COUNT] + head[at.H_TICK_COUNT])


@njit(**array)
def sources_of(head):
    return i64_2(head[at.H_SOURCES], at.S_FIELDS, head[at.H_SOURCE_COUNT])


@njit(**array)
def entries_of(head):
    return i64_2(head[at.H_ENTRIES], at.N_FIELDS, head[at.H_ENTRY_COUNT])
