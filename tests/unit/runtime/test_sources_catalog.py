"""From data to streams: dicts, catalogs, globs and templates; ids, tags and intervals; what serves what."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pytest

from qmtl.core.errors import UserError
from qmtl.core.flow.catalog import Catalog, Reading, Stamp
from qmtl.core.flow.event import Event
from qmtl.runtime.arrivals import SourceKey
from qmtl.runtime.sources import Wanted, list_streams, load

MINUTE = 60_000_000_000
START = 1_641_168_000_000_000_000


def table(value: float = 1.0, every: int = 1, rows: int = 2) -> pa.Table:
    times = pa.array([START + i * every * MINUTE for i in range(rows)], pa.timestamp("ns", "UTC"))
    return pa.table({"time": times, "x": [value] * rows})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for value, name in enumerate(["ADA_BTC-1m", "ADA_BTC-5m", "BTC-USD-5m", "XRP_ETH-trades"]):
        pyarrow.feather.write_feather(
            table(float(value), 5 if "5m" in name else 1), str(tmp_path / f"{name}.feather")
        )
    return tmp_path


def listed(data: Any) -> list[tuple[str, int | None, bool]]:
    return [(one.id, one.interval_ns, one.known) for one in list_streams(data)]


def wanted(name: str, minutes: int | None = 1) -> Wanted:
    return Wanted(name, None if minutes is None else minutes * MINUTE, ("x",))


def value(data: Any, one: Wanted) -> float:
    return float(load(data, [one]).values[0][0, 0])


def test_a_template_gives_ids_and_intervals(folder: Path) -> None:
    found = listed(Catalog(f"{folder}/{{id}}-{{interval}}.feather"))
    assert found == [("ADA_BTC", MINUTE, True), ("ADA_BTC", 5 * MINUTE, True), ("BTC-USD", 5 * MINUTE, True)]


def test_a_glob_gives_the_names_of_its_files(folder: Path) -> None:
    assert listed(Catalog(f"{folder}/*_*.feather")) == [
        ("ADA_BTC-1m", None, False),
        ("ADA_BTC-5m", None, False),
        ("XRP_ETH-trades", None, False),
    ]
    assert [one.id for one in list_streams(Catalog(f"{folder.parent}/**/[B]*.feather"))] == ["BTC-USD-5m"]


def test_an_interval_may_be_given_for_all_files(folder: Path) -> None:
    found = listed(Catalog(f"{folder}/{{id}}-5m.feather", interval="5m"))
    assert found == [("ADA_BTC", 5 * MINUTE, True), ("BTC-USD", 5 * MINUTE, True)]


def test_ids_are_made_of_groups_mappings_functions_or_a_table(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("file,id\nADA_BTC,ada\n")
    pattern = f"{folder}/{{id}}-1m.feather"
    table = tmp_path / "names.csv"
    for rule in ("ada", {"ADA_BTC": "ada"}, lambda name: name[:3].lower(), table, str(table)):
        assert listed(Catalog(pattern, id=rule)) == [("ada", None, False)]
    assert listed(Catalog(f"{folder}/{{base}}_{{quote}}-1m.feather", id="{base}/{quote}")) == [
        ("ADA/BTC", None, False)
    ]


def test_tags_are_a_tuple_a_mapping_a_function_or_a_table(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_text('id,tags\nADA_BTC,"spot, crypto"\nother,\n')
    pattern = f"{folder}/{{id}}-1m.feather"
    table = tmp_path / "tags.csv"
    for rule in (("spot", "crypto"), {"ADA_BTC": ("crypto", "spot")}, lambda _: {"spot", "crypto"}, table):
        assert list_streams(Catalog(pattern, tags=rule))[0].tags == {"spot", "crypto"}  # type: ignore[arg-type]
    assert list_streams(Catalog(pattern, tags={"XRP": ("spot",)}))[0].tags == frozenset()
    quoted = Catalog(f"{folder}/{{id}}_{{quote}}-1m.feather", tags=("quote={quote}",))
    assert list_streams(quoted)[0].tags == {"quote=BTC"}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"tags": "spot"}, r"tags=\('spot',\)"),
        ({"tags": 3}, "not a way to tag"),
        ({"tags": lambda _: "spot"}, "tags are a text"),
        ({"id": {}}, "a file has no id"),
        ({"id": 3}, "not a way to name"),
        ({"id": "{base}"}, "a group that the pattern does not have"),
    ],
)
def test_unclear_ids_and_tags_are_refused(folder: Path, options: Any, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        list_streams(Catalog(f"{folder}/*-1m.feather", **options))


def test_a_table_of_tags_needs_its_columns(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_text("name,tags\nADA_BTC,spot\n")
    with pytest.raises(UserError, match="the table has no column 'id'"):
        list_streams(Catalog(f"{folder}/*.feather", tags=tmp_path / "tags.csv"))


def test_a_pattern_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file matches"):
        load(Catalog(f"{tmp_path}/*.csv"), [wanted("A")])


def test_a_catalog_serves_each_interval_by_its_file(folder: Path) -> None:
    catalog = Catalog(f"{folder}/{{id}}-{{interval}}.feather")
    assert value(catalog, wanted("ADA_BTC", 1)) == 0.0 and value(catalog, wanted("ADA_BTC", 5)) == 1.0
    with pytest.raises(UserError, match="only at another interval") as caught:
        load(catalog, [wanted("ADA_BTC", 15)])
    assert "ADA_BTC 1m, ADA_BTC 5m" in caught.value.cure


def test_only_files_that_are_read_are_opened(folder: Path) -> None:
    (folder / "bad-1m.feather").write_bytes(b"nonsense")
    assert value(Catalog(f"{folder}/{{id}}-{{interval}}.feather"), wanted("ADA_BTC")) == 0.0


def test_keys_may_name_the_interval() -> None:
    data = {("A", "1m"): table(1.0), ("A", "5m"): table(5.0, 5), ("A", None): table(0.0)}
    assert [value(data, wanted("A", minutes)) for minutes in (1, 5, None)] == [1.0, 5.0, 0.0]


def test_a_plain_id_beside_a_named_interval_serves_the_other() -> None:
    data = {"A": table(1.0), ("A", "5m"): table(5.0, 5)}
    arrivals = load(data, [wanted("A", 1), wanted("A", 5)])
    assert [float(values[0, 0]) for values in arrivals.values] == [1.0, 5.0]


def test_one_table_for_several_intervals_is_refused() -> None:
    with pytest.raises(UserError, match="does not say which one it is.*resample"):
        load({"A": table()}, [wanted("A", 1), wanted("A", 5)])


def test_a_dict_may_hold_catalogs(folder: Path) -> None:
    assert value({"A": Catalog(f"{folder}/ADA*-1m.feather")}, wanted("A")) == 0.0
    assert value({("A", "5m"): Catalog(f"{folder}/ADA_BTC-{{interval}}.feather")}, wanted("A", 5)) == 1.0
    with pytest.raises(UserError, match="several files for one stream"):
        load({"A": Catalog(f"{folder}/*.feather")}, [wanted("A")])


def test_a_path_alone_is_a_stream_of_its_name(folder: Path) -> None:
    assert value(f"{folder}/ADA_BTC-1m.feather", wanted("ADA_BTC-1m")) == 0.0


def test_a_list_is_read_together(folder: Path) -> None:
    data = [Catalog(f"{folder}/{{id}}-{{interval}}.feather"), {"Z": table(9.0)}]
    arrivals = load(data, [wanted("Z"), wanted("ADA_BTC")])
    assert arrivals.sources == (SourceKey("ADA_BTC", MINUTE), SourceKey("Z", MINUTE))


def test_a_missing_stream_names_its_neighbour() -> None:
    with pytest.raises(UserError, match="no data for the stream 'BTCC'.*did you mean 'BTC'"):
        load({"BTC": table()}, [wanted("BTCC")])


def test_two_data_for_one_stream_are_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="several data serve A 1m"):
        load([{"A": table()}, {"A": table()}], [wanted("A")])
    with pytest.raises(UserError, match="from a table and from events"):
        load([{"A": table()}, {"A": [Event("A", 0, 1.0)]}], [wanted("A")])
    with pytest.raises(UserError, match="several iterables of events"):
        load([iter(()), iter(())], [wanted("A")])


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ([], "no data is given"),
        (table(), "frame without the id"),
        (Catalog(table()), "frame without the id"),
        (3, "no kind of data"),
        ({"A": 3}, r"data\['A'\]: no kind of data"),
        ({"A": {"x": 1}}, "no kind of data"),
        ({3: table()}, "a key of the data is not a stream"),
        ({"A": "data/*.csv"}, "a pattern where one file is expected"),
    ],
)
def test_what_is_no_data_is_refused(data: Any, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        load(data, [wanted("A")])
    assert caught.value.cure


def test_data_that_no_strategy_reads_is_noted() -> None:
    assert load({"A": table(), "B": table()}, [wanted("A")]).notes == ("data['B']: no strategy reads it",)


def test_a_source_wanted_twice_is_read_once_with_all_fields() -> None:
    both = pa.table({**{name: table().column(name) for name in ("time", "x")}, "y": [7.0, 8.0]})
    arrivals = load({"A": both}, [wanted("A"), Wanted("A", MINUTE, ("y", "x"))], finished=False)
    assert arrivals.fields == (("x", "y"),) and len(arrivals) == 2
    assert arrivals.values[0].tolist() == [[1.0, 7.0], [1.0, 8.0]]


def test_a_field_read_by_one_of_two_wants_must_be_there() -> None:
    unread = Wanted("A", MINUTE, ("x", "y"), used=frozenset({"x"}))
    assert load({"A": table()}, [unread, unread]).fields == (("x", "y"),)
    with pytest.raises(UserError, match="'y'"):
        load({"A": table()}, [unread, Wanted("A", MINUTE, ("y",))])


def test_options_of_the_run_hold_where_a_catalog_does_not_say_otherwise() -> None:
    default = Reading(tz="UTC", stamp=Stamp.CLOSE)
    assert load({"A": table()}, [wanted("A")], default=default).event_ns[0] == START - MINUTE
    own = {"A": Catalog(table(), stamp="open")}
    assert load(own, [wanted("A")], default=default).event_ns[0] == START


def test_iterables_are_not_consumed_by_listing() -> None:
    events = (Event("A", 0, 1.0) for _ in range(1))
    assert [one.id for one in list_streams({"A": events})] == ["A"]
    assert load({"A": events}, [wanted("A")], finished=False).events == 1
