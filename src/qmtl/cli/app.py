"""The commands and their options; what they do is in the modules beside this one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from qmtl import QmtlError
from qmtl.cli.cache import app as cache
from qmtl.cli.options import Cache, Cat, Datas, End, File, Json, Sets, Stamp, Start, Tz
from qmtl.cli.questions import diff, verify, why
from qmtl.cli.servers import servers

app = typer.Typer(
    name="qmtl",
    help="Trading strategies as graphs of time-series nodes, each computed once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(servers, name="servers")
app.add_typer(cache, name="cache")
app.command()(why)
app.command()(diff)
app.command()(verify)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    if version:
        from qmtl import __version__

        typer.echo(f"qmtl {__version__}")
        raise typer.Exit


@app.command()
def run(
    file: File,
    data: Datas = [],  # noqa: B006 - typer copies it
    catalog: Cat = None,
    start: Start = None,
    end: End = None,
    sets: Sets = [],  # noqa: B006
    tz: Tz = None,
    stamp: Stamp = "open",
    fee_bps: Annotated[float, typer.Option("--fee-bps", help="fee of a trade in basis points")] = 0.0,
    slippage_bps: Annotated[float, typer.Option("--slippage-bps", help="slippage in basis points")] = 0.0,
    report: Annotated[Path | None, typer.Option("--report", help="write the HTML report there")] = None,
    save: Annotated[Path | None, typer.Option("--save", help="keep the run there, for qmtl diff")] = None,
    where: Cache = None,
    as_json: Json = False,
) -> None:
    """Backtest the strategy in FILE over data on this machine."""
    from qmtl.cli.backtest import backtest, print_run, run_document
    from qmtl.cli.loading import strategy_from
    from qmtl.runtime.saved import refuse_existing

    strategy = strategy_from(file, sets)
    if save is not None:
        refuse_existing(save)
    costs = {"fee_bps": fee_bps, "slippage_bps": slippage_bps}
    done = backtest(strategy, data, catalog, tz, stamp, start, end, costs, where, quiet=as_json)
    if as_json:
        _document(run_document(done, strategy))
    else:
        print_run(done, strategy)
    if save is not None:
        done.save(save)
    if report is not None:
        written = done[strategy].report(report)
        if not as_json:
            typer.echo(f"report: {written}")


@app.command()
def worker(
    file: File,
    data: Datas = [],  # noqa: B006
    catalog: Cat = None,
    sets: Sets = [],  # noqa: B006
    tz: Tz = None,
    stamp: Stamp = "open",
    log: Annotated[
        str | None,
        typer.Option(
            "--log",
            metavar="URL",
            help="sqlite:///file, postgresql://… or kafka://host:port (default: QMTL_LOG)",
        ),
    ] = None,
    lease: Annotated[
        str | None,
        typer.Option(
            "--lease", metavar="URL", help="a database for leases, beside a log on Kafka: a second lock"
        ),
    ] = None,
    idle: Annotated[
        float | None,
        typer.Option("--idle", metavar="SECONDS", help="leave after so long without anything to do"),
    ] = None,
    snapshots: Annotated[
        str | None,
        typer.Option(
            "--snapshots",
            metavar="WHERE",
            help='folder or URL of an object store that all workers reach, or "off" (default: QMTL_CACHE)',
        ),
    ] = None,
    snapshot_every: Annotated[
        float,
        typer.Option("--snapshot-every", metavar="SECONDS", help="how old a slot's last snapshot may grow"),
    ] = 60.0,
    retries: Annotated[
        int,
        typer.Option("--retries", metavar="N", help="how often a node whose function failed is tried again"),
    ] = 0,
    metrics: Annotated[
        str | None,
        typer.Option("--metrics", metavar="PORT", help="serve Prometheus metrics there (or at HOST:PORT)"),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow",
            help="read on as rows are added to CSV files, files to folders, and records to topics "
            "(--data ID=kafka://host:port/topic)",
        ),
    ] = False,
    history: Annotated[
        list[str],
        typer.Option(
            "--history",
            metavar="ID=PATH",
            help="what came before, of a stream that is followed: files that are there",
        ),
    ] = [],  # noqa: B006
    replay: Annotated[
        float | None,
        typer.Option(
            "--replay", metavar="SPEED", help="let events come as fast as they did (1), or SPEED times so"
        ),
    ] = None,
    origin: Annotated[
        str | None,
        typer.Option(
            "--origin",
            metavar="TIME",
            help="where streams that are followed begin (default: their first event)",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute the strategy in FILE together with all other workers of a log: each bucket is committed once.

    Start as many as you like, with the same FILE and data; kill any of them. SIGTERM ends one in good order.
    """
    from qmtl.cli.loading import strategy_from
    from qmtl.cli.worker import Asked, work

    where = (data, catalog, tz, stamp, log, lease)
    asked = Asked(*where, idle, snapshots, snapshot_every, retries, metrics, follow, history, replay, origin)
    counts = work(strategy_from(file, sets), asked, quiet=as_json)
    if as_json:
        _document(counts)


@app.command()
def graph(file: File, sets: Sets = [], as_json: Json = False) -> None:  # noqa: B006
    """Show the graph of the strategy in FILE: its nodes, their ids and what they read. Nothing runs."""
    from qmtl.cli.graph import print_graph
    from qmtl.cli.loading import strategy_from
    from qmtl.sdk.outline import graph_document

    document = graph_document(strategy_from(file, sets))
    if as_json:
        _document(document)
    else:
        print_graph(document)


@app.command()
def check(
    file: File,
    data: Datas = [],  # noqa: B006
    catalog: Cat = None,
    sets: Sets = [],  # noqa: B006
    tz: Tz = None,
    stamp: Stamp = "open",
    cuts: Annotated[
        int, typer.Option("--cuts", help="random moments at which the future becomes noise")
    ] = 10,
    seed: Annotated[int, typer.Option("--seed", help="of the random moments and the noise")] = 0,
    as_json: Json = False,
) -> None:
    """Look for look-ahead: replace the future by noise and report the first node whose past changes."""
    from dataclasses import asdict

    from qmtl.cli.backtest import data_of
    from qmtl.cli.loading import strategy_from
    from qmtl.sdk.runner import Runner

    found = Runner.check(strategy_from(file, sets), data_of(data, catalog, tz, stamp), cuts=cuts, seed=seed)
    if as_json:
        _document({"ok": bool(found)} | {k: v if v == v else None for k, v in asdict(found).items()})
    else:
        typer.echo(str(found))
    if not found:
        raise typer.Exit(1)


@app.command()
def ops(
    name: Annotated[str | None, typer.Argument(help="one operator, in full")] = None, as_json: Json = False
) -> None:
    """List the built-in operators, or describe one."""
    from qmtl.cli.operators import print_operators
    from qmtl.sdk.outline import operator_documents

    documents = operator_documents(name)
    if as_json:
        _document({"operators": documents})
    else:
        print_operators(documents, full=name is not None)


@app.command()
def env(as_json: Json = False) -> None:
    """Show the runtime fingerprint, and what a run makes the same for all."""
    from qmtl.cli.environment import environment, print_environment

    document = environment()
    if as_json:
        _document(document)
    else:
        print_environment(document)


@app.command()
def demo(
    report: Annotated[Path, typer.Option("--report", help="where the report goes")] = Path("qmtl-demo.html"),
) -> None:
    """Two strategies on real daily prices, with late bars injected and corrected; writes a report."""
    from qmtl.cli.demo import run_demo

    run_demo(report)


def _document(document: Any) -> None:
    json.dump(document, sys.stdout, indent=1, allow_nan=False, default=str)
    sys.stdout.write("\n")


def run_app() -> None:
    """Run, turning a user's mistake into one line on stderr and exit status 2."""
    try:
        app()
    except QmtlError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(2) from None
    except BrokenPipeError:
        raise SystemExit(1) from None
