"""Checks of a table: columns, cells, the grid of the interval, order, duplicates; what is kept is noted."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from qmtl.core.errors import UserError
from qmtl.core.flow.catalog import Catalog
from qmtl.core.graph.ir import TickIdentity
from qmtl.runtime.arrivals import Arrivals
from qmtl.runtime.sources import Wanted, load

MINUTE = 60_000_000_000
START = 1_641_168_000_000_000_000


def minutes(*numbers: float) -> list[int]:
    return [START + int(number * MINUTE) for number in numbers]


def read(given: dict[str, Any], interval: int | None = MINUTE, **options: Any) -> Arrivals:
    fields = options.pop("fields", ("x",))
    wanted = Wanted(
        "A", interval, fields, options.pop("identity", TickIdentity.EVENT_ID), options.pop("used", None)
    )
    return load({"A": Catalog(pa.table(given), id="A", **options)}, [wanted], finished=False)


def test_fields_are_found_whatever_their_case() -> None:
    arrivals = read({"ts": minutes(0), " Close": [7.0], "OPEN": [6]}, fields=("open", "close"))
    assert arrivals.values[0].tolist() == [[6.0, 7.0]] and arrivals.fields == (("open", "close"),)


def test_two_columns_that_differ_in_case_only_are_refused() -> None:
    with pytest.raises(UserError, match="several columns are called 'close'"):
        read({"ts": minutes(0), "Close": [7.0], "CLOSE": [6.0]}, fields=("close",))


def test_the_exact_name_wins() -> None:
    assert read({"ts": minutes(0), "X": [7.0], "x": [6.0]}).values[0].tolist() == [[6.0]]


def test_a_missing_field_names_the_columns_and_the_cure() -> None:
    with pytest.raises(UserError, match="needs a field that is not there.*'volume'") as caught:
        read({"ts": minutes(0), "vol": [1.0]}, fields=("volume",))
    assert "ts, vol" in caught.value.cure and "columns={'volume': 'vol" in caught.value.cure


def test_a_field_that_no_node_reads_may_be_missing() -> None:
    arrivals = read({"ts": minutes(0), "x": [1.0]}, fields=("x", "volume"), used=frozenset({"x"}))
    assert np.isnan(arrivals.values[0][0, 1]) and any("'volume'" in note for note in arrivals.notes)


def test_columns_map_fields_to_other_names() -> None:
    assert read({"ts": minutes(0), "Last Price": [3.0]}, columns={"x": "last price"}).values[0].tolist() == [
        [3.0]
    ]
    with pytest.raises(UserError, match="names a column that is not there"):
        read({"ts": minutes(0), "x": [3.0]}, columns={"x": "price"})


@pytest.mark.parametrize(
    "cells",
    [[1, 2], pa.array([1, 2], pa.decimal128(5, 2)), ["1", " 2.0 "], pa.array(["1", "2"]).dictionary_encode()],
    ids=["integers", "decimals", "texts", "dictionary"],
)
def test_numbers_of_any_type_become_floats(cells: Any) -> None:
    assert read({"ts": minutes(0, 1), "x": cells}).values[0].tolist() == [[1.0], [2.0]]


def test_a_cell_that_is_no_number_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "time,x\n2022-01-03T00:00:00Z,1\n2022-01-03T00:01:00Z,\n2022-01-03T00:02:00Z,1.2.3\n2022-01-03T00:03:00Z,?\n"
    )
    with pytest.raises(UserError, match=r"a.csv, row 3, column 'x': a cell is not a number \(got '1.2.3'\)"):
        load({"A": path}, [Wanted("A", MINUTE, ("x",))])


def test_a_column_of_another_kind_is_refused() -> None:
    with pytest.raises(UserError, match="holds no numbers.*bool"):
        read({"ts": minutes(0), "x": [True]})


def test_empty_nan_and_infinite_cells_are_kept_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = ["1", "", "nan", "inf", "-inf"]
    path.write_text("time,x\n" + "".join(f"2022-01-03T00:0{i}:00Z,{x}\n" for i, x in enumerate(rows)))
    arrivals = load({"A": path}, [Wanted("A", MINUTE, ("x",))])
    np.testing.assert_array_equal(arrivals.values[0][:, 0], [1, np.nan, np.nan, np.inf, -np.inf])
    assert [note.split(": ")[1].split(" of")[0] for note in arrivals.notes] == ["2 values", "2 values"]


def test_negative_prices_are_kept_and_noted() -> None:
    arrivals = read({"ts": minutes(0), "close": [-37.63]}, fields=("close",))
    assert arrivals.values[0].tolist() == [[-37.63]] and "negative" in arrivals.notes[0]


def test_negative_values_that_are_no_prices_are_not_noted() -> None:
    assert read({"ts": minutes(0), "x": [-1.0]}).notes == ()


def test_rows_out_of_order_are_sorted_and_noted() -> None:
    arrivals = read({"ts": minutes(2, 0, 1), "x": [2.0, 0.0, 1.0]})
    assert arrivals.values[0][:, 0].tolist() == [0.0, 1.0, 2.0] and arrivals.event_ns.tolist() == minutes(
        0, 1, 2
    )
    assert "not in order of time" in arrivals.notes[0]


def test_duplicated_times_are_kept_in_the_order_of_the_file_and_noted() -> None:
    arrivals = read({"ts": minutes(1, 0, 1), "x": [5.0, 0.0, 6.0]})
    assert arrivals.values[0][:, 0].tolist() == [0.0, 5.0, 6.0]
    assert any("1 rows repeat an earlier time" in note for note in arrivals.notes)


def test_ticks_may_share_a_time() -> None:
    assert read({"ts": minutes(0, 0), "x": [1.0, 2.0]}, interval=None).notes == ()
    assert read({"ts": minutes(0, 0), "x": [1.0, 2.0]}, interval=None, identity=TickIdentity.EVENT_TS).notes


def test_an_arrival_column_is_the_order_of_replay() -> None:
    arrivals = read(
        {"ts": minutes(0, 1, 2), "x": [0.0, 1.0, 2.0], "seen": minutes(1, 9, 3)}, columns={"at": "seen"}
    )
    assert arrivals.event_ns.tolist() == minutes(0, 2, 1) and arrivals.available_ns.tolist() == minutes(
        1, 3, 9
    )
    assert arrivals.notes == ()


def test_a_column_called_at_is_no_arrival_column_unless_named() -> None:
    assert read({"ts": minutes(0), "x": [0.0], "at": minutes(9)}).available_ns.tolist() == minutes(1)


def test_bars_off_the_grid_are_named() -> None:
    with pytest.raises(
        UserError, match="row 2, column 'ts': a bar does not start at a multiple of 1m"
    ) as caught:
        read({"ts": minutes(0, 1.5, 2), "x": [0.0, 1.0, 2.0]})
    assert caught.value.value == "2022-01-03T00:01:30Z"


@pytest.mark.parametrize(
    ("numbers", "interval", "cure"),
    [
        ((0, 1, 2), 5 * MINUTE, 'read interval="1m" and .resample("5m")'),
        ((5, 15, 35), 10 * MINUTE, "all times are 5m after one"),
        ((0.9999, 1.9999), MINUTE, "the last instant of a bar"),
        ((0.25, 1.75), MINUTE, "check the interval"),
    ],
)
def test_the_likely_cure_of_bars_off_the_grid(numbers: tuple[float, ...], interval: int, cure: str) -> None:
    with pytest.raises(UserError) as caught:
        read({"ts": minutes(*numbers), "x": [1.0] * len(numbers)}, interval)
    assert cure in caught.value.cure


def test_bars_that_clearly_are_longer_are_refused_with_their_interval() -> None:
    with pytest.raises(
        UserError, match='the bars are not 1m bars: all their times are 5m apart.*interval="5m"'
    ):
        read({"ts": minutes(*range(0, 500, 5)), "x": [1.0] * 100})


def test_holes_do_not_make_bars_longer() -> None:
    few, sparse = range(0, 50, 5), sorted({*range(0, 500, 5), 7})
    assert len(read({"ts": minutes(*few), "x": [1.0] * len(few)})) == len(few)
    assert len(read({"ts": minutes(*sparse), "x": [1.0] * len(sparse)})) == len(sparse)


@pytest.mark.parametrize(
    ("cells", "expected", "kind"),
    [
        ([3, 1], [3, 1], "i"),
        (["13519807", "-2"], [13519807, -2], "i"),
        (["007", "2"], ["007", "2"], "O"),
        (["a1", "2"], ["a1", "2"], "O"),
        (["9999999999999999999", "2"], ["9999999999999999999", "2"], "O"),
    ],
)
def test_ids_of_ticks_are_integers_where_all_write_one_canonically(
    cells: Any, expected: Any, kind: str
) -> None:
    found = read({"ts": minutes(0, 1), "x": [1.0, 2.0], "id": cells}, interval=None).event_id[0]
    assert found is not None and found.dtype.kind == kind and found.tolist() == expected


def test_leading_zeros_of_ids_survive_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,trade_id,x\n2022-01-03T00:00:00Z,007,1\n")
    found = load({"A": path}, [Wanted("A", None, ("x",))]).event_id[0]
    assert found is not None and found.tolist() == ["007"]


def test_bars_and_ticks_identified_otherwise_have_no_ids() -> None:
    columns = {"ts": minutes(0), "x": [1.0], "id": [1]}
    assert read(columns).event_id == (None,)
    assert read(columns, None, identity=TickIdentity.POSITION).event_id == (None,)
    assert read({"ts": minutes(0), "x": [1.0]}, None).event_id == (None,)


def test_ids_and_revisions_follow_their_rows_when_sorted() -> None:
    columns = {"ts": minutes(1, 0), "x": [1.0, 0.0], "n": ["b", "a"], "revision": [5, 4]}
    arrivals = read(columns, None, columns={"id": "n"})
    assert arrivals.event_id[0] is not None and arrivals.event_id[0].tolist() == ["a", "b"]
    assert arrivals.revision[0] is not None and arrivals.revision[0].tolist() == [4, 5]


@pytest.mark.parametrize("column", ["id", "revision"])
def test_a_missing_id_or_revision_is_named(column: str) -> None:
    with pytest.raises(UserError, match=f"row 2, column '{column}': a cell is empty"):
        read({"ts": minutes(0, 1), "x": [1.0, 2.0], column: [1, None]}, None)


def test_ids_that_are_fractions_are_refused() -> None:
    with pytest.raises(UserError, match="neither integers nor texts"):
        read({"ts": minutes(0), "x": [1.0], "id": [1.5]}, None)
