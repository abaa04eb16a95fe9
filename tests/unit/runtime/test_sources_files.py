"""Formats: the same bars out of every kind of file and frame; a damaged or mislabelled file is named."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from qmtl.core.errors import UserError
from qmtl.core.flow.catalog import Catalog
from qmtl.runtime.sources import Wanted, load

MINUTE = 60_000_000_000
START = 1_641_168_000_000_000_000  # 2022-01-03T00:00Z
CLOSES = [1.0, 2.5, -3.0]
WANTED = [Wanted("BTC", MINUTE, ("close",))]
TEXT = "timestamp,close\n2022-01-03 00:00:00Z,1.0\n2022-01-03 00:01:00Z,2.5\n2022-01-03 00:02:00Z,-3\n"


def bars() -> pa.Table:
    times = pa.array([START + i * MINUTE for i in range(3)], pa.timestamp("ns", "UTC"))
    return pa.table({"timestamp": times, "close": CLOSES})


def write(path: Path) -> Path:
    ending = "".join(path.suffixes)
    if ending == ".csv":
        path.write_text(TEXT)
    elif ending == ".csv.gz":
        path.write_bytes(gzip.compress(TEXT.encode()))
    elif ending in (".parquet", ".pq"):
        pyarrow.parquet.write_table(bars(), path)
    elif ending == ".arrows":
        with pa.ipc.new_stream(path, bars().schema) as stream:
            stream.write_table(bars())
    else:
        pyarrow.feather.write_feather(bars(), str(path))
    return path


def closes(data: object) -> list[float]:
    arrivals = load({"BTC": data}, WANTED, finished=False)
    assert arrivals.event_ns.tolist() == [START + i * MINUTE for i in range(3)]
    assert (arrivals.available_ns - arrivals.event_ns).tolist() == [MINUTE] * 3
    return [float(one) for one in arrivals.values[0][:, 0]]


ENDINGS = [".csv", ".csv.gz", ".parquet", ".pq", ".feather", ".arrow", ".ipc", ".arrows"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_gives_the_same_bars(tmp_path: Path, ending: str) -> None:
    assert closes(write(tmp_path / f"btc{ending}")) == CLOSES


def test_every_format_gives_the_same_digest(tmp_path: Path) -> None:
    files = [write(tmp_path / f"btc{ending}") for ending in ENDINGS]
    assert len({load({"BTC": str(file)}, WANTED).digests[WANTED[0].key] for file in files}) == 1


def test_pandas_polars_and_arrow_frames_give_the_same_bars() -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    frame = bars().to_pandas()
    assert closes(frame) == closes(frame.set_index("timestamp")) == CLOSES
    assert closes(frame.set_index(pandas.DatetimeIndex(frame.pop("timestamp"), name=None))) == CLOSES
    assert closes(polars.from_arrow(bars())) == closes(polars.from_arrow(bars()).lazy()) == CLOSES
    assert closes(bars()) == closes(bars().to_batches()[0]) == CLOSES


def test_a_pandas_frame_that_was_filtered_has_an_index_that_is_not_the_time() -> None:
    pytest.importorskip("pandas")
    frame = bars().to_pandas()
    frame.index = [3, 7, 9]
    assert closes(frame) == CLOSES


def test_an_unnamed_pandas_index_is_found_in_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    frame = bars().to_pandas().set_index("timestamp")
    frame.index.name = None
    frame.to_parquet(tmp_path / "btc.parquet")
    assert closes(tmp_path / "btc.parquet") == CLOSES


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_csv_may_be_delimited_otherwise(tmp_path: Path, delimiter: str) -> None:
    (tmp_path / "btc.csv").write_text("\ufeff" + TEXT.replace(",", delimiter))
    assert closes(tmp_path / "btc.csv") == CLOSES


def refused(path: Path, **options: object) -> UserError:
    with pytest.raises(UserError) as caught:
        load({"BTC": Catalog(path, **options) if options else path}, WANTED)  # type: ignore[arg-type]
    assert path.name in caught.value.place and caught.value.cure
    return caught.value


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    write(tmp_path / "btc.csv")
    assert "did you mean 'btc.csv'" in refused(tmp_path / "btcc.csv").cure


def test_a_directory_is_not_a_file(tmp_path: Path) -> None:
    assert "directory" in refused(tmp_path).message


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "btc.csv").write_text("")
    assert refused(tmp_path / "btc.csv").message == "the file is empty"


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_file_without_rows_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"btc{ending}"
    if ending == ".csv":
        path.write_text("timestamp,close\n")
    else:
        pyarrow.parquet.write_table(bars().slice(0, 0), path)
    assert "no row" in refused(path).message


def test_an_unknown_ending_lists_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "btc.xlsx").write_bytes(b"PK\x03\x04 and so on")
    assert ".parquet" in refused(tmp_path / "btc.xlsx").cure


def test_a_mislabelled_file_says_what_it_is(tmp_path: Path) -> None:
    write(tmp_path / "btc.parquet").rename(tmp_path / "btc.csv")
    error = refused(tmp_path / "btc.csv")
    assert "not CSV: it looks like Parquet" in error.message and ".parquet" in error.cure
    write(tmp_path / "b.csv").rename(tmp_path / "btc.feather")
    assert "not Feather" in refused(tmp_path / "btc.feather").message


@pytest.mark.parametrize("ending", [".parquet", ".feather", ".csv.gz", ".arrows"])
def test_a_file_cut_short_is_refused(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"btc{ending}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert "cannot be read as" in refused(path).message


def test_a_row_with_too_few_cells_is_named(tmp_path: Path) -> None:
    (tmp_path / "btc.csv").write_text(TEXT + "2022-01-03 00:03:00Z\n")
    error = refused(tmp_path / "btc.csv")
    assert error.place.endswith("btc.csv, row 4") and error.message == "a row has 1 cells, the header 2"


def test_a_file_without_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "btc.csv").write_text(TEXT.split("\n", 1)[1])
    assert "no header" in refused(tmp_path / "btc.csv").message


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "btc.csv").write_bytes(b"timestamp,close\n\x00\xff\xfe\x81,1\n")
    refused(tmp_path / "btc.csv")
    (tmp_path / "b.csv").write_bytes(b"\x81\xff\xfe\x00\x01")
    refused(tmp_path / "b.csv")


def test_a_frame_of_mixed_types_is_refused() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"timestamp": [1, 2], "close": [1.0, object()]})
    with pytest.raises(UserError, match="does not become a table"):
        load({"BTC": frame}, WANTED)
    with pytest.raises(UserError, match="not a frame of columns"):
        load({"BTC": pandas.Series([1.0])}, WANTED)


def test_files_are_read_into_dense_columns(tmp_path: Path) -> None:
    values = load({"BTC": write(tmp_path / "btc.csv")}, WANTED).values[0]
    assert values.dtype == np.float64 and values.flags.c_contiguous and values.shape == (3, 1)
