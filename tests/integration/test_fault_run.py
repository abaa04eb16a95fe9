"""Four workers, more than 200 nodes, a fault every few seconds on real servers: `fault_run.py` says what is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_run import Told, fault_run

LEAST_BUCKETS = 100_000


def sound(told: Told, faults: int, inside: int) -> None:
    print(told)
    assert told.found.wrong == []
    assert told.duplicates == told.different == 0.0
    assert told.ended == [], "workers that ended by themselves"
    assert told.faults.total() >= faults
    assert told.inside >= inside
    assert told.found.buckets >= LEAST_BUCKETS
    assert told.found.corrected > 0
    assert told.found.takeovers > told.faults.total() / 2
    assert told.idle_gaps() < len(told.struck) / 2, "faults struck work that was going on"


@pytest.mark.server("kafka")
@pytest.mark.server("postgres")
def test_a_short_fault_run_on_kafka_beside_a_database_of_leases(tmp_path: Path) -> None:
    sound(fault_run("kafka", tmp_path, seconds=32.0, rows=500, seed=3), faults=6, inside=2)


@pytest.mark.server("postgres")
def test_a_short_fault_run_on_postgres(tmp_path: Path) -> None:
    told = fault_run("postgres", tmp_path, seconds=12.0, rows=500, seed=3, gap=(0.5, 2.0), lease_seconds=2.0)
    sound(told, faults=6, inside=2)


@pytest.mark.soak
@pytest.mark.parametrize(
    "kind", [pytest.param(each, marks=pytest.mark.server(each)) for each in ("kafka", "postgres")]
)
def test_ten_minutes_of_faults(kind: str, tmp_path: Path) -> None:
    sound(fault_run(kind, tmp_path, seconds=600.0, rows=2000, seed=7), faults=100, inside=30)
