"""The simulation is tested by what it must find: each canary breaks one thing, and some seed of 200 shows it."""

from __future__ import annotations

import pytest

from qmtl.testing.simulation.__main__ import main
from qmtl.testing.simulation.canaries import CANARIES, ONE_DEFENCE
from qmtl.testing.simulation.canary import Canary
from qmtl.testing.simulation.simulation import simulate

WITHIN = 200

# By which rules it is found: what is wrong must be what was broken.
RULES = {
    "no fence": {"C2", "C5", "C6", "C7", "P2"},
    "publish before commit": {"C2"},
    "dedup off": {"C7"},
    "late counted twice": {"E14"},
    "mutable view": {"C6"},
    "fresh metadata": {"C2", "C5", "C6", "C7"},
    "empty offsets": {"C2", "C5", "C6", "C7"},
    "state kept after unknown": {"C1", "C6", "E14"},
    "positions out of commit order": {"C1", "C2", "C6", "C7", "P5"},
    "a scan stops at equal outputs": {"C1", "C6", "E8"},
}


@pytest.mark.parametrize("canary", CANARIES, ids=lambda canary: canary.name)
def test_every_canary_is_found(canary: Canary) -> None:
    for seed in range(WITHIN):
        found = simulate(seed, canary)
        if found.wrong:
            assert found.wrong.partition(":")[0] in RULES[canary.name], (seed, found.wrong)
            assert found.story.lines()[found.line - 1].endswith(f"VIOLATION: {found.wrong}")
            return
    pytest.fail(f"{canary.name}: {canary.breaks} No seed of {WITHIN} shows it")


def test_a_violation_is_told_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["0", "dedup off"]) == 1
    *story, _, told = capsys.readouterr().out.splitlines()
    number = int(told.removeprefix("violated, see line ").partition(":")[0])
    assert "VIOLATION: C7" in story[number - 1] and told.endswith(
        story[number - 1].partition("VIOLATION: ")[2]
    )


def test_every_canary_says_what_it_breaks() -> None:
    assert {canary.name for canary in CANARIES} == RULES.keys()
    assert all(canary.breaks for canary in CANARIES)


def test_one_defence_is_enough() -> None:
    """Canaries of the generation have no fence by ids; without it alone, everything is still right."""
    for seed in range(60):
        found = simulate(seed, ONE_DEFENCE)
        assert not found.wrong, (seed, found.wrong)
