"""A trend follower on one stream: the smallest complete strategy.

qmtl run examples/01_trend.py --data BTC=btc.csv --tz UTC --report trend.html
"""

from qmtl import Runner, Strategy, StreamInput, where


class Trend(Strategy):
    fast: int = 12
    slow: int = 26

    def define(self):
        btc = StreamInput("BTC", interval="1m")
        edge = btc.close.ema(self.fast) - btc.close.ema(self.slow)
        self.target(btc, where(edge > 0, 1.0, 0.0))


if __name__ == "__main__":
    Runner.backtest(Trend(), {"BTC": "btc.parquet"}, start="2022-01-03", end="2022-02-01").report(
        "trend.html"
    )
