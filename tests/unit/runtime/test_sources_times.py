"""Times in files: no zone is guessed, a unit of integers only where their size shows it; open and close stamps."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from qmtl.core.errors import UserError
from qmtl.core.flow.catalog import Catalog
from qmtl.runtime.arrivals import Arrivals
from qmtl.runtime.sources import Wanted, load

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
START = 1_641_168_000_000_000_000  # 2022-01-03T00:00Z


def read(times: Any, interval: int | None = MINUTE, name: str = "timestamp", **options: Any) -> Arrivals:
    table = pa.table({name: times, "x": pa.array([1.0] * len(times))})
    return load({"A": Catalog(table, id="A", **options)}, [Wanted("A", interval, ("x",))], finished=False)


def first(times: Any, interval: int | None = MINUTE, **options: Any) -> int:
    return int(read(times, interval, **options).event_ns[0])


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_integers_count_in_the_unit_their_size_shows(unit: int) -> None:
    assert first([START // unit]) == START


@pytest.mark.parametrize("times", [[20_220_103], [0], [-5], [1_641_168_000, 1_641_168_060_000]])
def test_integers_that_show_no_unit_are_refused(times: list[int]) -> None:
    with pytest.raises(UserError, match="do not show the unit") as caught:
        read(times)
    assert "time_unit" in caught.value.cure


def test_the_unit_can_be_said() -> None:
    assert first([0, 60], time_unit="s") == 0
    assert read([0, 60], time_unit="s").event_ns[1] == MINUTE


def test_a_wrong_unit_overflows_with_the_row() -> None:
    with pytest.raises(UserError, match=r"row 1, column 'timestamp'.*1678 to 2261"):
        read([START], time_unit="s")


def test_whole_floats_are_integers_and_others_are_refused() -> None:
    assert first([START / 1e9]) == START
    with pytest.raises(UserError, match="row 2.*not a whole number"):
        read([START / 1e9, START / 1e9 + 0.5], interval=None)


@pytest.mark.parametrize(
    "text", ["2022-01-03T00:00:00Z", "2022-01-03 01:00:00.000+01:00", " 2022-01-02 19:00-0500"]
)
def test_texts_with_a_zone(text: str) -> None:
    assert first([text]) == START


NAIVE = [
    ["2022-01-03 00:00:00"],
    ["2022-01-03"],
    pa.array([START], pa.timestamp("ns")),
    pa.array([18995], pa.date32()),
]


@pytest.mark.parametrize("times", NAIVE, ids=["text", "day", "timestamp", "date"])
def test_naive_times_need_a_zone(times: Any) -> None:
    with pytest.raises(UserError, match="the times have no zone") as caught:
        read(times)
    assert 'tz="UTC"' in caught.value.cure and "2022-01-03" in str(caught.value.value)
    assert first(times, tz="UTC") == START
    assert first(times, tz="America/New_York") == START + 5 * HOUR
    assert first(times, tz="+01:00") == START - HOUR


def test_tz_does_not_move_times_that_carry_a_zone() -> None:
    assert first(["2022-01-03T00:00:00Z"], tz="Asia/Tokyo") == START


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(UserError, match="unknown time zone"):
        read(["2022-01-03"], tz="Mars/Olympus")


@pytest.mark.parametrize(("bad", "why"), [("2022-03-27 01:30", "never"), ("2022-10-30 01:30", "twice")])
def test_a_local_time_that_is_not_one_moment_is_named(bad: str, why: str) -> None:
    with pytest.raises(UserError, match=f"row 2, column 'timestamp'.*{why}.*Europe/London"):
        read(["2022-01-03 00:00", bad], tz="Europe/London")


def test_a_text_that_is_no_time_is_named() -> None:
    with pytest.raises(UserError, match="row 3, column 'timestamp'.*is not a time.*'soon'"):
        read(["2022-01-03T00:00:00Z", "2022-01-03T00:01:00Z", "soon", "later"])


def test_zones_on_some_rows_only_are_refused() -> None:
    with pytest.raises(UserError, match="row 2.*with zone like the first"):
        read(["2022-01-03T00:00:00Z", "2022-01-03T00:01:00"])


@pytest.mark.parametrize(
    "missing", [pa.array([START, None], pa.timestamp("ns", "UTC")), pa.array(["2022-01-03T00:00Z", None])]
)
def test_a_missing_time_is_named(missing: Any) -> None:
    with pytest.raises(UserError, match="row 2, column 'timestamp': a cell is empty"):
        read(missing)


def test_a_time_that_nanoseconds_cannot_hold_is_named() -> None:
    with pytest.raises(UserError, match="row 1.*1678 to 2261"):
        read(pa.array([10**11], pa.timestamp("s", "UTC")))


def test_stamp_close_means_the_bar_started_an_interval_earlier() -> None:
    arrivals = read([START], stamp="close")
    assert arrivals.event_ns[0] == START - MINUTE and arrivals.available_ns[0] == START


def test_stamps_do_not_move_ticks() -> None:
    arrivals = read([START], interval=None, stamp="close")
    assert arrivals.event_ns[0] == arrivals.available_ns[0] == START


def test_an_unknown_stamp_is_refused() -> None:
    with pytest.raises(UserError, match="unknown stamp.*'middle'"):
        Catalog("a.csv", stamp="middle")


@pytest.mark.parametrize("name", ["timestamp", "Time", "DATE", "datetime", "ts", "open_time", "whatever"])
def test_the_time_column_has_a_known_name_or_is_the_first(name: str) -> None:
    assert first([START // 10**6], name=name) == START


def test_two_time_columns_are_refused_until_one_is_named() -> None:
    table = pa.table({"open_time": [START], "ts": [START + MINUTE], "x": [1.0]})
    with pytest.raises(UserError, match="several columns may be the time"):
        load({"A": table}, [Wanted("A", MINUTE, ("x",))])
    named = load({"A": Catalog(table, id="A", columns={"time": "ts"})}, [Wanted("A", MINUTE, ("x",))])
    assert named.event_ns[0] == START + MINUTE


def test_a_table_without_times_is_refused() -> None:
    with pytest.raises(UserError, match="no column holds the time"):
        load({"A": pa.table({"x": [1.0], "y": ["no"]})}, [Wanted("A", MINUTE, ("x",))])


def test_csv_times_are_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("date,x\n2022-01-03,1\n2022-01-04,2\n")
    arrivals = load({"A": Catalog(path, tz="UTC")}, [Wanted("A", 24 * HOUR, ("x",))], finished=False)
    assert arrivals.event_ns.tolist() == [START, START + 24 * HOUR]
