"""Prints the ids of a strategy that uses a little of everything, as `node_ids.json` keeps them."""

from __future__ import annotations

import json
from typing import Any

from qmtl import Panel, Strategy, StreamInput, TagQueryNode, cross, node, where
from qmtl.core.graph.expand import expand
from qmtl.sdk.strategy import build

SCALE = 3.0


def helper(x: Any) -> Any:
    return SCALE * x


@node(outputs=("score",))
def damp(view: Any, *, k: float) -> Any:
    close = view.px["close"]
    return helper(k * (close[-1] / close.mean() - 1))


@node(outputs=("low", "high"))
def both(view: Any, watermark: int) -> Any:
    return {"low": view.price.min(), "high": view.price.max()}


class Everything(Strategy):
    k: float = 0.5

    def define(self) -> None:
        btc = StreamInput("BTC", interval="1m", lateness="5s", idle_timeout="1m")
        ticks = StreamInput("BTC", identity="position")
        m5 = btc.resample("5m")
        score = damp(px=btc.window(30), k=self.k)
        extremes = both(price=ticks.price.window("10s"), interval="1m", on_missing="fail")
        trend = m5.close.ema(12) > m5.close.ema(26)
        peers = TagQueryNode("spot AND asset in {BTC,ETH}", interval="5m", period=3)
        returns = peers.close.returns(12)
        rank = cross.rank(returns, min_count=2)
        named = cross.demean(Panel({"fast": btc.close.ema(3), "slow": btc.close.ema(9)}))
        self.output("score", score.zscore(60))
        self.output("extremes", (extremes.high - extremes.low) / ticks.bars("1m").close)
        self.output("atr", btc.atr(14))
        self.output("macd", btc.close.macd(12, 26, 9).signal)
        self.output("corr", m5.close.corr(btc.close, 20))
        self.output("returns", returns)
        self.output("rank", rank - 0.5)
        self.output("named", named["fast"])
        self.target(btc, where(trend, score * rank["BTC"], -0.0).clip(-1, 1) / 3)


def main() -> None:
    (graph,) = expand(
        [build(Everything())], lambda query: [("BTC", {"spot", "asset=BTC"}), ("ETH", {"spot", "asset=ETH"})]
    )
    ids = {name: column.node.node_id for name, column in graph.outputs.items()}
    ids |= {f"target {name}": column.node.node_id for name, (_, column) in graph.targets.items()}
    print(json.dumps(ids, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
