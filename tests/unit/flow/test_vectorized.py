"""Vectorized functions: several rows by one call, the same answers however the run is cut (E6, E15)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qmtl import StreamInput, UserError, node

from unit.flow.sdk import backtest, bar, ledger, table

TIMES = [60 * n for n in (*range(20), *range(22, 40))]  # two buckets have no bar


@node
def spread(view, *, scale: float = 1.0):
    return float(view.x[-1] - view.x[0]) * scale


@node(vectorized=True)
def spreads(view, *, scale: float = 1.0):
    assert view.x.shape == (len(view.bucket), 4)
    return (view.x[:, -1] - view.x[:, 0]) * scale


@node(outputs=("high", "low"), vectorized=True)
def bounds(view, watermark):
    assert np.array_equal(watermark, view.bucket + 60_000_000_000)
    assert np.array_equal(view.px.times[:, -1], view.bucket)
    return {"high": view.px["value"].max(axis=1), "low": view.px.value.min(axis=1)}


@node(vectorized=True)
def raises(view):
    if (view.x[:, -1] > 500).any():
        raise ValueError("too large")
    return view.x[:, -1]


@node(vectorized=True)
def of_another_shape(view):
    return view.x


@node(vectorized=True)
def writes(view):
    view.x[0, 0] = 1.0


def close(**more: Any) -> Any:
    return StreamInput("A", interval="1m", fields=("value",), **more)


def prices() -> dict[int, float]:
    moves = np.random.default_rng(1).normal(0, 1, len(TIMES))
    return dict(zip(TIMES, (100 + moves.cumsum()).tolist(), strict=True))


def events(order: list[int] | None = None) -> list[Any]:
    return [bar(ts, prices()[ts]) for ts in order or TIMES]


def test_it_says_what_the_plain_function_says() -> None:
    late = [*TIMES[:9], *TIMES[10:30], TIMES[9], *TIMES[30:]]
    for order in (TIMES, late):
        run = backtest(
            lambda: {"one": spread(x=close().value.window(4)), "many": spreads(x=close().value.window(4))},
            events(order),
        )
        assert repr(ledger(run, "one")) == repr(ledger(run, "many"))  # repr: of a NaN too
        assert len(table(run, "many")) > 30


def test_several_outputs_and_the_watermark() -> None:
    run = backtest(lambda: {"out": bounds(px=close().window(3)).high}, events())
    assert table(run)[300] == max(prices()[ts] for ts in (180, 240, 300))


@pytest.mark.parametrize("count", (1, 7, 30))
def test_what_raises_fails_at_the_row_that_does(count: int) -> None:
    """Whether the rows before it close with it or before it."""
    given = events()
    given[count:count] = [bar(60 * 100, 501.0)]
    run = backtest(lambda: {"out": raises(x=close().value.window(1))}, given)
    (failure,) = run.failures
    assert "too large" in str(failure)
    assert 6000 not in {bucket for bucket, value in table(run).items() if value == value}


def test_an_answer_of_another_shape_is_told() -> None:
    (failure,) = backtest(lambda: {"out": of_another_shape(x=close().value.window(4))}, events()).failures
    assert "one number per row" in str(failure) or "shape" in str(failure)


def test_windows_cannot_be_written() -> None:
    (failure,) = backtest(lambda: {"out": writes(x=close().value.window(4))}, events()).failures
    assert "read-only" in str(failure)


def test_spans_are_refused_when_it_is_built() -> None:
    with pytest.raises(UserError, match="vectorized"):
        backtest(lambda: {"out": spreads(x=close().value.window("4m"))}, events())
