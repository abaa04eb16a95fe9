"""Slices that are known are taken, and change nothing (R6, E15): not a value, a version, a step or a failure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qmtl import Event, Panel, StreamInput, cross, node, where
from qmtl.core.flow.reuse import Slice, pieces
from qmtl.core.flow.timeline import FAILED, HALTED

from unit.flow.sdk import SECOND, backtest

MINUTES = 400


@node
def spread(view, *, k: float = 1.0):
    return float(view.x[-1] - k * view.x[0])


@node
def picky(view, watermark):
    return None if view.x[-1] > 101 else view.x.sum() + watermark % 7


@node(outputs=("low", "high"))
def bounds(view):
    return view.px["value"].min(), view.px["value"].max() + len(view.px.times)


@node
def either(view):
    left, right = (float(np.nansum(one)) if len(one) else 0.5 for one in (view.x, view.y))
    return left - right


@node
def fails(view):
    if view.x[-1] > 104:
        raise ValueError("too high")
    return view.x[-1]


@node
def traded(view):
    return float(len(view.t["price"])) + float(view.t["price"].sum())


def outputs() -> dict[str, Any]:
    a, b = (StreamInput(name, interval="1m", fields=("value",), lateness="1m") for name in "AB")
    ticks = StreamInput("T", fields=("price",))
    five = StreamInput("F", interval="5m", fields=("value",))
    x, y = a.value, b.value
    first = spread(x=x.window(7))
    risen = where(x > x.sma(5), x)
    return {
        "first": first,
        "second": spread(x=(first + y).window(3), k=2.0),
        "picky": picky(x=x.window(4)),
        "bounds": bounds(px=a.window(5)).high,
        "span": bounds(px=a.window("6m")).low,
        "holes": spread(x=risen.window(3)),
        "optional": either(x=x.window(3), y=y.window(4, required=False)),
        "coarse": either(x=x.window(2), y=five.value.window(3)),
        "coarse span": either(x=x.window(2), y=five.value.window("20m", required=False)),
        "finer": either(x=five.value.window(2), y=x.window(8), interval="5m"),
        "finer span": either(x=five.value.window(2), y=x.window("9m", complete=True), interval="5m"),
        "ticks": traded(t=ticks.window("3m"), interval="1m"),
        "fails": fails(x=y.window(2)),
        "after": spread(x=fails(x=y.window(2)).window(2)),
        "strict": spread(x=risen.window(2), on_missing="fail"),
        "across": cross.mean(Panel({"A": first, "B": spread(x=y.window(7))})),
    }


def events(seed: int, minutes: int = MINUTES, calm: bool = False) -> list[Event]:
    """Bars and ticks; unless `calm` with holes, late bars, revisions and repetitions."""
    chance = np.random.default_rng(seed)
    found: list[tuple[float, Event]] = []
    for stream in "AB":
        price = 100.0
        for minute in range(minutes):
            price += float(chance.normal(0, 0.4))
            fate = 1.0 if calm else float(chance.random())
            if fate < 0.03:
                continue
            late = float(chance.integers(1, 9)) if fate < 0.06 else 0.0
            one = Event(stream, minute * 60 * SECOND, price, interval="1m")
            found.append((minute + late, one))
            if fate > 0.99 and not calm:
                again = Event(stream, minute * 60 * SECOND, price + 1, interval="1m")
                found.append((minute + float(chance.integers(1, 6)), again))
    for minute in range(0, minutes, 5):
        if calm or chance.random() > 0.1:
            one = Event("F", minute * 60 * SECOND, float(chance.normal(100, 1)), interval="5m")
            found.append((minute + 4.5, one))
    for number in range(minutes * 2):
        at = float(chance.uniform(0, minutes))
        tick = Event("T", int(at * 60) * SECOND, float(chance.normal(50, 1)), id=number)
        found.append((at - 0.5 + (0 if calm or chance.random() > 0.05 else 4), tick))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def changed(given: list[Event], stream: str, value: float | None, seed: int) -> list[Event]:
    """With another value of every tenth event of a stream, or without them."""
    mine = [number for number, one in enumerate(given) if one.stream == stream][seed::10]
    found = []
    for number, one in enumerate(given):
        if number not in mine:
            found.append(one)
        elif value is not None:
            found.append(Event(stream, one.ts, value, interval=one.interval, id=one.id, at=one.at))
    return found


class Kept:
    """Slices in a dictionary."""

    def __init__(self, span: int = 16) -> None:
        self.span, self.known, self.hits, self.made = span, dict[Any, Slice](), 0, 0

    def find(self, node: Any, window: bytes, bucket: int, rows: int) -> Slice | None:
        found = self.known.get((node.node_id, window))
        assert found is None or len(found.status) == rows
        self.hits += found is not None
        return found

    def computed(self, node: Any, window: bytes, bucket: int, made: Slice) -> None:
        assert not np.isin(made.status, (FAILED, HALTED)).any()
        self.made += 1
        self.known[node.node_id, window] = made

    def flush(self) -> None:
        """Nothing to make durable."""

    def told(self) -> tuple[int, int]:
        """How many slices were known since the last time, and how many were computed."""
        told, self.hits, self.made = (self.hits, self.made), 0, 0
        return told


def said(run: Any) -> dict[str, Any]:
    """Everything a run says of every output."""
    found: dict[str, Any] = {"failures": run.failures, "counters": run.counters}
    for name in outputs():
        rows = run.ledger(name, kind="arrow").to_pydict()
        rows.pop("node"), rows.pop("label")
        found[name] = {key: list(map(repr, column)) for key, column in rows.items()}
    return found


@pytest.mark.parametrize("calm", (True, False), ids=("calm", "rough"))
@pytest.mark.parametrize("seed", range(2))
def test_what_is_known_changes_nothing(seed: int, calm: bool) -> None:
    given = events(seed, calm=calm)
    wanted, kept = said(backtest(outputs, given)), Kept()
    assert sum(len(one["value"]) for one in wanted.values() if "value" in one) > 5 * MINUTES
    assert said(backtest(outputs, given, cache=kept)) == wanted
    assert kept.told()[1] > 100
    assert said(backtest(outputs, given, cache=kept)) == wanted
    known, made = kept.told()
    assert known > 100 and made == 0  # slices that fail are computed again, and never kept


@pytest.mark.parametrize("seed", range(2))
def test_what_other_data_left_behind_changes_nothing(seed: int) -> None:
    """Slices of a longer run, of other cuts, and of data that differ in one bar."""
    given, kept = events(seed), Kept()
    backtest(outputs, given, cache=kept)
    kept.told()
    shorter = given[: len(given) * 2 // 3]
    assert said(backtest(outputs, shorter, cache=kept)) == said(backtest(outputs, shorter))
    assert kept.told()[0] > 50
    for stream, change in (("A", 99.5), ("B", 0.0), ("B", None), ("F", 90.0), ("T", 0.0)):
        other = changed(given, stream, change, seed)
        assert said(backtest(outputs, other, cache=kept)) == said(backtest(outputs, other))
        assert kept.told()[0] > 50
    kept.span = 10
    assert said(backtest(outputs, given, cache=kept)) == said(backtest(outputs, given))


def test_slices_end_at_fixed_boundaries() -> None:
    minute = 60 * SECOND
    assert list(pieces(-3 * minute, 40, minute, 16)) == [(0, 3), (3, 19), (19, 35), (35, 39), (39, 40)]
    assert list(pieces(16 * minute, 16, minute, 16)) == [(0, 16)]
    assert list(pieces(5 * minute, 2, minute, 16)) == [(0, 1), (1, 2)]
    assert list(pieces(0, 1000, minute, 1024)) == [(0, 512), (512, 768), (768, 896), (896, 960), (960, 1000)]
    assert list(pieces(70 * minute, 90, minute, 1024)) == [(0, 90)]
