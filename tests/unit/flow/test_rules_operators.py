"""E17: built-in operators, their windows, their state, and NaN, through the SDK."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from qmtl import Event, StreamInput
from qmtl.core.flow.kernel import KernelKind
from qmtl.ops.registry import bind, operators

from unit.flow.sdk import SECOND, backtest, bar, ledger, table
from unit.ops.test_every_operator import parameters

NAN = math.nan
Outputs = dict[str, dict[int, list[float]]]
ROWS, BAD = 120, 60
FILLING = ("fillna", "ffill")  # nodes that fill: they say so


def close() -> Any:
    return StreamInput("A", interval="1m", fields=("close",)).close


def of_kind(kind: KernelKind) -> list[str]:
    named = {name: one for name, one in operators().items() if not one.cross and name not in FILLING}
    return [name for name in named if bind(name, parameters(name))[2].kind is kind]


WINDOWS, SCANS = of_kind(KernelKind.WINDOW), of_kind(KernelKind.SCAN)


def applied(names: list[str]) -> dict[str, Any]:
    """Every column of each operator over the bars of A, and of B where it has two inputs."""
    a, b = StreamInput("A", interval="1m"), StreamInput("B", interval="1m")
    found = {}
    for name in names:
        inputs = operators()[name].inputs
        on = a.close if "x" in inputs else a
        made = getattr(on, name)(*([b.close] if "y" in inputs else []), **parameters(name))
        columns = operators()[name].outputs
        for column in columns:
            found[f"{name} {column}"] = made if len(columns) == 1 else made[column]
    return found


def random_bars() -> list[Event]:
    chance = np.random.default_rng(7)
    found = []
    for stream in ("A", "B"):
        middle = 100 + chance.normal(0, 1, ROWS).cumsum()
        for row in range(ROWS):
            low, high = middle[row] - chance.random(), middle[row] + chance.random()
            first, last = chance.uniform(low, high, 2)
            fields = {"open": first, "high": high, "low": low, "close": last, "volume": 1 + chance.random()}
            found.append(Event(stream, row * 60 * SECOND, fields))
    return found


def changed(events: list[Event], value: float | None, *, rows: range = range(BAD, BAD + 1)) -> list[Event]:
    """The bars of `rows` with every field `value`, or without them."""
    times = {row * 60 * SECOND for row in rows}
    spoilt = [
        Event(one.stream, one.ts, dict.fromkeys(one.values, value) if isinstance(one.values, Mapping) else value)
        if one.ts in times
        else one
        for one in events
    ]  # fmt: skip
    return spoilt if value is not None else [one for one in events if one.ts not in times]


def outputs(names: list[str], events: list[Event]) -> Outputs:
    """Values of every operator, all its columns, by row."""
    run = backtest(lambda: applied(names), events)
    found: Outputs = {name: {} for name in names}
    for output in run[0].graph.outputs:
        for bucket, value in table(run, output).items():
            found[output.split()[0]].setdefault(bucket // 60, []).append(value)
    return found


@pytest.fixture(scope="module")
def bars_of_both() -> list[Event]:
    return random_bars()


@pytest.fixture(scope="module")
def clean(bars_of_both: list[Event]) -> Outputs:
    return outputs([*WINDOWS, *SCANS], bars_of_both)


@pytest.fixture(scope="module", params=[NAN, math.inf, -math.inf], ids=["nan", "inf", "-inf"])
def spoilt(request: pytest.FixtureRequest, bars_of_both: list[Event]) -> Outputs:
    return outputs([*WINDOWS, *SCANS], changed(bars_of_both, request.param))


@pytest.fixture(scope="module")
def holed(bars_of_both: list[Event]) -> Outputs:
    return outputs([*WINDOWS, *SCANS], changed(bars_of_both, None))


@pytest.fixture(scope="module")
def later(bars_of_both: list[Event]) -> Outputs:
    return outputs(WINDOWS, [one for one in bars_of_both if one.ts >= 37 * 60 * SECOND])


def window_rows(name: str) -> int:
    return int(bind(name, parameters(name))[2].rows)


def assert_same_bits(found: Any, wanted: Any, what: str) -> None:
    assert np.array(found).tobytes() == np.array(wanted).tobytes(), what


def test_e17_the_cases_hold_every_operator(clean: Outputs) -> None:
    assert set(clean) >= {"sma", "std", "corr", "ema", "rsi", "cumsum", "atr", "psar"}
    assert set(clean) == {*WINDOWS, *SCANS}


@pytest.mark.parametrize("name", WINDOWS)
def test_e17_nan_or_infinite_gives_nan_while_inside_a_finite_window(name: str, spoilt: Outputs) -> None:
    for row in range(BAD, BAD + window_rows(name)):
        assert all(map(math.isnan, spoilt[name][row])), f"{name} at row {row}: {spoilt[name][row]}"


@pytest.mark.parametrize("name", WINDOWS)
def test_e17_nan_or_infinite_leaves_without_trace(name: str, clean: Outputs, spoilt: Outputs) -> None:
    for row in [*range(window_rows(name), BAD), *range(BAD + window_rows(name), ROWS)]:
        assert_same_bits(spoilt[name][row], clean[name][row], f"{name} at row {row}")


@pytest.mark.parametrize("name", SCANS)
def test_e17_a_scan_gives_nan_for_that_bar_and_keeps_its_state(
    name: str, holed: Outputs, spoilt: Outputs
) -> None:
    """As if the bar had not been there: equal to the run over the rows without it."""
    assert all(map(math.isnan, spoilt[name][BAD]))
    for row in range(BAD + 1, ROWS):
        assert_same_bits(spoilt[name][row], holed[name][row], f"{name} at row {row}")


@pytest.mark.parametrize("name", WINDOWS)
def test_e17_a_window_operator_depends_on_its_window_alone(name: str, clean: Outputs, later: Outputs) -> None:
    """Begun 37 rows later it has the same bits as soon as it has a window."""
    for row in range(37 + window_rows(name), ROWS):
        assert_same_bits(later[name][row], clean[name][row], f"{name} at row {row}")


def test_e17_sma_over_holes_equals_talib_over_the_same_rows() -> None:
    """Prices in quarters, windows of 4: every sum is exact, so equal means equal."""
    talib = pytest.importorskip("talib")
    chance = np.random.default_rng(5)
    times = np.flatnonzero(chance.random(200) > 0.3) * 60
    prices = chance.integers(400, 440, len(times)) / 4
    run = backtest(
        lambda: {"out": close().sma(4)}, [bar(int(t), p) for t, p in zip(times, prices, strict=True)]
    )
    found = table(run)
    expected = talib.SMA(prices, 4)
    assert [found[t] for t in times.tolist()[3:]] == expected.tolist()[3:]
    gaps = [one for one in ledger(run) if one[1] == "gap"]
    assert gaps and all(math.isnan(found[bucket]) for _, _, bucket, *_ in gaps)


def test_e17_rsi_over_holes_equals_talib_over_the_same_rows() -> None:
    talib = pytest.importorskip("talib")
    chance = np.random.default_rng(6)
    times = np.flatnonzero(chance.random(200) > 0.3) * 60
    prices = 100 + chance.normal(0, 1, len(times)).cumsum()
    run = backtest(
        lambda: {"out": close().rsi(14)}, [bar(int(t), p) for t, p in zip(times, prices, strict=True)]
    )
    found = table(run)
    np.testing.assert_allclose(
        [found[t] for t in times.tolist()[14:]], talib.RSI(prices, 14)[14:], rtol=1e-12
    )


def test_e17_a_late_bar_corrects_the_n_minus_1_rows_after_it() -> None:
    """sma(3) with the bar of 240 last: its own gap, and the two rows after it."""
    items = [bar(60 * n, 4.0**n) for n in (0, 1, 2, 3, 5, 6, 7, 8)] + [bar(240, 0)]
    run = backtest(lambda: {"out": close().sma(3)}, items, finished=False)
    corrections = [(kind, bucket) for step, kind, bucket, *_ in ledger(run) if step == 8]
    assert corrections == [("correction", 240), ("correction", 300), ("correction", 360)]


def test_e17_by_default_an_operator_s_window_is_rows() -> None:
    """sum(2) at 120 reaches over the hole at 60."""
    run = backtest(lambda: {"out": close().sum(2)}, [bar(0, 1), bar(120, 4), bar(180, 8)])
    values = table(run)
    assert (values[120], values[180]) == (5, 12)
    assert math.isnan(values[60])


def test_e17_nothing_is_filled_silently() -> None:
    """A gap stays a gap through a chain of operators, and NaN stays NaN; fillna fills NaN, being asked to."""
    items = [bar(0, 1), bar(120, NAN), bar(180, 8)]

    def chain() -> dict[str, Any]:
        return {"plain": close() * 2, "filled": close().fillna(5) * 2}

    run = backtest(chain, items)
    assert [ledger(run, "plain")[n][1] for n in range(4)] == ["initial", "gap", "initial", "initial"]
    plain, filled = table(run, "plain"), table(run, "filled")
    assert (plain[0], plain[180]) == (2, 16) and math.isnan(plain[60]) and math.isnan(plain[120])
    assert (filled[0], filled[120], filled[180]) == (2, 10, 16) and math.isnan(filled[60])


def test_e17_a_scan_says_so() -> None:
    assert {"ema", "rsi", "cumsum", "atr"} <= set(SCANS)
    assert {"sma", "std", "min", "corr"} <= set(WINDOWS)
