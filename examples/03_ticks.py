"""Trades to bars, and a node that reads the trades themselves.

qmtl run examples/03_ticks.py --data BTC=trades.csv --tz UTC
"""

from qmtl import Runner, Strategy, StreamInput, node, where


@node(outputs=("share",))
def bought(view):
    """How much of the volume of a minute traded above the minute's first price."""
    price, size = view.trades["price"], view.trades["amount"]
    return size[price > price[0]].sum() / size.sum()


class Pressure(Strategy):
    def define(self):
        trades = StreamInput("BTC", fields=("price", "amount"), identity="position", lateness="2s")
        bars = trades.bars("1m")
        share = bought(trades=trades.window("1m"), interval="1m")
        self.output("close", bars.close)
        self.output("pressure", where(share > 0.5, 1.0, -1.0).sma(5))


if __name__ == "__main__":
    Runner.backtest(Pressure(), {"BTC": "trades.csv"}).report("pressure.html")
