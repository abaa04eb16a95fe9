"""The look-ahead check finds what it is for: a node that peeks, and an account that trades before it could know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qmtl import Event, Runner, Strategy, StreamInput, node
from qmtl.core.control.portfolio import Decisions
from qmtl.core.errors import UserError
from qmtl.runtime import backtest, lookahead, trading
from qmtl.runtime.lookahead import first_difference

MINUTE = 60_000_000_000
BARS = 120


def bars(seed: int = 1, late: bool = False) -> list[Event]:
    """A random walk; `late`: one bar in six comes some bars later."""
    chance = np.random.default_rng(seed)
    opens = 100 * np.exp(chance.normal(0, 0.01, BARS).cumsum())
    closes = opens * np.exp(chance.normal(0, 0.01, BARS))
    delay = np.where(chance.random(BARS) < 1 / 6, chance.integers(1, 20, BARS), 0) if late else np.zeros(BARS)
    made = [Event("A", n * MINUTE, {"open": opens[n], "close": closes[n]}) for n in range(BARS)]
    return [made[n] for n in np.argsort(np.arange(BARS) + delay, kind="stable")]


class Follow(Strategy):
    """All in where the last bar rose."""

    def define(self) -> None:
        a = StreamInput("A", interval="1m", fields=("open", "close"))
        self.target(a, a.close > a.open)


def peek(row: int) -> float:
    """The close of a row that has not arrived: see `with_future`."""
    return float(np.future[min(row, BARS - 1)])  # type: ignore[attr-defined]


@node
def tomorrow(view):
    return peek(view.bucket // MINUTE + 1)


class Peeks(Strategy):
    def define(self) -> None:
        self.output("tomorrow", tomorrow(x=StreamInput("A", interval="1m", fields=("open", "close")).close))


@pytest.mark.parametrize("late", (False, True))
def test_an_honest_strategy_passes(late: bool) -> None:
    found = Runner.check(Follow(), bars(late=late), cuts=20, seed=1)
    assert found, str(found)
    assert str(found) == "no look-ahead at 20 cuts"


def test_a_node_that_peeks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = backtest.execute

    def with_future(nodes: Any, arrivals: Any, **options: Any) -> Any:
        monkeypatch.setattr(np, "future", arrivals.values[0][:, 1], raising=False)
        return honest(nodes, arrivals, **options)

    monkeypatch.setattr(backtest, "execute", with_future)
    found = Runner.check(Peeks(), bars(), cuts=20, seed=1)
    assert not found
    assert found.node == "tomorrow"
    assert str(found).startswith("tomorrow (") and "sees the future" in str(found)


@pytest.mark.parametrize("late", (False, True))
def test_an_account_that_trades_a_bar_too_early_is_found(late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = trading._decisions

    def early(*given: Any) -> Decisions:
        bucket, decided, weight = honest(*given)
        return Decisions(bucket - MINUTE, decided - MINUTE, weight)

    monkeypatch.setattr(trading, "_decisions", early)
    found = Runner.check(Follow(), bars(late=late), cuts=20, seed=1)
    assert not found
    assert found.node == "the account of Follow (fills)"


def test_an_account_marked_at_prices_to_come_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = trading._traded

    def early(*given: Any) -> Any:
        stream = honest(*given)
        return replace(stream, close=np.append(stream.close[1:], stream.close[-1:]))

    monkeypatch.setattr(trading, "_traded", early)
    found = Runner.check(Follow(), bars(), cuts=20, seed=1)
    assert not found
    assert found.node == "the account of Follow (equity)"


def test_every_column_of_a_ledger_is_compared() -> None:
    run = Runner.backtest(Follow(), bars())
    ledger = run.results[0]
    group, lane = ledger.place(ledger.find("A").node)
    told = lookahead.emissions(ledger._executed.engine, group, lane, 0)
    assert first_difference(told, told) is None
    for name in told.__slots__:
        column = getattr(told, name).copy()
        column[7] = "gap" if name == "kind" else ~column[7] if column.dtype == bool else 12_345
        assert first_difference(told, replace(told, **{name: column})) == 7, name
    assert first_difference(told, told.take(np.arange(50))) == 50


def test_options_are_those_of_a_backtest() -> None:
    assert Runner.check(Follow(), bars(), cuts=3, start="1970-01-01T00:30Z", end="1970-01-01T01:30Z")
    with pytest.raises(UserError, match="the range is empty"):
        Runner.check(Follow(), bars(), start="2020-01-02", end="2020-01-01")
    with pytest.raises(TypeError):
        Runner.check(Follow(), bars(), ends="2020-01-01")  # type: ignore[call-arg]
