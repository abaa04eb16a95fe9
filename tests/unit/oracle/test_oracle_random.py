"""Random cases: every branch is taken, and what must hold of every run does."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from qmtl.testing.oracle import BRANCHES, random_case, random_scenario, run, scenario_result
from qmtl.testing.oracle.value import same_bits

SEEDS = int(os.environ.get("QMTL_ORACLE_SEEDS", "10000"))
FEWER = 60


def test_a_seed_is_a_case() -> None:
    assert json.dumps(random_case(7)) == json.dumps(random_case(7)) != json.dumps(random_case(8))


def test_a_case_is_plain_data_of_at_most_eight_nodes() -> None:
    for seed in range(FEWER):
        case = random_case(seed)
        assert len(case["sources"]) + len(case["nodes"]) <= 8
        assert json.dumps(run(json.loads(json.dumps(case)))) == json.dumps(run(case))


def test_every_branch_has_a_test_of_its_own() -> None:
    written = "".join(
        path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_oracle_*.py")
    )
    named = set(re.findall(r'"(E\d+\.\w+)"', written))
    assert named == set(BRANCHES)


@pytest.mark.slow
def test_every_branch_is_taken_a_hundred_times_in_ten_thousand_seeds() -> None:
    taken: Counter[str] = Counter()
    for seed in range(SEEDS):
        taken += run(random_case(seed, resumes=seed % 10 == 0))["branches"]
    assert set(taken) <= set(BRANCHES)
    wanted = 100 * SEEDS // 10_000
    assert {name: taken[name] for name in BRANCHES if taken[name] < wanted} == {}


def check_counters(result: dict[str, Any], case: dict[str, Any]) -> None:
    """E14."""
    arrived = Counter(one["source"] for one in case["arrivals"] if "source" in one)
    for entry, counters in result["counters"].items():
        fates = {name: count for name, count in counters.items() if name != "arrivals"}
        assert counters["arrivals"] == sum(fates.values()) == arrived[entry.split(">")[0]]
        assert all(count >= 0 for count in fates.values())


def check_changelog(result: dict[str, Any]) -> None:
    """Version 0 once, versions gapless, every retraction what was told before, and the fold is the table."""
    for node, emissions in result["emissions"].items():
        table: dict[int, Any] = {}
        versions: dict[int, int] = {}
        for one in emissions:
            if one["kind"] in ("dropped", "side_output"):
                continue
            bucket, version = one["bucket"], one.get("version", 0)
            assert version == versions.get(bucket, -1) + 1
            versions[bucket] = version
            if one["kind"] == "correction":
                assert same_bits(one["retract"], None if table[bucket] == "gap" else table[bucket])
            table[bucket] = "gap" if one.get("output") is None else one["output"]
        assert repr(sorted(table.items())) == repr(sorted(result["final_table"][node].items()))


def check_order(result: dict[str, Any]) -> None:
    """Steps ascend; in a step refusals, then corrections, then closings, each by ascending bucket."""
    for emissions in result["emissions"].values():
        assert [one["step"] for one in emissions] == sorted(one["step"] for one in emissions)
        for step in {one["step"] for one in emissions}:
            buckets = [
                one["bucket"] for one in emissions if one["step"] == step and one["kind"] == "correction"
            ]
            assert buckets == sorted(set(buckets))


def check_closed(result: dict[str, Any], case: dict[str, Any]) -> None:
    """E4: nothing is recorded that the watermark, or the end of the run, does not allow."""
    end = float("inf") if case["end"] is None else case["end"]
    for one in [*case["sources"], *case["nodes"]]:
        for bucket in result["final_table"].get(one["name"], {}):
            assert bucket + one["interval"] <= min(result["final_watermark"][one["name"]], end)


@pytest.mark.parametrize("seeds", [range(FEWER), pytest.param(range(FEWER, 2000), marks=pytest.mark.slow)])
def test_what_must_hold_of_every_run(seeds: range) -> None:
    for seed in seeds:
        case = random_case(seed, resumes=seed % 10 == 0)
        result = run(case)
        check_counters(result, case)
        check_changelog(result)
        check_order(result)
        check_closed(result, case)


def test_the_watermark_never_goes_back() -> None:
    for seed in range(4):
        case = random_case(seed)
        before: dict[str, float] = {}
        for count in range(len(case["arrivals"]) + 1):
            result = run(case | {"arrivals": case["arrivals"][:count]})
            now = {
                name: float("-inf") if wm is None else wm for name, wm in result["final_watermark"].items()
            }
            assert all(now[name] >= wm for name, wm in before.items())
            before = now


def test_what_was_told_stays_told() -> None:
    """A shorter run tells the beginning of what a longer one tells: nothing is known ahead of its time."""
    for seed in range(FEWER):
        case = random_case(seed)
        half = len(case["arrivals"]) // 2
        short = run(case | {"arrivals": case["arrivals"][:half]})["emissions"]
        for name, emissions in run(case)["emissions"].items():
            assert repr([one for one in emissions if one["step"] < half]) == repr(short[name])


def test_random_scenarios_are_judged() -> None:
    kinds: Counter[str] = Counter()
    for seed in range(FEWER):
        scenario = random_scenario(seed)
        assert json.loads(json.dumps(scenario)) == scenario
        kinds.update(one["kind"] for one in scenario_result(scenario)["emissions"])
    assert set(kinds) == {"initial", "correction", "gap_skip", "gap_fail", "side_output", "dropped"}
