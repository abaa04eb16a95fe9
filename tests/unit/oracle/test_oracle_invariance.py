"""E15: the final table is a function of the set of events."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from qmtl.testing.oracle import random_case, run

Case = dict[str, Any]
FEW, MANY = range(6), pytest.param(range(6, 250), marks=pytest.mark.slow)


def unhurried(seed: int) -> Case:
    """A random case within the terms of E15: recompute, unbounded H, no idleness, no failure."""
    case = random_case(seed)
    for one in case["sources"]:
        one |= {"on_late": "recompute", "allowed_lateness": None, "idle_timeout": None}
    for one in case["nodes"]:
        one["on_missing"] = "skip"
        if one["function"] == "raise_if_ends_in_3":
            one["function"] = "sum"
    case["arrivals"] = [one for one in case["arrivals"] if "source" in one]
    for position, one in enumerate(case["arrivals"]):
        one.setdefault("event_id", f"p{position:04d}")  # where an event stands in its source travels with it
    for one in case["sources"]:
        one["identity"] = "event_id" if one["identity"] == "position" else one["identity"]
    return case | {"end": max((one["event_ts"] for one in case["arrivals"]), default=0) + 60}


def steady(case: Case) -> Case:
    """The same where no bucket can return to warm-up: no answer None, and one row of another interval."""
    interval = {one["name"]: one["interval"] for one in [*case["sources"], *case["nodes"]]}
    for node in case["nodes"]:
        if node["function"] == "none_if_negative":
            node["function"] = "total"
        for one in node["inputs"]:
            if interval[one["of"]] != node["interval"] and "rows" in one["window"]:
                one["window"] = {"rows": 1}
    return case


def shuffled(case: Case, seed: int) -> Case:
    """The same events in another order; those of one identity keep their own."""
    by_id = {
        one["name"]: one["interval"] is None and one["identity"] == "event_id" for one in case["sources"]
    }
    by_identity: dict[Any, list[dict[str, Any]]] = {}
    for one in case["arrivals"]:
        name = one["source"]
        by_identity.setdefault((name, one["event_id"] if by_id[name] else one["event_ts"]), []).append(one)
    slots = [key for key, events in by_identity.items() for _ in events]
    Random(seed).shuffle(slots)
    return case | {"arrivals": [by_identity[slot].pop(0) for slot in slots]}


def batch(case: Case) -> Case:
    """The same events where nothing closes, so nothing is late, before all of them are there."""
    return case | {"sources": [one | {"lateness": 10**6} for one in case["sources"]]}


def final_table(case: Case) -> dict[str, dict[int, Any]]:
    """With the end of every source at its end, so that the same buckets close."""
    ends = [{"finished": one["name"]} for one in case["sources"]]
    return run(case | {"arrivals": [*case["arrivals"], *ends]})["final_table"]


@pytest.mark.parametrize("seeds", [FEW, MANY])
def test_the_final_table_does_not_depend_on_the_order_of_arrival(seeds: range) -> None:
    for seed in seeds:
        case = steady(unhurried(seed))
        table = repr(final_table(batch(case)))
        for other in range(4):
            assert repr(final_table(shuffled(case, other) if other else case)) == table


@pytest.mark.parametrize("seeds", [FEW, MANY])
def test_only_a_gap_may_stay_on_record_where_the_batch_is_in_warm_up(seeds: range) -> None:
    """Reading 25."""
    for seed in seeds:
        case = unhurried(seed)
        expected = final_table(batch(case))
        for other in range(4):
            for name, table in final_table(shuffled(case, other) if other else case).items():
                extra = {bucket: table.pop(bucket) for bucket in set(table) - set(expected[name])}
                assert repr(sorted(table.items())) == repr(sorted(expected[name].items()))
                assert set(extra.values()) <= {"gap"}


def test_the_batch_closes_nothing_early() -> None:
    case = batch(unhurried(3))
    assert all(wm is None or wm < -(10**5) for wm in run(case)["final_watermark"].values())
