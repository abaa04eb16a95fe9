"""The engine against the oracle, over random graphs of up to eight nodes: every emission, step, input and counter."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from qmtl.testing.differential import difference, told
from qmtl.testing.oracle import BRANCHES, random_case, run

CASES = 10_000
LEAST = 100  # how often each branch of the rules must be taken
RESUMED = 0.2  # the share of the cases in which halted nodes are told to go on


def _case(seed: int) -> dict[str, object]:
    return random_case(seed, resumes=seed % 100 < 100 * RESUMED)


@pytest.mark.slow
def test_engine_and_oracle_agree() -> None:
    """Batches are cut at random; where an operator can stand for a function, every other case uses it."""
    hits: Counter[str] = Counter()
    found = []
    for seed in range(CASES):
        case, rng = _case(seed), Random(seed)
        wanted = run(case)
        hits.update(wanted["branches"])
        cuts = [rng.randint(0, len(case["arrivals"])) for _ in range(rng.choice((0, 0, 1, 5)))]
        found.append(difference(case, wanted, told(case, cuts, compiled=seed % 2 == 0)))
    wrong = [each for each in found if each]
    assert not wrong, f"{len(wrong)} cases differ; the first: " + "\n".join(wrong[:3])
    rare = {name: hits[name] for name in BRANCHES if hits[name] < LEAST}
    assert not rare, f"hardly ever taken in {CASES} cases: {rare}"


def test_one_by_one_is_as_in_one_batch() -> None:
    """E12: a batch equals its events one by one."""
    for seed in range(60):
        case = _case(seed)
        one_by_one = told(case, range(len(case["arrivals"])))
        assert not difference(case, told(case), one_by_one)
