"""From a Parquet file to frames and an equity curve: reading, two averages, trading by their difference."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from crossing import answers, compete, write
from harness import Competitor, case_as_json, keep, options
from tables import show_whole

TITLE = "From a Parquet file to an equity curve"
BARS = {"10k": 10_000, "500k": 500_000}
COMPETITORS = (
    Competitor("qmtl", "crossing:parquet", "frames in pandas"),
    Competitor("vectorbt", "peers.vectorbt_crossing:parquet", "pandas reads; Portfolio.from_signals"),
    Competitor("Polars", "peers.polars_crossing:parquet", "one lazy query; the account by expressions"),
)


def main() -> None:
    given = options(tuple(BARS), __doc__)
    cases = {}
    with TemporaryDirectory() as folder:
        for size in given.sizes:
            path = Path(folder) / f"{BARS[size]}.parquet"
            made = write(BARS[size], path)
            samples = compete(path, COMPETITORS, answers(made), given)
            show_whole(f"{TITLE}: {BARS[size]:,} bars", samples, BARS[size])
            cases[f"{BARS[size]:,} bars"] = case_as_json(samples, bars=BARS[size])
    keep("parquet", TITLE, cases, given)


if __name__ == "__main__":
    main()
