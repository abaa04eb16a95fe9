"""Every operator of the registry through the whole engine, unasked: the final table is a function of the set of events.

However arrivals are ordered (late, revised, repeated) and cut into batches, the latest value or gap of every bucket is
the same, bit for bit; of one order every cut tells the same ledger too (E8, E12, E15, E17).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from qmtl.ops.registry import operators
from qmtl.runtime.ledger import changes_by_lane

from unit.ops.feeds import Record, late, records, shuffled
from unit.ops.through_engine import (
    FUNCTIONS,
    Played,
    Table,
    ledger_differences,
    play,
    table_differences,
)

pytestmark = pytest.mark.slow

BUCKETS, FEW = 240, 200
SEEDS = (1, 2)


@cache
def feed(seed: int, buckets: int) -> list[Record]:
    return records(seed, buckets)


@cache
def in_order(seed: int, buckets: int, wide: int) -> Table:
    """The final table when everything comes sorted, in one batch."""
    return play(feed(seed, buckets), buckets, wide=wide).table()


@cache
def one_at_a_time(seed: int) -> tuple[list[Record], Played]:
    arrivals = late(feed(seed, BUCKETS), seed)
    return arrivals, play(arrivals, BUCKETS, range(1, len(arrivals)))


def cuts(seed: int, count: int, arrivals: Sequence[Record]) -> list[int]:
    return np.unique(np.random.default_rng(seed).integers(1, len(arrivals), count)).tolist()


def test_every_operator_takes_part_and_has_values() -> None:
    """And is corrected: else the other tests would prove nothing."""
    _, played = one_at_a_time(SEEDS[0])
    corrected = changes_by_lane(played.engine).keys()
    revised, computed = set(), set()
    final = played.table()
    for name, group, lane in played.homes():
        there, bits = final[name]
        if np.isfinite(bits[there].view(np.float64)).any(axis=0).all():
            computed.add(name.partition("[")[0])
        if (group.index, lane) in corrected:
            revised.add(name.partition("[")[0])
    assert computed == revised == {*operators(), *FUNCTIONS}


@pytest.mark.parametrize("seed", SEEDS)
def test_one_arrival_at_a_time(seed: int) -> None:
    _, played = one_at_a_time(seed)
    assert not table_differences(in_order(seed, BUCKETS, 1), played.table())


@pytest.mark.parametrize("seed", SEEDS)
def test_batches_do_not_change_the_ledger(seed: int) -> None:
    arrivals, played = one_at_a_time(seed)
    told = played.ledger()
    for count in (0, 60):
        batches = play(arrivals, BUCKETS, cuts(seed + count, count, arrivals))
        assert not ledger_differences(told, batches.ledger()), f"seed {seed}, {count} cuts"
        assert not table_differences(in_order(seed, BUCKETS, 1), batches.table()), (
            f"seed {seed}, {count} cuts"
        )


def test_batches_of_what_comes_in_order_do_not_change_the_ledger() -> None:
    arrivals = feed(SEEDS[0], BUCKETS)
    told = play(arrivals, BUCKETS).ledger()
    for count in (10, 200):
        batches = play(arrivals, BUCKETS, cuts(count, count, arrivals))
        assert not ledger_differences(told, batches.ledger()), f"{count} cuts"


@pytest.mark.parametrize("seed", (3, 4, 5))
def test_any_order_of_arrival(seed: int) -> None:
    arrivals = shuffled(feed(seed, FEW), seed)
    played = play(arrivals, FEW, cuts(seed, 20, arrivals))
    assert not table_differences(in_order(seed, FEW, 1), played.table())


@pytest.mark.parametrize("seed", SEEDS)
def test_long_windows(seed: int) -> None:
    """Windows seven times as long, so that late bars reach far and windows span many blocks."""
    arrivals = late(feed(seed, BUCKETS), seed + 10)
    played = play(arrivals, BUCKETS, cuts(seed, 30, arrivals), wide=7)
    assert not table_differences(in_order(seed, BUCKETS, 7), played.table())


def test_a_lost_bar_is_seen() -> None:
    """The comparison can fail: without one bar every operator over its stream says something else."""
    arrivals = feed(SEEDS[0], BUCKETS)
    plain = (
        one.source == 0 and bool(np.isfinite(one.values).all()) and one.values[-1] == 1 for one in arrivals
    )
    lost = next(n for n, is_plain in enumerate(plain) if n > 600 and is_plain)
    kept = [one for one in arrivals if (one.source, one.identity) != (0, arrivals[lost].identity)]
    found = table_differences(in_order(SEEDS[0], BUCKETS, 1), play(kept, BUCKETS).table())
    named = {one.partition("[")[0] for one in found}
    assert named == {*operators(), *FUNCTIONS}
