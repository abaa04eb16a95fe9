"""`qmtl run`: data options, the run, and how it is printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from rich.console import Console
from rich.table import Table

from qmtl import Catalog, Costs, UserError
from qmtl.cli.loading import pairs_of
from qmtl.runtime.compiling import when_compiling
from qmtl.runtime.run import Run
from qmtl.sdk.runner import Runner
from qmtl.sdk.strategy import Strategy


def data_of(data: Sequence[str], catalog: str | None, tz: str | None, stamp: str) -> Any:
    """What `--data`, `--catalog`, `--tz` and `--stamp` mean to the Runner."""
    if not data and catalog is None:
        raise UserError(
            "no data given", place="--data", cure='--data BTC=btc.csv, or --catalog "data/{id}.csv"'
        )
    reading: dict[str, Any] = {"tz": tz, "stamp": stamp}
    given: list[Any] = [
        {name: Catalog(path, id=name, **reading)} for name, path in pairs_of(data, "--data").items()
    ]
    if catalog is not None:
        given.append(Catalog(catalog, **reading))
    return given


def backtest(
    strategy: Strategy,
    data: Sequence[str],
    catalog: str | None,
    tz: str | None,
    stamp: str,
    start: str | None,
    end: str | None,
    costs: Mapping[str, float],
    cache: str | None = None,
    *,
    quiet: bool,
) -> Run:
    """Run one strategy; says on stderr when code is compiled for the first time."""

    def say() -> None:
        text = "compiling operators: this takes up to a minute, once; later runs find them compiled"
        Console(stderr=True).print(f"[dim]{text}[/]", highlight=False)

    with when_compiling(say):
        return Runner.backtest(
            strategy,
            data_of(data, catalog, tz, stamp),
            start=start,
            end=end,
            costs=Costs(**costs),
            cache=False if cache == "off" else cache,
            progress=False if quiet else None,
        )


def run_document(run: Run, strategy: Strategy) -> dict[str, Any]:
    """The run as one JSON document."""
    result = run[strategy]
    document: dict[str, Any] = {
        "strategy": result.graph.name,
        "sharing": result.sharing,
        "counters": result.counters,
        "corrections": result.correction_count,
        "failures": result.failures,
        "reuse": None
        if run.reuse is None
        else asdict(run.reuse.counts) | {"hit_ratio": run.reuse.counts.hit_ratio},
        "notes": list(run.notes),
        "manifest": run.manifest,
    }
    if result.graph.targets:
        document["metrics"] = _plain(_metrics(result))
        document["fills"] = len(result.portfolio.fills)
    return document


def print_run(run: Run, strategy: Strategy) -> None:
    """The run as a person reads it."""
    result, console = run[strategy], Console()
    console.print(f"[bold]{result.graph.name}[/]  {run.manifest['start']} … {run.manifest['end']}")
    shared = result.sharing
    totals = result.totals
    console.print(
        f"nodes: {shared['declared']} declared, {shared['unique']} unique, {shared['computed']} computed · "
        f"events: {totals['arrivals']:,} arrived, {totals['used']:,} used, {totals['duplicate']:,} duplicate · "
        f"{result.correction_count:,} corrections"
    )
    if run.reuse is not None:
        counts = run.reuse.counts
        console.print(
            f"slices of authors' nodes: {counts.reused:,} known ({counts.saved:,.1f} s saved), "
            f"{counts.computed:,} computed, {counts.cheaper:,} cheaper to compute again, {counts.checked:,} checked"
        )
    if result.graph.targets:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for name, value in _metrics(result).items():
            table.add_row(name.replace("_", " "), _text(value))
        console.print(table)
    for line in (*run.notes, *result.failures):
        console.print(f"[yellow]note[/] {line}", highlight=False)


def _metrics(result: Any) -> dict[str, Any]:
    return dict(result.metrics.as_dict())


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return None if isinstance(value, float) and not isfinite(value) else value


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "–" if value != value else f"{value:,.4f}"
    return str(value)
