"""Files and frames as Arrow tables. The ending of a file says its format, its first bytes must agree."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Callable
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.feather as pa_feather
import pyarrow.parquet as pa_parquet

from qmtl.core.errors import UserError
from qmtl.runtime.sources_table import ID_NAMES


class Format(StrEnum):
    CSV = "CSV"
    GZIP_CSV = "CSV in gzip"
    PARQUET = "Parquet"
    ARROW = "Feather/Arrow IPC"
    STREAM = "Arrow IPC stream"


ENDINGS = {
    ".csv": Format.CSV,
    ".txt": Format.CSV,
    ".csv.gz": Format.GZIP_CSV,
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
    ".feather": Format.ARROW,
    ".arrow": Format.ARROW,
    ".ipc": Format.ARROW,
    ".arrows": Format.STREAM,
}
_MAGIC = {
    b"PAR1": Format.PARQUET,
    b"ARROW1": Format.ARROW,
    b"FEA1": Format.ARROW,
    b"\xff\xff\xff\xff": Format.STREAM,
    b"\x1f\x8b": Format.GZIP_CSV,
}
_DATUM = re.compile(
    r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?|\d{4}-\d{2}-\d{2}.*"
)  # a number or date: no column's name
_FOREIGN = {
    b"PK\x03\x04": "a zip or Excel file",
    b"\x89HDF": "an HDF5 file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
}


def is_frame(data: object) -> bool:
    """Whether `data` is a table in memory: pandas, Polars, Arrow, or anything with Arrow's C stream interface."""
    root = type(data).__module__.split(".")[0]
    return root in ("pandas", "polars", "pyarrow") or hasattr(data, "__arrow_c_stream__")


def frame_table(frame: Any, place: str) -> pa.Table:
    """The Arrow table of a frame; a pandas index other than a range is a column. Raises :class:`UserError`."""
    root = type(frame).__module__.split(".")[0]
    try:
        if isinstance(frame, pa.Table):
            return frame
        if isinstance(frame, pa.RecordBatch):
            return pa.Table.from_batches([frame])
        if root == "pandas" and hasattr(frame, "columns"):
            return pa.Table.from_pandas(frame)
        if root == "polars" and hasattr(frame, "collect"):
            return frame.collect().to_arrow()
        if hasattr(frame, "__arrow_c_stream__") and hasattr(frame, "columns"):
            return pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise UserError(
            f"the frame does not become a table: {_first_line(error)}",
            place=place,
            value=type(frame).__name__,
            cure="every column needs one type: convert the column (for example .astype(float))",
        ) from error
    raise UserError(
        "not a frame of columns",
        place=place,
        value=type(frame).__name__,
        cure="give a pandas or Polars DataFrame, or a pyarrow Table",
    )


def file_table(path: Path, place: str) -> pa.Table:
    """The table in a file. Raises :class:`UserError` for a missing, unknown, mislabelled or damaged file."""
    kind = _format(path, place)
    readers: dict[Format, Callable[[Path, str], pa.Table]] = {
        Format.CSV: _csv,
        Format.GZIP_CSV: _csv,
        Format.PARQUET: lambda file, _: pa_parquet.read_table(file, partitioning=None),
        Format.ARROW: lambda file, _: pa_feather.read_table(file, memory_map=False),
        Format.STREAM: lambda file, _: pa.ipc.open_stream(file.read_bytes()).read_all(),
    }
    try:
        return readers[kind](path, place)
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        if "Empty CSV file or block" in str(error):
            raise UserError(
                "there is no row of data",
                place=place,
                value=0,
                cure="check the path, or leave the stream out",
            ) from None
        raise UserError(
            f"the file cannot be read as {kind.value}: {_first_line(error)}",
            place=place,
            value=path.name,
            cure="it is damaged or cut short: write or download it again",
        ) from error


def _format(path: Path, place: str) -> Format:
    if not path.is_file():
        near = (
            get_close_matches(path.name, [one.name for one in path.parent.iterdir()])
            if path.parent.is_dir()
            else []
        )
        hint = f"did you mean {near[0]!r}?" if near else f"relative paths start at {Path.cwd()}"
        raise UserError(
            "is a directory, not a file" if path.is_dir() else "there is no such file",
            place=place,
            value=str(path),
            cure=f'Catalog("{path}/*.csv") reads the files in it' if path.is_dir() else hint,
        )
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        raise UserError("the file is empty", place=place, value=path.name, cure="write or download it again")
    found = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    ending = "".join(path.suffixes[-2:]).lower() if path.name.lower().endswith(".gz") else path.suffix.lower()
    named = ENDINGS.get(ending)
    if named is None or named is not (found or Format.CSV):
        foreign = next((what for magic, what in _FOREIGN.items() if head.startswith(magic)), None)
        content = foreign or (found.value if found else "text or something unknown")
        endings = ", ".join(one for one, kind in ENDINGS.items() if kind is found) if found else ""
        complaint = f"the ending {ending!r} is unknown"
        if named is not None:
            complaint = f"the file is not {named.value}: it looks like {content}"
        raise UserError(
            complaint,
            place=place,
            value=path.name,
            cure=f"rename it to end in {endings}" if endings else f"readable are {', '.join(ENDINGS)}",
        )
    return named


def _csv(path: Path, place: str) -> pa.Table:
    header, delimiter = _header(path, place)
    parse = pa_csv.ParseOptions(delimiter=delimiter)
    convert = pa_csv.ConvertOptions(column_types=_texts(header))
    try:
        return pa_csv.read_csv(path, parse_options=parse, convert_options=convert)
    except pa.ArrowInvalid as error:
        row = _first_bad_row(path, delimiter)
        if row is None:
            raise
        number, found, text = row
        raise UserError(
            f"a row has {found} cells, the header {len(header)}",
            place=f"{place}, row {number}",
            value=text,
            cure="the file is damaged or cut short there: correct or remove the row",
        ) from error


def csv_head(file: BinaryIO, place: str) -> tuple[list[str], str] | None:
    """The names in the first line, after which `file` then stands, and the delimiter; None where it has not ended.

    Raises :class:`UserError` where it holds no names.
    """
    line = file.readline()
    if not line.endswith(b"\n"):
        return None
    return _names(line.decode("utf-8-sig"), place)


def csv_rows(head: tuple[list[str], str], rows: bytes, place: str) -> pa.Table:
    """The table of complete lines under names. Raises :class:`UserError` for lines that are none."""
    names, delimiter = head
    read = pa_csv.ReadOptions(column_names=names)
    parse, convert = (
        pa_csv.ParseOptions(delimiter=delimiter),
        pa_csv.ConvertOptions(column_types=_texts(names)),
    )
    try:
        return pa_csv.read_csv(pa.BufferReader(rows), read, parse, convert)
    except pa.ArrowInvalid as error:
        raise UserError(
            f"rows that cannot be read: {_first_line(error)}",
            place=place,
            value=rows[:60].decode(errors="replace"),
            cure=f"every row has the cells {', '.join(names)}: correct the file there",
        ) from None


def _texts(names: list[str]) -> dict[str, pa.DataType]:
    """Identities are texts, whatever they look like."""
    return {one: pa.string() for one in names if one.strip().casefold() in ID_NAMES}


def _header(path: Path, place: str) -> tuple[list[str], str]:
    """The names in the first line that is not empty, and the delimiter (`,`, `;` or tab)."""
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig") as file:
        return _names(next((one for one in file if one.strip()), ""), place)


def _names(line: str, place: str) -> tuple[list[str], str]:
    delimiter = max(",;\t", key=line.count)
    names = next(csv.reader([line], delimiter=delimiter), [])
    if any(_DATUM.fullmatch(one.strip()) for one in names) or not names:
        raise UserError(
            "the file has no header",
            place=place,
            value=line.strip()[:80],
            cure="write the names of the columns into its first line, e.g. timestamp,open,high,low,close,volume",
        )
    return names, delimiter


def _first_bad_row(path: Path, delimiter: str) -> tuple[int, int, str] | None:
    """(row from 1 after the header, cells in it, its text) of the first row of the wrong length."""
    seen: list[tuple[int, int, str]] = []

    def note(row: Any) -> str:
        seen.append(((row.number or 2) - 1, row.actual_columns, row.text or ""))
        return "skip"

    options = pa_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=note)
    try:
        pa_csv.read_csv(path, read_options=pa_csv.ReadOptions(use_threads=False), parse_options=options)
    except pa.ArrowInvalid:
        return None
    return seen[0] if seen else None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
