"""Scenario files: what is told of a case beyond what the examples show."""

from __future__ import annotations

from qmtl.testing.oracle import scenario_case, scenario_result

SCENARIO = {
    "id": "X",
    "interval": 60,
    "period": 1,
    "lateness": 0,
    "origin": 0,
    "window": "rows",
    "complete": False,
    "on_late": "recompute",
    "on_missing": "skip",
    "correction_horizon": None,
    "idle_timeout": None,
    "all_idle": "flush",
    "coarse_frontier": "structural",
    "upstreams": [{"name": "node", "interval": 300}],
}


def test_refusals_of_bars_have_the_bucket_of_the_node() -> None:
    case = SCENARIO | {
        "interval": 300,
        "upstreams": [{"name": "u", "interval": 60}],
        "arrivals": [{"upstream": "u", "event_ts": 360, "value": 1}] * 2,
    }
    assert scenario_result(case)["emissions"][-1] == {
        "step": 1,
        "kind": "dropped",
        "reason": "duplicate",
        "upstream": "u",
        "event_ts": 360,
        "value": 1,
        "bucket": 300,
    }


def test_after_a_failure_nothing_is_told_not_even_refusals() -> None:
    bar = {"upstream": "u", "event_ts": 60, "value": 1}
    case = SCENARIO | {
        "on_missing": "fail",
        "upstreams": [{"name": "u", "interval": 60}],
        "arrivals": [bar, bar],
    }
    result = scenario_result(case)
    assert [one["kind"] for one in result["emissions"]] == ["gap_fail"]
    assert result["final_watermark"] == 120


def test_nothing_seen_is_a_null_watermark() -> None:
    assert scenario_result(SCENARIO | {"arrivals": [{"tick": 5}]}) == {
        "id": "X",
        "emissions": [],
        "final_watermark": None,
    }


def test_coarser_upstreams_have_no_origin_and_the_node_has_its_own() -> None:
    case = scenario_case(SCENARIO | {"arrivals": []})
    assert case["sources"][0]["origin"] is None
    assert case["nodes"][0]["origin"] == 0


def test_the_node_is_called_as_no_upstream_is() -> None:
    assert scenario_case(SCENARIO | {"arrivals": []})["nodes"][0]["name"] == "node_"
