"""Real market data: rows, holes and stamps exactly as they are. Skipped where the shared folder is absent."""

import os
from pathlib import Path

import numpy as np
import pytest

from qmtl.core.errors import UserError
from qmtl.core.flow.catalog import Catalog
from qmtl.core.flow.instant import parse_instant
from qmtl.runtime.sources import Wanted, list_streams, load

SHARED = Path(os.environ.get("QMTL_SHARED", Path(__file__).resolve().parents[4] / "shared"))
DATA = SHARED / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real market data at {DATA} (set QMTL_SHARED)")

MINUTE = 60_000_000_000
OHLC = ("open", "high", "low", "close")
OHLCV = (*OHLC, "volume")
BTC = DATA / "btc-perp-20211231-20220201_1m.csv"
GBP = DATA / "gbpusd-m1-bid-2012.csv"


def test_btc_times_have_no_zone_and_are_not_guessed() -> None:
    with pytest.raises(UserError, match="the times have no zone"):
        load({"BTC": BTC}, [Wanted("BTC", MINUTE, OHLCV)])


def test_btc_stamps_are_closes_so_volume_jumps_in_the_minutes_that_start_the_eighths_of_the_day() -> None:
    data = {"BTC": Catalog(BTC, tz="UTC", stamp="close")}
    arrivals = load(data, [Wanted("BTC", MINUTE, OHLCV)], finished=False)
    assert arrivals.events == 45_031 and arrivals.notes == ()
    assert arrivals.event_ns[0] == parse_instant("2021-12-31T23:00Z", "start")
    of_day = (arrivals.event_ns // MINUTE) % 1440
    volume = arrivals.values[0][:, 4]
    mean = np.bincount(of_day, volume) / np.bincount(of_day)
    for minute in (0, 480, 960):
        assert mean[minute] > 1.2 * mean[minute - 1] > mean[minute - 2]


def test_gbpusd_has_no_volume_and_rests_at_weekends() -> None:
    with pytest.raises(UserError, match="'volume'"):
        load({"GBPUSD": GBP}, [Wanted("GBPUSD", MINUTE, OHLCV)])
    arrivals = load({"GBPUSD": GBP}, [Wanted("GBPUSD", MINUTE, OHLC)], finished=False)
    days = arrivals.event_ns // (1440 * MINUTE)
    weekday = (days + 3) % 7  # 1970-01-01 was a Thursday
    assert 29_000 < arrivals.events < 31_000 and not np.any(weekday == 5)
    steps = np.diff(arrivals.event_ns) // MINUTE
    assert np.count_nonzero(steps > 1440) >= 3 and np.count_nonzero((steps > 1) & (steps < 10)) > 0


def test_nine_pairs_have_the_bars_they_have() -> None:
    catalog = Catalog(f"{DATA}/{{id}}_BTC-{{interval}}.feather", tags=("spot", "crypto"))
    listed = list_streams(catalog)
    assert len(listed) == 9 and {one.interval_ns for one in listed} == {5 * MINUTE}
    arrivals = load(catalog, [Wanted(one.id, one.interval_ns, OHLCV) for one in listed])
    missing = {
        key.id: 5760 - len(values) for key, values in zip(arrivals.sources, arrivals.values, strict=True)
    }
    some = {name: count for name, count in missing.items() if count}
    assert some == {"ADA": 40, "TRX": 6, "DASH": 2, "XMR": 2, "ETC": 1}
    assert (
        arrivals.events == sum(5760 - count for count in missing.values())
        and len(arrivals) == arrivals.events + 9
    )
    assert np.all(np.diff(arrivals.available_ns) >= 0)


def test_five_minute_bars_are_not_one_minute_bars() -> None:
    with pytest.raises(UserError, match="5m apart"):
        load({"ETH": DATA / "ETH_BTC-5m.feather"}, [Wanted("ETH", MINUTE, OHLCV)])


def test_trades_have_unique_integer_ids_and_share_milliseconds() -> None:
    path = DATA / "XRP_ETH-trades.feather"
    arrivals = load({"XRP": path}, [Wanted("XRP", None, ("price", "amount"))], finished=False)
    ids = arrivals.event_id[0]
    assert arrivals.events == 12_477 and ids is not None and ids.dtype == np.int64
    assert len(np.unique(ids)) == 12_477 > len(np.unique(arrivals.event_ns))
    assert not np.any(arrivals.event_ns % 1_000_000) and np.array_equal(
        arrivals.event_ns, arrivals.available_ns
    )


def test_trades_add_up_to_the_independent_minute_bars() -> None:
    data = {("XRP", None): DATA / "XRP_ETH-trades.feather", ("XRP", "1m"): DATA / "XRP_ETH-1m.feather"}
    arrivals = load(
        data, [Wanted("XRP", None, ("price", "amount")), Wanted("XRP", MINUTE, OHLCV)], finished=False
    )
    ticks, bars = arrivals.values
    starts = arrivals.event_ns[arrivals.source == 1]
    bucket = arrivals.event_ns[arrivals.source == 0] // MINUTE * MINUTE
    first = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    assert len(bars) == 2469 and np.array_equal(bucket[first], starts)
    assert np.array_equal(ticks[first, 0], bars[:, 0])
    assert np.array_equal(np.maximum.reduceat(ticks[:, 0], first), bars[:, 1])
