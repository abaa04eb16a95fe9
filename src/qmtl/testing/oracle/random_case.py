"""Random cases: a seed is a DAG of up to eight nodes with everything that arrives at its sources."""

from __future__ import annotations

from random import Random
from typing import Any

from qmtl.testing.oracle.random_arrivals import Manner, draw_arrivals

FAMILIES = ((15, 30, 60, 120), (15, 30, 60, 120), (10, 30, 60), (60,), (20, 60))
CALM = ("sum", "sum", "total", "total", "count", "last", "floor_mean", "none_if_negative", "none_if_negative")
RESTLESS = ("none_if_negative", "none_if_negative", "none_if_negative", "sum", "last", "raise_if_ends_in_3")
ROWS = (1, 1, 2, 3, 4)
WHOLE = ("count", "floor_mean")


def random_case(seed: int, *, resumes: bool = False) -> dict[str, Any]:
    """The case of a seed; with `resumes`, nodes are sometimes told to resume.

    Values are small whole numbers or NaN and exponential averages halve, so every sum is exact in any order.
    """
    rng = Random(seed)  # noqa: S311
    intervals = rng.choice(FAMILIES)
    start = rng.choice((0, 0, 0, -120, -35, 240, 47))
    restless = rng.random() < 0.45  # many revisions, and functions that answer None or raise
    manner = Manner(
        clocked=rng.random() < 0.45,
        finished=rng.random() < 0.3,
        repeats=0.3 if restless else 0.1,
        lowest=-7 if restless else -4,
        holes=0.15,
    )
    sources = [_source(rng, f"s{n}", intervals, start) for n in range(rng.choice((1, 1, 2, 2, 2, 3)))]
    for one in sources:
        if not manner.clocked:
            one["idle_timeout"] = None
        if restless and rng.random() < 0.4:
            one |= {"on_late": "recompute", "allowed_lateness": None}
    nodes = _Nodes(
        rng, intervals, RESTLESS if restless else CALM, {one["name"]: one["interval"] for one in sources}
    )
    for n in range(rng.randint(1, 8 - len(sources))):
        nodes.add(f"n{n}")
    smallest = min(one["interval"] or min(intervals) for one in sources)
    speed = rng.choice((smallest // 3, smallest // 2, smallest, max(smallest, max(intervals) // 4)))
    most = 36 if nodes.fractional else 60  # an average halves once a row, and a float has 53 bits
    count = rng.randint(20, most)
    arrivals = draw_arrivals(rng, sources, manner, start=start, speed=speed, count=count)
    if resumes:
        for _ in range(rng.randint(1, 4)):
            arrivals.insert(
                rng.randint(len(arrivals) // 3, len(arrivals)), {"resume": rng.choice(nodes.made)["name"]}
            )
    end = None
    if manner.finished:
        latest = max((one["event_ts"] for one in arrivals if "event_ts" in one), default=start)
        end = latest + rng.choice((-100, -10, 0, 30, 60, 120, 133))
    return {"id": f"R{seed}", "sources": sources, "nodes": nodes.made, "arrivals": arrivals, "end": end}


def _source(rng: Random, name: str, intervals: tuple[int, ...], start: int) -> dict[str, Any]:
    interval = None if rng.random() < 0.35 else rng.choice(intervals)
    return {
        "name": name,
        "interval": interval,
        "origin": start + rng.choice((0, 0, 0, 0, 60, 13)),
        "lateness": rng.choice((0, 0, 0, 0, 5, 15, 30, 60)),
        "on_late": rng.choice(("recompute", "recompute", "recompute", "ignore", "side_output")),
        "allowed_lateness": rng.choice((None, None, None, 0, 20, 60, 120)),
        "idle_timeout": rng.choice((None, 5, 20, 40)),
        "identity": rng.choice(("event_ts", "event_id", "event_id", "position"))
        if interval is None
        else "event_ts",
    }


class _Nodes:
    """Nodes drawn one after another, each over some of what is there already."""

    def __init__(
        self,
        rng: Random,
        intervals: tuple[int, ...],
        functions: tuple[str, ...],
        known: dict[str, int | None],
    ) -> None:
        self.rng, self.intervals, self.functions, self.known = rng, intervals, functions, known
        self.made: list[dict[str, Any]] = []
        self.fractional: set[str] = set()  # those whose values are not whole numbers

    def add(self, name: str) -> None:
        """One more node. The newest are preferred as inputs, so that graphs grow deep."""
        rng, known = self.rng, self.known
        newest = rng.choice(list(known)[-3:])
        scan = known[newest] is not None and rng.random() < 0.15
        node = self._scan(name, newest) if scan else self._window(name, newest)
        fractional = node["function"] == "ema" or any(one["of"] in self.fractional for one in node["inputs"])
        if fractional and node["function"] not in WHOLE:
            self.fractional.add(name)
        self.made.append(node)
        known[name] = node["interval"]

    def _window(self, name: str, newest: str) -> dict[str, Any]:
        rng, known = self.rng, self.known
        interval = rng.choice(self.intervals)
        if rng.random() < 0.5:
            interval = known[newest] or interval
        inputs = [self._input(f"x{n}", of, interval) for n, of in enumerate(self._chosen(newest, interval))]
        if rng.random() < 0.1:
            for one in inputs:
                one["required"] = False
        return {
            "name": name,
            "interval": interval,
            "inputs": inputs,
            "function": "raise_if_ends_in_3" if rng.random() < 0.06 else rng.choice(self.functions),
            "on_missing": "fail" if rng.random() < 0.06 else "skip",
            "all_idle": rng.choice(("flush", "flush", "hold")),
            "coarse_frontier": rng.choice(("structural", "structural", "strict")),
        }

    def _chosen(self, newest: str, interval: int) -> list[str]:
        """One to three inputs of an interval that divides the node's or is divided by it."""
        rng = self.rng
        fits = [one for one, theirs in self.known.items() if _divides(theirs, interval)]
        others = [one for one in rng.sample(fits, len(fits)) if one != newest]
        chosen = [newest] if newest in fits else []
        return (chosen + others[: rng.choice((0, 1, 1, 2)) + (not chosen)]) or [newest]

    def _scan(self, name: str, of: str) -> dict[str, Any]:
        """A recursive node, in the only shape it has: one required input of its own interval, by rows."""
        function = self.rng.choice(("ema", "ema", "cumsum", "cummax"))
        if of in self.fractional:
            function = "cummax"
        rows = self.rng.choice((1, 3)) if function == "ema" else 1
        interval = self.known[of]
        assert interval is not None
        return {
            "name": name,
            "interval": interval,
            "function": function,
            "on_missing": "skip",
            "all_idle": "flush",
            "coarse_frontier": "structural",
            "inputs": [
                {"name": "x", "of": of, "window": {"rows": rows}, "required": True, "complete": False}
            ],
        }

    def _input(self, name: str, of: str, interval: int) -> dict[str, Any]:
        rng = self.rng
        complete = rng.random() < 0.2
        if self.known[of] is not None and rng.random() < 0.65:
            window = {"rows": rng.choice(ROWS)}
        elif not complete and rng.random() < 0.1:
            window = {"time": rng.choice((interval // 2, interval + 7, interval * 2 - 5))}
        else:
            window = {"time": interval * rng.choice((1, 1, 1, 2, 3))}
        return {
            "name": name,
            "of": of,
            "window": window,
            "required": rng.random() < 0.75,
            "complete": complete,
        }


def _divides(theirs: int | None, interval: int) -> bool:
    return theirs is None or theirs % interval == 0 or interval % theirs == 0
