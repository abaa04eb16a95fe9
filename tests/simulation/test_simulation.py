"""A seed is one run, told line by line; the long runs; seeds that once failed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from seeds import run, told

from qmtl.testing.simulation.simulation import simulate

KEPT = Path(__file__).with_name("seeds.txt")


@pytest.mark.soak
@pytest.mark.parametrize("chunk", range(100))
def test_a_hundred_thousand_seeds(chunk: int) -> None:
    run(range(chunk * 1000, (chunk + 1) * 1000))


def kept() -> list[int]:
    lines = KEPT.read_text().splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("seed", kept())
def test_seeds_that_once_failed(seed: int) -> None:
    found = simulate(seed)
    assert not found.wrong, told(found)


def test_a_seed_is_the_same_run_in_every_process() -> None:
    """Its story is told, and the same to the last line wherever strings are hashed otherwise."""
    command = [sys.executable, "-m", "qmtl.testing.simulation", "3"]
    told = [
        subprocess.Popen(
            command, env={**os.environ, "PYTHONHASHSEED": number}, stdout=subprocess.PIPE, text=True
        )
        for number in ("1", "2")
    ]
    one, other = (process.communicate()[0] for process in told)
    assert [process.returncode for process in told] == [0, 0]
    mine = simulate(3)
    lines = one.splitlines()
    assert lines[:-1] == mine.story.lines()
    assert lines[0].lstrip().startswith("1 ") and " starts; " in lines[0]
    assert lines[-1].startswith(f"seed 3, digest {mine.digest}, ")
    assert one == other
    assert mine.digest != simulate(4).digest
