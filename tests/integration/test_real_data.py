"""Real market data: what is missing is missing, and bars from trades are the exchange's own."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from qmtl import Catalog, Runner, Strategy, StreamInput, TagQueryNode, cross

DATA = Path(os.environ.get("QMTL_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "data"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not DATA.exists(), reason="needs the shared market data")]
PAIRS = ("ADA", "DASH", "ETC", "ETH", "LTC", "NXT", "TRX", "XLM", "XMR")


class Ranked(Strategy):
    def define(self) -> None:
        peers = TagQueryNode("pair", interval="5m")
        self.output("rank", cross.rank(peers.close.returns(1)))


def test_nine_pairs_miss_bars_exactly_where_they_do() -> None:
    run = Runner.backtest(Ranked(), Catalog(str(DATA / "{id}_BTC-5m.feather"), tags=("pair",)))
    missing = {}
    for pair in PAIRS:
        frame = run.frame(f"rank[{pair}]")
        missing[pair] = int(frame.iloc[1:, 0].isna().sum())
    assert {k: v for k, v in missing.items() if v} == {"ADA": 40, "TRX": 6, "DASH": 2, "XMR": 2, "ETC": 1}


class Bars(Strategy):
    def define(self) -> None:
        trades = StreamInput("XRP", fields=("price", "amount"))
        bars = trades.bars("1m")
        for name in ("open", "high", "low", "close", "volume"):
            self.output(name, getattr(bars, name))


def test_bars_of_trades_are_the_independent_bars() -> None:
    feather = pytest.importorskip("pyarrow.feather")
    theirs = feather.read_table(DATA / "XRP_ETH-1m.feather").to_pandas().set_index("date")
    run = Runner.backtest(Bars(), {"XRP": str(DATA / "XRP_ETH-trades.feather")}, origin="2019-10-11")
    for name in ("open", "high", "low", "close"):
        ours = run.frame(name)[name].dropna()
        assert len(ours) == 2469
        assert np.array_equal(ours.to_numpy(), theirs[name].to_numpy())
