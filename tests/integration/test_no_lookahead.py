"""Real market data: with the future replaced by noise, the ledger and the account before stay the same, bit for bit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmtl import Catalog, Costs, Runner, Strategy, StreamInput, TagQueryNode, cross, node, where

DATA = Path(os.environ.get("QMTL_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "data"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not DATA.exists(), reason="needs the shared market data")]
NAMES = ("ADA", "DASH", "ETC", "ETH", "LTC", "NXT", "TRX", "XLM", "XMR")
PAIRS = Catalog(str(DATA / "{id}_BTC-5m.feather"), tags=("pair",))
BTC = Catalog(str(DATA / "btc-perp-20211231-20220201_1m.csv"), id="BTC", tz="UTC", stamp="close")
COSTS = Costs(fee_bps=5, slippage_bps=2)
CUTS = 50


class Momentum(Strategy):
    """Long the pairs that rose most, short those that fell most, by rank."""

    def define(self) -> None:
        peers = TagQueryNode("pair", interval="5m")
        momentum = peers.close.returns(12)
        self.output("zscore", cross.zscore(momentum))
        self.output("market", cross.mean(momentum))
        self.target(peers, (cross.rank(momentum) - 0.5) * 0.4)


@node(outputs=("span", "last"))
def of_the_hour(view):
    return float(view.px["high"].max() - view.px["low"].min()), float(view.px["close"][-1])


class Trend(Strategy):
    """One stream, read at three intervals by operators of every kind and by a function."""

    def define(self) -> None:
        btc = StreamInput("BTC", interval="1m")
        quarter = btc.resample("15m")
        hour = of_the_hour(px=btc.window("60m"), interval="5m")
        rising = btc.close.ema(12) > btc.close.ema(26)
        calm = btc.close.std(30) < btc.close.mad(90) * 3.0
        self.output("adx", btc.adx(14)["adx"])
        self.output("rank", btc.close.rank(50))
        self.output("quarter", quarter.close.rsi(6))
        self.output("span", hour.span)
        self.target(btc, where(rising & calm, 1.0, -0.5) * where(quarter.close > btc.close, 1.0, 0.5))


def late_pairs(bars: int, seed: int) -> dict[str, Any]:
    """The nine pairs with every twentieth bar 1 to 60 bars late."""
    feather = pytest.importorskip("pyarrow.feather")
    chance = np.random.default_rng(seed)
    found = {}
    for name in NAMES:
        frame = feather.read_table(DATA / f"{name}_BTC-5m.feather").to_pandas().iloc[:bars]
        late = np.where(chance.random(len(frame)) < 0.05, chance.integers(1, 61, len(frame)), 0)
        frame["at"] = frame["date"] + (late + 1) * np.timedelta64(5, "m")
        found[name] = Catalog(frame, id=name, tags=("pair",), columns={"time": "date", "at": "at"})
    return found


def test_nine_pairs_ranked_and_traded() -> None:
    found = Runner.check(Momentum(), PAIRS, cuts=CUTS, seed=1, costs=COSTS, end="2018-01-20")
    assert found, str(found)


def test_nine_pairs_that_come_late() -> None:
    data = late_pairs(120, 2)
    run = Runner.backtest(Momentum(), data, costs=COSTS)
    assert run.correction_count > 1_000
    found = Runner.check(Momentum(), data, cuts=CUTS, seed=2, costs=COSTS)
    assert found, str(found)


def test_one_stream_at_three_intervals() -> None:
    found = Runner.check(Trend(), BTC, cuts=CUTS, seed=3, costs=COSTS, end="2022-01-04")
    assert found, str(found)


def test_what_was_traded_is_no_trifle() -> None:
    """Accounts without fills would be equal too."""
    run = Runner.backtest(Momentum(), PAIRS, costs=COSTS, end="2018-01-12")
    assert len(run.portfolio.fills) > 3_000
    run = Runner.backtest(Trend(), BTC, costs=COSTS, end="2022-01-02")
    assert len(run.portfolio.fills) > 100
