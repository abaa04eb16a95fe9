"""Bad input: each kind has its clear error, naming place, value and cure, or its documented result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from qmtl import Catalog, Runner, Strategy, StreamInput, UserError, node

START = "2022-01-01"


class Averages(Strategy):
    """Reads close and high."""

    def define(self) -> None:
        btc = StreamInput("BTC", interval="1m")
        self.output("sma", btc.close.sma(3))
        self.output("high", btc.high.max(2))


def frame(count: int = 10, **columns: Any) -> pd.DataFrame:
    made = {
        "time": pd.date_range(START, periods=count, freq="1min", tz="UTC"),
        "open": 1.0,
        "high": 2.0,
        "low": 0.5,
        "close": np.arange(count) + 1.0,
        "volume": 1.0,
    }
    return pd.DataFrame(made | columns)


def backtest(data: Any, strategy: Strategy | None = None, **options: Any) -> Any:
    chosen = strategy or Averages()
    return Runner.backtest(chosen, data, **options)[chosen]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    frame().to_csv(tmp_path / "good.csv", index=False)
    frame().to_parquet(tmp_path / "good.parquet")
    frame().to_feather(tmp_path / "good.feather")
    return tmp_path


def _cut(source: str) -> Callable[[Path], bytes]:
    return lambda folder: (folder / source).read_bytes()[:200]


def _lines(change: Callable[[list[str]], list[str]]) -> Callable[[Path], bytes]:
    return lambda folder: "\n".join(change((folder / "good.csv").read_text().splitlines())).encode()


FILES: dict[str, tuple[str, Callable[[Path], bytes], str]] = {
    "a short row": ("a.csv", _lines(lambda x: [*x[:4], "2022-01-01 00:03,1,2"]), "row 4: a row has 3 cells"),
    "a text among numbers": (
        "a.csv",
        _lines(lambda x: [*x[:4], "2022-01-01 00:03:00+00:00,1,2,abc,4,1"]),
        "row 4, column 'low': a cell is not a number .*'abc'",
    ),
    "no header": ("a.csv", _lines(lambda x: x[1:]), "no header"),
    "nothing": ("a.csv", lambda folder: b"", "the file is empty"),
    "a header alone": ("a.csv", _lines(lambda x: x[:1]), "no row of data"),
    "bytes": ("a.csv", lambda folder: b"\x00\xff\xfe\x01" * 100, "cannot be read as CSV"),
    "a cut Parquet": ("a.parquet", _cut("good.parquet"), "cannot be read as Parquet"),
    "a cut Feather": ("a.feather", _cut("good.feather"), "cannot be read as Feather"),
    "a CSV called Parquet": ("a.parquet", _lines(lambda x: x), "is not Parquet"),
    "an unknown ending": ("a.xlsx", lambda folder: b"abc", "the ending '.xlsx' is unknown"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_malformed_file(case: str, folder: Path) -> None:
    name, content, told = FILES[case]
    (folder / name).write_bytes(content(folder))
    with pytest.raises(UserError, match=told) as error:
        backtest({"BTC": str(folder / name)})
    assert error.value.cure
    assert name in str(error.value)


def test_a_file_that_is_not_there_suggests_one_that_is(folder: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'good.csv'"):
        backtest({"BTC": str(folder / "god.csv")})


def _moved(by: str) -> pd.DataFrame:
    return frame().assign(time=frame()["time"] + pd.Timedelta(by))


def _naive() -> pd.DataFrame:
    return frame().assign(time=frame()["time"].dt.tz_localize(None))


REFUSED: dict[str, tuple[Callable[[], Any], dict[str, Any], str]] = {
    "times without a zone": (lambda: {"BTC": _naive()}, {}, 'the times have no zone.*tz="UTC"'),
    "an unknown zone": (lambda: {"BTC": Catalog(_naive(), tz="Mars")}, {}, "unknown time zone .*Mars"),
    "an empty time": (
        lambda: {"BTC": frame(time=[pd.NaT, *frame()["time"][1:]])},
        {},
        "row 1, column 'time'",
    ),
    "bars off the grid": (lambda: {"BTC": _moved("7s")}, {}, "does not start at a multiple of 1m"),
    "integers without a unit": (lambda: {"BTC": frame(time=np.arange(10))}, {}, "do not show the unit"),
    "a column that is not there": (
        lambda: {"BTC": frame().drop(columns="high")},
        {},
        "needs a field that is not there .*'high'",
    ),
    "another stream": (lambda: {"ETH": frame()}, {}, "no data for the stream 'BTC'.*ETH"),
    "no data": (dict, {}, "no data for the stream 'BTC'"),
    "a number as data": (lambda: {"BTC": 5}, {}, "no kind of data"),
    "an empty range": (lambda: {"BTC": frame()}, {"start": "2022-01-02", "end": START}, "the range is empty"),
    "a range before the data": (
        lambda: {"BTC": frame()},
        {"start": "2021-01-01", "end": "2021-02-01"},
        "no data",
    ),
    "a range after the data": (
        lambda: {"BTC": frame()},
        {"start": "2023-01-01", "end": "2023-02-01"},
        "no data between.*2022-01-01",
    ),
    "a time that is none": (lambda: {"BTC": frame()}, {"start": "yesterday"}, "start is not a time"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    data, options, told = REFUSED[case]
    with pytest.raises(UserError, match=told):
        backtest(data(), **options)


def test_nan_and_infinite_prices_pass_through_their_windows_alone() -> None:
    for odd in (np.nan, np.inf):
        close = [1.0, 2.0, 3.0, odd, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
        values = backtest({"BTC": frame(close=close)}).frame("sma")["value"].to_numpy()
        assert np.isnan(values[3:6]).all()
        assert values[2] == 2.0 and list(values[6:]) == [6.0, 7.0, 8.0, 9.0]


def test_negative_and_crossed_prices_are_computed_and_noted() -> None:
    chosen = Averages()
    run = Runner.backtest(chosen, {"BTC": frame(close=-1.0, high=0.1)})
    assert run[chosen].frame("sma")["value"].iloc[-1] == -1.0
    assert any("negative" in note for note in run.notes)


def test_repeated_rows_are_duplicates_and_revised_ones_win() -> None:
    """E7: the same again is dropped and counted; another value replaces."""
    whole = frame()
    again = backtest({"BTC": pd.concat([whole, whole.iloc[3:5]])})
    assert again.counters["BTC"]["duplicate"] == 2
    revised = backtest({"BTC": pd.concat([whole, whole.iloc[3:4].assign(close=99.0)])})
    assert revised.counters["BTC"]["used"] == 11
    assert revised.frame("sma")["value"].iloc[3] == (2 + 3 + 99) / 3


def test_unsorted_rows_are_replayed_in_the_order_of_time() -> None:
    one, other = backtest({"BTC": frame().iloc[::-1]}), backtest({"BTC": frame()})
    pd.testing.assert_frame_equal(one.frame("sma"), other.frame("sma"))


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "+05:30"])
def test_times_of_any_zone_are_the_same_instants(zone: str) -> None:
    moved = frame().assign(time=frame()["time"].dt.tz_convert(zone))
    pd.testing.assert_frame_equal(
        backtest({"BTC": moved}).frame("sma"), backtest({"BTC": frame()}).frame("sma")
    )


def _raises(view: Any) -> float:
    if view.c[-1] == 5.0:
        raise ValueError("five")
    return float(view.c[-1])


def _writes(view: Any) -> float:
    view.c[0] = 1.0
    return 1.0


ANSWERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "raises": (_raises, "00:04:00Z: ValueError: five"),
    "writes into its view": (_writes, "00:01:00Z: ValueError: .*read-only"),
    "answers a text": (lambda view: "abc", "00:01:00Z: ValueError: .*'abc'"),
    "answers an array": (lambda view: view.c, r"an array of shape \(2,\) where a number is expected"),
    "answers too much": (lambda view: (1.0, 2.0), "2 values for 1 outputs"),
}


class Failing(Strategy):
    """One node that fails, one that reads it, one that has nothing to do with it."""

    how: str = "raises"

    def define(self) -> None:
        btc = StreamInput("BTC", interval="1m")
        made = node(outputs=("value",))(ANSWERS[self.how][0])(c=btc.close.window(2))
        self.output("own", made.value)
        self.output("reader", made.value.sma(2))
        self.output("sma", btc.close.sma(3))


@pytest.mark.parametrize("how", ANSWERS)
def test_a_function_that_fails_halts_its_node_and_nothing_else(how: str) -> None:
    """Its node, bucket and cause are named; other nodes and other strategies go on as without it."""
    failing, other = Failing(how=how), Averages()
    run = Runner.backtest([failing, other], {"BTC": frame()})
    (told,) = run[failing].failures
    assert pd.Series([told]).str.contains(ANSWERS[how][1])[0], told
    assert __file__ in told or "test_bad_input" in told
    own = run[failing].frame("own")["value"]
    halted = 4 if how == "raises" else 1
    assert own.iloc[halted:].isna().all()
    assert run[failing].frame("reader")["value"].iloc[halted:].isna().all()
    alone = backtest({"BTC": frame()})
    pd.testing.assert_frame_equal(run[other].frame("sma"), alone.frame("sma"))
    pd.testing.assert_frame_equal(run[failing].frame("sma"), alone.frame("sma"))
