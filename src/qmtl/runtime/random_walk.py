"""Made-up data for what strategies read: random walks with holes, for checks that need no truth."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from qmtl.core.graph.ir import Node
from qmtl.runtime.sources_table import Wanted

START = 1_641_168_000_000_000_000  # 2022-01-03, ns
HOLES = 0.03  # of the bars are missing
MEMBERS = 3  # of a tag query
_WORDS = frozenset({"and", "or", "not", "in"})


def members(query: Node, chosen: Iterable[str] = ()) -> list[tuple[str, frozenset[str]]]:
    """Streams that a tag query may find, with every tag that it names; among them those `chosen` from panels."""
    text = re.sub(r"\s*(==?|!=)\s*", "=", query.stream or "")
    text = re.sub(r"([^\s=]+)\s+(?:not\s+)?in\s+\{\s*([^\s,}]+)[^}]*\}", r"\1=\2", text, flags=re.IGNORECASE)
    tags = frozenset(word for word in re.findall(r"[^\s(){},]+", text) if word.lower() not in _WORDS)
    made_up = (f"made-up {number}" for number in range(1, MEMBERS + 1))
    return [(name, tags) for name in dict.fromkeys((*sorted(chosen), *made_up))]


def tables(wanted: Iterable[Wanted], bars: int, seed: int) -> dict[tuple[str, str | int], pa.Table]:
    """A table per stream: of `bars` buckets of the finest interval, the same time for all."""
    wanted = list(wanted)
    finest = min((one.interval_ns for one in wanted if one.interval_ns is not None), default=60_000_000_000)
    chance = np.random.default_rng(seed)
    return {(one.key.id, _interval(one)): _table(one, bars * finest, finest, chance) for one in wanted}


def _interval(one: Wanted) -> Any:
    from qmtl.core.graph.duration import Duration

    return None if one.interval_ns is None else str(Duration.from_ns(one.interval_ns))


def _table(one: Wanted, span: int, finest: int, chance: np.random.Generator) -> pa.Table:
    if one.interval_ns is None:
        count = max(2, 5 * span // finest)
        times = START + np.sort(chance.integers(0, span, count))
    else:
        times = START + one.interval_ns * np.arange(max(2, span // one.interval_ns))
        times = times[chance.random(len(times)) >= HOLES]
    walk = 100 * np.exp(chance.normal(0, 1e-3, len(times)).cumsum())
    columns: dict[str, Any] = {"time": pa.array(times, pa.timestamp("ns", tz="UTC"))}
    if one.interval_ns is None:
        columns["id"] = pa.array(np.arange(len(times)))
    low, high = walk * (1 - chance.random(len(walk)) * 1e-3), walk * (1 + chance.random(len(walk)) * 1e-3)
    known = {
        "open": np.append(walk[:1], walk[:-1]),
        "close": walk,
        "volume": 1.0 + chance.poisson(10.0, len(walk)),
    }
    known |= {"low": np.minimum(low, known["open"]), "high": np.maximum(high, known["open"])}
    for name in one.fields:
        columns[name] = known.get(name, walk + chance.normal(0, 1e-2, len(walk)))
    return pa.table(columns)
