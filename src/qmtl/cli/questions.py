"""`qmtl why | diff | verify` ask how results came to be; how the answers are printed is in the modules beside this."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from qmtl.cli.options import Cache, Cat, Datas, End, File, Json, Sets, Stamp, Start, Tz


def why(
    file: File,
    node: Annotated[
        str, typer.Argument(metavar="NODE", help="an output, a target's stream, or how an id begins")
    ],
    bucket: Annotated[
        str, typer.Argument(metavar="BUCKET", help="a time within it, e.g. 2022-01-03T10:30 (UTC)")
    ],
    data: Datas = [],  # noqa: B006 - typer copies it
    catalog: Cat = None,
    start: Start = None,
    end: End = None,
    sets: Sets = [],  # noqa: B006
    tz: Tz = None,
    stamp: Stamp = "open",
    depth: Annotated[
        int | None, typer.Option("--depth", help="how many levels of inputs are derived")
    ] = None,
    where: Cache = None,
    as_json: Json = False,
) -> None:
    """Say how a node of the strategy in FILE came to its value at BUCKET, down to the bars it was made of."""
    from qmtl.cli.backtest import backtest
    from qmtl.cli.loading import strategy_from
    from qmtl.cli.why import print_why

    strategy = strategy_from(file, sets)
    run = backtest(strategy, data, catalog, tz, stamp, start, end, {}, where, quiet=as_json)
    found = run[strategy].why(node, bucket, depth=depth)
    runtime = run.manifest["runtime"]
    if as_json:
        _document(found.document() | {"runtime": runtime})
    else:
        print_why(found, runtime)


def diff(
    one: Annotated[Path, typer.Argument(metavar="RUN", help="a run that `qmtl run --save` kept")],
    other: Annotated[Path, typer.Argument(metavar="RUN", help="another one")],
    as_json: Json = False,
) -> None:
    """Say what makes two runs differ (data, code, runtime, options), and where their results differ first.

    Ends with 0 where the results are equal, 1 where they are not, 2 on an error.
    """
    from qmtl.cli.diff import print_difference
    from qmtl.runtime.difference import compare
    from qmtl.runtime.saved import SavedRun

    found = compare(SavedRun(one), SavedRun(other))
    if as_json:
        _document(found.document())
    else:
        print_difference(found)
    if found:
        raise typer.Exit(1)


def verify(
    file: File,
    data: Datas = [],  # noqa: B006
    catalog: Cat = None,
    sets: Sets = [],  # noqa: B006
    tz: Tz = None,
    stamp: Stamp = "open",
    buckets: Annotated[int, typer.Option("--buckets", help="of each node, shown to it again")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="of the buckets drawn, and of data made up")] = 0,
    as_json: Json = False,
) -> None:
    """Ask whether the author's functions in FILE depend on nothing but what they are shown.

    Without data it is made up. Ends with 1 where something was found.
    """
    from qmtl.cli.backtest import data_of
    from qmtl.cli.loading import strategy_from
    from qmtl.cli.verify import print_verified
    from qmtl.sdk.runner import Runner

    strategy = strategy_from(file, sets)
    made_up = not data and catalog is None
    given = None if made_up else data_of(data, catalog, tz, stamp)
    found = Runner.verify(strategy, given, buckets=buckets, seed=seed)
    if as_json:
        _document(found.document() | {"data": "made up" if made_up else "given"})
    else:
        print_verified(found, made_up)
    if not found:
        raise typer.Exit(1)


def _document(document: Any) -> None:
    json.dump(document, sys.stdout, indent=1, allow_nan=False, default=str)
    sys.stdout.write("\n")
