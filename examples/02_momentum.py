"""Own functions, several intervals, a cross-section: what most strategies need.

Run it where `data/` holds bars of 1m and 5m of each symbol (`data/BTC-1m.csv`, `data/BTC-5m.csv` …); the tags say which
streams a query finds.
"""

from qmtl import Catalog, Runner, Strategy, StreamInput, TagQueryNode, cross, node, where


@node(outputs=("score",))
def damp(view, *, k: float):
    close = view.px["close"]  # read-only float64, oldest first, this input's window
    return k * (close[-1] / close.mean() - 1)


class Momentum(Strategy):
    k: float = 0.5
    symbols: tuple[str, ...] = ("BTC", "ETH", "XRP")

    def define(self):
        peers = TagQueryNode("spot AND crypto", interval="5m")  # a Panel: one lane per stream
        rank = cross.rank(peers.close.returns(12))  # across the lanes, per bucket
        for symbol in self.symbols:
            m1 = StreamInput(symbol, interval="1m", lateness="5s", on_late="recompute")
            m5 = m1.resample("5m")
            score = damp(px=m1.window(30), k=self.k).zscore(60)
            trend = m5.close.ema(12) > m5.close.ema(26)  # 5m, used as of its end at 1m
            self.output(f"score_{symbol}", score)
            self.target(m1, where(trend, score * (rank[symbol] - 0.5), 0.0).clip(-1, 1) / 3)


if __name__ == "__main__":
    files = Catalog("data/{id}-{interval}.csv", tags=("spot", "crypto"), tz="UTC")
    Runner.backtest(Momentum(), files).report("momentum.html")
