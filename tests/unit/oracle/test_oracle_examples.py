"""The scenarios that come with the specification, where they are at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from qmtl.testing.oracle import scenario_result

SHARED = Path(os.environ.get("QMTL_SHARED") or Path(__file__).resolve().parents[4] / "shared")
EXAMPLES = SHARED / "scenarios" / "examples.json"


def cases() -> list:
    if not EXAMPLES.exists():
        reason = f"there is no {EXAMPLES}; set QMTL_SHARED to the folder that holds scenarios/examples.json"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(one, id=one["id"]) for one in json.loads(EXAMPLES.read_text())["cases"]]


@pytest.mark.parametrize("case", cases())
def test_the_oracle_says_what_the_example_expects(case: dict) -> None:
    assert scenario_result(case) == {"id": case["id"]} | case["expected"]
