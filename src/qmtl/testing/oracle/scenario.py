"""Scenario files, judged by the oracle: one node over its upstreams."""

from __future__ import annotations

import math
from typing import Any

from qmtl.testing.oracle.oracle import run

REFUSALS = ("dropped", "side_output")


def scenario_case(scenario: dict[str, Any]) -> dict[str, Any]:
    """One scenario as a case whose only node is called by :func:`node_name`."""
    return {
        "id": scenario["id"],
        "sources": [_source(scenario, one) for one in scenario["upstreams"]],
        "nodes": [
            {
                "name": node_name(scenario),
                "interval": scenario["interval"],
                "origin": scenario["origin"],
                "on_missing": scenario["on_missing"],
                "all_idle": scenario["all_idle"],
                "coarse_frontier": scenario["coarse_frontier"],
                "function": "total",
                "inputs": [_input(scenario, one) for one in scenario["upstreams"]],
            }
        ],
        "arrivals": [_arrival(one) for one in scenario["arrivals"]],
        "end": None,
    }


def node_name(scenario: dict[str, Any]) -> str:
    """A name that no upstream has."""
    name = "node"
    while any(one["name"] == name for one in scenario["upstreams"]):
        name += "_"
    return name


def _source(scenario: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    interval = one.get("interval")
    coarser = interval is not None and interval > scenario["interval"]
    return {
        "name": one["name"],
        "interval": interval,
        "origin": None if coarser else scenario["origin"],
        "lateness": scenario["lateness"],
        "on_late": scenario["on_late"],
        "allowed_lateness": scenario["correction_horizon"],
        "idle_timeout": scenario["idle_timeout"],
        "identity": "event_ts",
    }


def _input(scenario: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    rows = scenario["window"] == "rows" and one.get("interval") is not None
    window = {"rows": scenario["period"]} if rows else {"time": scenario["period"] * scenario["interval"]}
    return {
        "name": one["name"],
        "of": one["name"],
        "window": window,
        "required": one.get("required", True),
        "complete": scenario["complete"],
    }


def _arrival(one: dict[str, Any]) -> dict[str, Any]:
    return {"source" if key == "upstream" else key: value for key, value in one.items()}


def scenario_result(scenario: dict[str, Any]) -> dict[str, Any]:
    """``{"id", "emissions", "final_watermark"}`` of one scenario, as the format of scenario files says."""
    result, name = run(scenario_case(scenario)), node_name(scenario)
    told = []
    for node, emissions in result["emissions"].items():
        told += [one for one in emissions if node == name or one["kind"] in REFUSALS]
    told.sort(key=lambda one: (one["step"], one["kind"] not in REFUSALS))
    failed = [n for n, one in enumerate(told) if one["kind"] == "gap_fail"]
    if failed:
        del told[failed[0] + 1 :]
    return {
        "id": scenario["id"],
        "emissions": [_as_told(scenario, one) for one in told],
        "final_watermark": result["final_watermark"][name],
    }


def _as_told(scenario: dict[str, Any], emission: dict[str, Any]) -> dict[str, Any]:
    told = dict(emission)
    if told["kind"] in REFUSALS:
        told["bucket"] = told["event_ts"] // scenario["interval"] * scenario["interval"]
    for key in ("output", "retract"):
        if key in told:
            told[key] = _whole(told[key])
    if "inputs" in told:
        shown = told["inputs"].items()
        told["inputs"] = {name: [[ts, _whole(value)] for ts, value in rows] for name, rows in shown}
    return told


def _whole(value: float | None) -> float | int | None:
    """A whole number without its point, as scenario files write it."""
    return int(value) if value is not None and math.isfinite(value) and value == int(value) else value
