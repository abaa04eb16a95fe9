"""An engine that goes on from the state of another is in the same state as that one ever after (R4, C6)."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from qmtl.core.errors import Corrupt
from qmtl.core.flow.engine import Engine
from qmtl.core.flow.state import Part, parts_of, plan_digest, put_part, put_rest, rest_of
from qmtl.testing.differential import batch_of, counters, emissions_of, engine_of, final_table
from qmtl.testing.oracle import random_case


def content(engine: Engine) -> tuple[bytes, list[tuple[Any, ...]]]:
    parts = [
        (part.interval, part.bucket, part.rows, {name: one.tobytes() for name, one in part.arrays.items()})
        for part in parts_of(engine)
    ]
    return rest_of(engine), parts


def revived(case: dict[str, Any], engine: Engine, compiled: bool) -> Engine:
    """Another engine of the case, in the state of this one."""
    made = engine_of(case, compiled=compiled)
    assert plan_digest(made.plan) == plan_digest(engine.plan)
    put_rest(made, rest_of(engine))
    for part in parts_of(engine):
        put_part(made, part)
    return made


def advance(case: dict[str, Any], engine: Engine, start: int, stop: int, batch: int) -> None:
    arrivals = case["arrivals"]
    while start < stop:
        if "resume" in arrivals[start]:
            engine.resume(arrivals[start]["resume"])
            start += 1
            continue
        high = min(start + batch, stop)
        high = next((n for n in range(start, high) if "resume" in arrivals[n]), high)
        engine.advance(batch_of(case, arrivals[start:high]))
        start = high


@pytest.mark.parametrize("part", range(4))
def test_state_and_replay_are_as_if_nothing_had_happened(part: int) -> None:
    went_on = corrected = 0
    for seed in range(part * 150, part * 150 + 150):
        case, chance = random_case(seed), Random(seed)
        compiled, size = chance.random() < 0.5, chance.choice((1, 3, 100))
        count = len(case["arrivals"])
        cut = chance.randrange(count + 1)
        whole, first = engine_of(case, compiled=compiled), engine_of(case, compiled=compiled)
        advance(case, first, 0, cut, size)
        second = revived(case, first, compiled)
        assert content(second) == content(first), seed
        advance(case, second, cut, count, size)
        advance(case, whole, 0, cut, size)
        advance(case, whole, cut, count, size)
        assert content(second) == content(whole), seed
        assert counters(second) == counters(whole), seed
        for one in case["nodes"]:
            name = one["name"]
            assert repr(final_table(second, name)) == repr(final_table(whole, name)), (seed, name)
            after = [each for each in emissions_of(case, whole, name) if each["step"] >= first.step]
            told = [each for each in emissions_of(case, second, name) if each["step"] >= first.step]
            assert repr(told) == repr(after), (seed, name)
            corrected += any(each["kind"] == "correction" for each in after)
        went_on += 0 < cut < count
    assert went_on > 90
    assert corrected > 9


def test_a_state_of_another_plan_is_refused() -> None:
    case, other = random_case(1), random_case(2)
    engine, wrong = engine_of(case, compiled=True), engine_of(other, compiled=True)
    advance(case, engine, 0, len(case["arrivals"]), 10)
    assert plan_digest(engine.plan) != plan_digest(wrong.plan)
    with pytest.raises(Corrupt):
        put_rest(wrong, rest_of(engine))


def test_rows_that_do_not_fit_are_refused() -> None:
    case = random_case(3)
    engine, made = engine_of(case, compiled=True), engine_of(case, compiled=True)
    advance(case, engine, 0, len(case["arrivals"]), 10)
    put_rest(made, rest_of(engine))
    part = next(parts_of(engine))
    short = {name: one[:-1] for name, one in part.arrays.items()}
    for wrong in (
        part._replace(bucket=part.bucket - 10**15),
        part._replace(interval=7),
        part._replace(arrays=short),
        part._replace(arrays={"values 1": part.arrays["values"]}),
        part._replace(arrays={"plane x": part.arrays["values"]}),
        part._replace(arrays={"others": part.arrays["values"]}),
        Part(part.interval, part.bucket + 1, part.rows, part.arrays),
    ):
        with pytest.raises(Corrupt):
            put_part(made, wrong)
    with pytest.raises(Corrupt):
        put_rest(made, b"\x93\x01\x02\x03")
    assert np.array_equal(part.arrays["values"], next(parts_of(engine)).arrays["values"])
