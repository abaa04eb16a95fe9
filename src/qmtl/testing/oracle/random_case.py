"""Random cases: a seed is a DAG of up to eight nodes with everything that arrives at its sources."""

from __future__ import annotations

from random import Random
from typing import Any

from qmtl.testing.oracle.random_arrivals import draw_arrivals

FAMILIES = ((15, 30, 60, 120), (15, 30, 60, 120), (10, 30, 60), (60,), (20, 60))
FUNCTIONS = ("sum", "sum", "total", "total", "count", "last", "floor_mean", "none_if_negative", "none_if_negative")


def random_case(seed: int) -> dict[str, Any]:
    """The case of a seed. Values are small whole numbers or NaN, so no result depends on an order of summation."""
    rng = Random(seed)
    intervals = rng.choice(FAMILIES)
    start = rng.choice((0, 0, 0, -120, -35, 240, 47))
    clocked, finished = rng.random() < 0.45, rng.random() < 0.3
    sources = [
        _source(rng, f"s{n}", intervals, start, clocked) for n in range(rng.choice((1, 1, 2, 2, 2, 3)))
    ]
    known = {one["name"]: one["interval"] for one in sources}
    nodes: list[dict[str, Any]] = []
    for n in range(rng.randint(1, 8 - len(sources))):
        nodes.append(_node(rng, f"n{n}", intervals, known))
        known[f"n{n}"] = nodes[-1]["interval"]
    smallest = min(one["interval"] or min(intervals) for one in sources)
    speed = rng.choice((smallest // 3, smallest // 2, smallest, max(smallest, max(intervals) // 4)))
    arrivals = draw_arrivals(
        rng, sources, start=start, speed=speed, count=rng.randint(20, 60), clocked=clocked, finished=finished
    )
    end = None
    if finished:
        latest = max((one["event_ts"] for one in arrivals if "event_ts" in one), default=start)
        end = latest + rng.choice((-100, -10, 0, 30, 60, 120, 133))
    return {"id": f"R{seed}", "sources": sources, "nodes": nodes, "arrivals": arrivals, "end": end}


def _source(rng: Random, name: str, intervals: tuple[int, ...], start: int, clocked: bool) -> dict[str, Any]:
    interval = None if rng.random() < 0.35 else rng.choice(intervals)
    on_late = rng.choice(("recompute", "recompute", "recompute", "ignore", "side_output"))
    return {
        "name": name,
        "interval": interval,
        "origin": start + rng.choice((0, 0, 0, 0, 60, 13)),
        "lateness": rng.choice((0, 0, 0, 0, 5, 15, 30, 60)),
        "on_late": on_late,
        "allowed_lateness": rng.choice((None, None, None, 0, 20, 60, 120)),
        "idle_timeout": rng.choice((None, 5, 20, 40)) if clocked else None,
        "identity": rng.choice(("event_ts", "event_id", "event_id", "position")) if interval is None else "event_ts",
    }


def _node(rng: Random, name: str, intervals: tuple[int, ...], known: dict[str, int | None]) -> dict[str, Any]:
    """A node over some of what is there already; its latest inputs are preferred, so that graphs grow deep."""
    names = list(known)
    newest = rng.choice(names[-3:])
    if known[newest] is not None and rng.random() < 0.15:
        return _scan(rng, name, newest, known)
    interval = rng.choice(intervals)
    if known[newest] is not None and rng.random() < 0.5:
        interval = known[newest]
    fits = [one for one in names if _divides(known[one], interval)]
    if not fits:
        interval, fits = known[newest], [newest]
    chosen = [newest] if newest in fits else []
    chosen += [one for one in rng.sample(fits, len(fits)) if one != newest][: rng.choice((0, 1, 1, 2)) + (not chosen)]
    inputs = [_input(rng, f"x{n}", of, known[of], interval) for n, of in enumerate(chosen)]
    if rng.random() < 0.1:
        for one in inputs:
            one["required"] = False
    return {
        "name": name, "interval": interval, "inputs": inputs,
        "function": "raise_if_over_20" if rng.random() < 0.06 else rng.choice(FUNCTIONS),
        "on_missing": "fail" if rng.random() < 0.06 else "skip",
        "all_idle": rng.choice(("flush", "flush", "hold")),
        "coarse_frontier": rng.choice(("structural", "structural", "strict")),
    }


def _scan(rng: Random, name: str, of: str, known: dict[str, int | None]) -> dict[str, Any]:
    """A recursive node, in the only shape it has: one required input of its own interval, by rows."""
    function = rng.choice(("ema", "ema", "cumsum", "cummax"))
    rows = rng.choice((1, 3)) if function == "ema" else 1
    return {
        "name": name, "interval": known[of], "function": function, "on_missing": "skip", "all_idle": "flush",
        "coarse_frontier": "structural",
        "inputs": [{"name": "x", "of": of, "window": {"rows": rows}, "required": True, "complete": False}],
    }


def _divides(theirs: int | None, interval: int) -> bool:
    return theirs is None or theirs % interval == 0 or interval % theirs == 0


def _input(rng: Random, name: str, of: str, theirs: int | None, interval: int) -> dict[str, Any]:
    complete = rng.random() < 0.2
    if theirs is not None and rng.random() < 0.65:
        window = {"rows": rng.choice((1, 1, 2, 3, 4))}
    else:
        window = {"time": interval * rng.choice((1, 1, 1, 2, 3))}
        if not complete and rng.random() < 0.1:
            window = {"time": rng.choice((interval // 2, interval + 7, interval * 2 - 5))}
    return {"name": name, "of": of, "window": window, "required": rng.random() < 0.75, "complete": complete}
