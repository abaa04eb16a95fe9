"""The golden histories are told again, bit for bit, by the oracle and however the engine is fed."""

from __future__ import annotations

import pytest
from golden.histories import FOLDER, NAMES, WAYS, departure, read, written


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_a_history_is_told_again(name: str, way: str) -> None:
    history = read(name)
    nodes = {one["name"] for one in (*history["case"]["sources"], *history["case"]["nodes"])}
    ticks = {one["name"] for one in history["case"]["sources"] if one["interval"] is None}
    assert set(history["told"]["emissions"]) == nodes - ticks
    assert not departure(history, way)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_as_it_was_recorded(name: str) -> None:
    """So that recording again changes what was told, and nothing else."""
    assert written(read(name)) == (FOLDER / f"{name}.json").read_text(encoding="utf-8")


def test_a_single_changed_bit_is_noticed() -> None:
    history = read("late_correction")
    found = next(one for one in history["told"]["emissions"]["smooth"] if one["kind"] == "correction")
    found["output"] = found["output"] * (1 + 2**-52)
    assert "smooth" in departure(history, "one batch")
