"""Random cases in the format of scenario files: one node over its upstreams."""

from __future__ import annotations

from random import Random
from typing import Any

from qmtl.testing.oracle.random_arrivals import Manner, draw_arrivals


def random_scenario(seed: int) -> dict[str, Any]:
    """The scenario of a seed, without an ``expected``."""
    rng = Random(seed)  # noqa: S311
    interval, origin, clocked = 60, rng.choice((0, 0, 0, -120, 240, 30)), rng.random() < 0.35
    upstreams = [_upstream(rng, f"u{n}", interval) for n in range(1, rng.choice((1, 1, 2, 2, 3)) + 1)]
    sources = [
        {
            "name": one["name"],
            "interval": one.get("interval"),
            "identity": "event_ts",
            "origin": None if one.get("interval", 0) > interval else origin,
        }
        for one in upstreams
    ]
    speed = rng.choice((10, 20, 30, 60))
    manner = Manner(clocked=clocked, finished=False, repeats=0.12, lowest=-4, holes=0.15)
    drawn = draw_arrivals(rng, sources, manner, start=origin, speed=speed, count=rng.randint(8, 40))
    return {
        "id": f"R{seed}",
        "title": f"seed {seed}",
        "interval": interval,
        "period": rng.choice((1, 1, 2, 3)),
        "lateness": rng.choice((0, 0, 0, 10, 30, 60, 120)),
        "origin": origin,
        "window": rng.choice(("time", "rows")),
        "complete": rng.random() < 0.3,
        "on_late": rng.choice(("recompute", "recompute", "ignore", "side_output")),
        "on_missing": "fail" if rng.random() < 0.1 else "skip",
        "correction_horizon": rng.choice((None, None, 0, 30, 60, 120)),
        "idle_timeout": rng.choice((None, 20, 40)) if clocked else None,
        "all_idle": rng.choice(("flush", "hold")),
        "coarse_frontier": rng.choice(("structural", "strict")),
        "upstreams": upstreams,
        "arrivals": [_arrival(one) for one in drawn],
    }


def _upstream(rng: Random, name: str, interval: int) -> dict[str, Any]:
    upstream: dict[str, Any] = {"name": name}
    theirs = rng.choice((None, None, interval, interval, interval // 4, interval * 5))
    if theirs is not None:
        upstream["interval"] = theirs
    if rng.random() < 0.25:
        upstream["required"] = False
    return upstream


def _arrival(one: dict[str, Any]) -> dict[str, Any]:
    """In the words of scenario files: no revisions, whole numbers and no NaN."""
    if "tick" in one:
        return one
    value = 0 if one["value"] != one["value"] else int(one["value"])
    told = {"upstream": one["source"], "event_ts": one["event_ts"], "value": value}
    return told | ({"at": one["at"]} if "at" in one else {})
