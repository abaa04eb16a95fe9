"""The scenario files, through the public SDK, and the oracle's random scenarios."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from qmtl.testing.oracle import random_scenario, scenario_result
from qmtl.testing.scenario import run_case

SHARED = Path(os.environ.get("QMTL_SHARED", Path(__file__).resolve().parents[4] / "shared"))
EXAMPLES = SHARED / "scenarios" / "examples.json"


@pytest.mark.skipif(not EXAMPLES.exists(), reason="needs the shared scenario files")
def test_the_examples() -> None:
    for case in json.loads(EXAMPLES.read_text())["cases"]:
        told = run_case(case)
        assert told["emissions"] == case["expected"]["emissions"], case["id"]
        assert told["final_watermark"] == case["expected"]["final_watermark"], case["id"]


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 400, 50))
def test_random_scenarios_as_the_oracle_tells_them(start: int) -> None:
    for seed in range(start, start + 50):
        case = random_scenario(seed)
        told, wanted = run_case(case), scenario_result(case)
        assert told["emissions"] == wanted["emissions"], seed
        assert told["final_watermark"] == wanted["final_watermark"], seed
