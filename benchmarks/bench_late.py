"""One bar k buckets late, after N bars in order; and the same bar again with another value.

What it costs must depend on the buckets it corrects (and the distance to a copy of a scan's state), not on how long
the stream has run. Between two late bars the stream goes on for as long as a bar is late; that is not timed. The values
at the end are those of the bars in order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import numpy as np

from engines import Fed, batch, engine_for, walk
from figures import Figure, Lines, case, show
from harness import keep, options
from qmtl import Panel, Series, Strategy, StreamInput, cross
from qmtl.core.flow.layout import H_RECORD_COUNT
from qmtl.core.flow.timeline import COPY
from qmtl_forms import Batch

TITLE = "A late bar"
BACK = (1, 10, 100, 1_000)
AFTER = {"10k": 10_000, "100k": 100_000, "1M": 1_000_000}
ONE_BY_ONE = 50
TURNS = 15  # late bars in a round; their median counts
FLAT, PROPORTIONAL = 1.5, 1.5


@dataclass(frozen=True)
class Family:
    series: Callable[[list[StreamInput]], Series]
    symbols: int = 1
    minutes: int = 1  # of a bucket


FAMILIES = {
    "window: sma(20)": Family(lambda streams: streams[0].close.sma(20)),
    "window: zscore(60)": Family(lambda streams: streams[0].close.zscore(60)),
    "scan: ema(200)": Family(lambda streams: streams[0].close.ema(200)),
    "map: close / open": Family(lambda streams: streams[0].close / streams[0].open),
    "cross: mean of 10": Family(
        lambda streams: cross.mean(Panel({str(n): each.close for n, each in enumerate(streams)})), 10
    ),
    "resample: 5m volume": Family(lambda streams: streams[0].resample("5m").volume, minutes=5),
}


class One(Strategy):
    """One node of a family over its streams."""

    family: str = ""

    def define(self) -> None:
        of = FAMILIES[self.family]
        self.output("made", of.series([StreamInput(name, interval="1m") for name in names(of)]))


def names(of: Family) -> tuple[str, ...]:
    return tuple(f"S{number}" for number in range(of.symbols))


@dataclass(frozen=True)
class Cost:
    seconds: float  # of one late bar
    corrected: float  # buckets of the node that got another value


def measure(family: str, after: int, back: int, revised: bool, turns: int, checked: bool) -> Cost:
    """Late bars one after the other, each `back` buckets behind; the outcome is that of the bars in order."""
    of = FAMILIES[family]
    after, step = after // of.symbols, (back + 1) * of.minutes
    minutes = after + turns * step
    bars = walk(minutes, of.symbols)
    fed = engine_for(One(family=family), names(of), minutes)
    minute, symbol = np.repeat(np.arange(minutes), of.symbols), np.tile(np.arange(of.symbols), minutes)
    given = bars
    if revised:  # the first version of a bar is another one
        given = bars.copy()
        given[after::step, 0, -2:] *= 1.001  # close and volume
    fed.engine.advance(batch(bars, minute[: after * of.symbols], symbol[: after * of.symbols]))
    taken, corrected = [], []
    for first in range(after, minutes, step):
        part = slice(first * of.symbols + (0 if revised else 1), (first + step) * of.symbols)
        rest = batch(given, minute[part], symbol[part])
        late = batch(bars, np.array([first]), np.array([0]), first + step - 1)
        _go_on(fed, rest)
        before = int(fed.engine.flow.log.head[H_RECORD_COUNT])
        began = perf_counter()
        fed.engine.advance(late)
        taken.append(perf_counter() - began)
        corrected.append(
            int(fed.engine.flow.log.head[H_RECORD_COUNT]) - before - 1
        )  # one is the stream's own
    if checked:
        _check(fed, family, bars, minute, symbol)
    return Cost(median(taken), median(corrected))


def _go_on(fed: Fed, rest: Batch) -> None:
    """In one call, but for the last bars: they come one by one, as late ones do, so that no code is cold."""
    count = len(rest.kind)
    single = max(count - ONE_BY_ONE, 0)
    fed.engine.advance(rest, 0, single)
    for at in range(single, count):
        fed.engine.advance(rest, at, at + 1)


def _check(fed: Fed, family: str, bars: np.ndarray, minute: np.ndarray, symbol: np.ndarray) -> None:
    of, minutes = FAMILIES[family], len(bars)
    ordered = engine_for(One(family=family), names(of), minutes)
    ordered.engine.advance(batch(bars, minute, symbol))
    whole = minutes - of.minutes  # the last bucket is open
    if not np.array_equal(fed.column("made", whole), ordered.column("made", whole), equal_nan=True):
        raise AssertionError(f"{family}: late bars end in other values than bars in order")


def main() -> None:
    given = options(tuple(AFTER), __doc__)
    sizes = {name: AFTER[name] for name in (given.sizes if not given.quick else ("10k", "100k"))}
    turns, rounds = (5, 1) if given.quick else (TURNS, min(given.rounds, 3))
    cases = {}
    for family in FAMILIES:
        if not given.chosen(family):
            continue
        for revised in (False, True):
            costs = {
                (after, back): min(
                    (measure(family, after, back, revised, turns, n == 0) for n in range(rounds)),
                    key=lambda cost: cost.seconds,
                )
                for back in BACK
                for after in sizes.values()
            }
            label = f"{family}, {'revised' if revised else 'late'}"
            cases[label] = told(label, costs, list(sizes.values()))
    keep("late", TITLE, cases, given)


def told(label: str, costs: dict[tuple[int, int], Cost], sizes: list[int]) -> dict[str, object]:
    """Prints the costs of a family, and gives what is kept of them."""
    micro = {f"{back:,} back": [costs[after, back].seconds * 1e6 for after in sizes] for back in BACK}
    lines = Lines("after so many bars", sizes, micro, "µs")
    most = max(values[-1] / values[0] for values in micro.values())
    at = {back: costs[sizes[0], back] for back in BACK}
    more = at[1_000].corrected - at[100].corrected
    unit = (at[100].seconds - at[1].seconds) / max(at[100].corrected - at[1].corrected, 1)
    said = at[100].seconds + unit * (more + COPY if more else 0)
    figures = {
        f"after {sizes[-1]:,} bars, of after {sizes[0]:,}": Figure(most, "×", FLAT),
        "1,000 back, of what its corrected buckets say": Figure(
            at[1_000].seconds / said, "×", PROPORTIONAL, f"{at[1_000].corrected:,.0f} corrected"
        ),
        "a bucket further back": Figure((at[1_000].seconds - at[100].seconds) / 900 * 1e9, "ns"),
    }
    show(f"{TITLE}: {label}", figures, lines)
    return case(figures, lines, corrected={f"{back:,}": at[back].corrected for back in BACK})


if __name__ == "__main__":
    main()
