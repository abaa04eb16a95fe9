"""Seeds of the simulation, run in chunks; `test_seeds_*` have a file each, so that several processes share them."""

from __future__ import annotations

from collections import Counter

from qmtl.testing.simulation.simulation import LEAST_FAULTS, LEAST_STEPS, Outcome, simulate

CHUNK = 250
KINDS = {"crash", "pause", "partition", "upgrade", "down", "slow", "lost_request", "lost_answer"}
SEEN = {  # by seed, on average at least: a check of what never comes up would prove nothing
    "step compared": 8,
    "state compared": 15,
    "rows compared": 1,
    "retraction": 2,
    "fenced": 1,
    "unknown": 0.3,
    "unavailable": 4,
    "replayed": 6,
    "restored": 0.05,
    "failure": 0.05,
}


def told(found: Outcome) -> str:
    """Enough of the story to begin with; `make sim SEED=…` tells all of it."""
    lines = found.story.lines()[: found.line]
    return "\n".join([f"make sim SEED={found.seed}: {found.wrong}", *lines[-12:]])


def run(seeds: range) -> None:
    """Every seed of a range stays right and becomes complete, and together they meet every kind of fault."""
    faults, seen = Counter[str](), Counter[str]()
    for seed in seeds:
        found = simulate(seed)
        assert not found.wrong, told(found)
        assert found.steps >= LEAST_STEPS and found.faults.total() >= LEAST_FAULTS, seed
        faults += found.faults
        seen += found.story.seen
    assert KINDS | {"hanging", "duplicate", "reorder", "stale"} <= set(faults)
    assert all(seen[what] >= least * len(seeds) for what, least in SEEN.items()), seen
