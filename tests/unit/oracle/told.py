"""Small cases for the oracle, and what it makes of them in short: one tuple for each emission."""

from __future__ import annotations

from typing import Any

from qmtl.testing.oracle import run

Plain = dict[str, Any]


def ticks(name: str = "t", **settings: Any) -> Plain:
    """A tick stream with origin 0, identified by event time."""
    return {"name": name, "interval": None, "origin": 0, "identity": "event_ts"} | settings


def bars(name: str = "a", interval: int = 60, **settings: Any) -> Plain:
    """A bar stream with origin 0."""
    return {"name": name, "interval": interval, "origin": 0} | settings


def reads(of: str, *, rows: int | None = None, time: int | None = None, **settings: Any) -> Plain:
    """An input; by default one row."""
    window = {"time": time} if time is not None else {"rows": rows or 1}
    return {"name": of, "of": of, "window": window} | settings


def node(name: str, *inputs: Plain, interval: int = 60, function: str = "total", **settings: Any) -> Plain:
    return {"name": name, "interval": interval, "function": function, "inputs": list(inputs)} | settings


def event(source: str, ts: int, value: float | None, **more: Any) -> Plain:
    return {"source": source, "event_ts": ts, "value": value} | more


def tick(now: int) -> Plain:
    return {"tick": now}


def finished(source: str) -> Plain:
    return {"finished": source}


def judged(sources: list[Plain], nodes: list[Plain], arrivals: list[Plain], end: int | None = None) -> Plain:
    """The whole result of a case."""
    return run({"sources": sources, "nodes": nodes, "arrivals": arrivals, "end": end})


def brief(emissions: list[Plain]) -> list[tuple[Any, ...]]:
    """Each emission as a tuple that begins with its step, its kind and its bucket (or event time)."""
    return [_tuple(one) for one in emissions]


def _tuple(one: Plain) -> tuple[Any, ...]:
    kind = one["kind"]
    if kind == "initial":
        return (one["step"], "value", one["bucket"], one["output"])
    if kind == "correction":
        return (one["step"], "correction", one["bucket"], one["retract"], one["output"], one["version"])
    if kind in ("gap_skip", "gap_fail"):
        return (one["step"], kind.removeprefix("gap_"), one["bucket"], one["missing"])
    return (one["step"], one.get("reason", kind), one["event_ts"])


def told(
    sources: list[Plain],
    nodes: list[Plain],
    arrivals: list[Plain],
    *,
    of: str = "n",
    branch: str,
    end: int | None = None,
) -> list[tuple[Any, ...]]:
    """What node `of` tells in a case that must take `branch`."""
    result = judged(sources, nodes, arrivals, end)
    assert result["branches"][branch], (
        f"the case does not take {branch}; it takes {sorted(result['branches'])}"
    )
    return brief(result["emissions"][of])
