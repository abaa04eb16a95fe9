"""What a question prints: one table for each case, fastest first, and the ratios that were asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from rich.table import Table

from harness import Sample, console
from workload import Workload

LIMIT = "limit"


def show(title: str, of: Workload, samples: Mapping[str, Sample]) -> None:
    table = Table(
        title=f"{title}: {of.name}, {of.symbols:,} symbols × {of.rows:,} minutes", title_justify="left"
    )
    for column in ("", "µs a row", "M bars/s", "median", "spread", "of the limit", "largest error"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    limit = min((each.best for name, each in samples.items() if name.startswith(LIMIT)), default=None)
    for name, sample in sorted(samples.items(), key=lambda item: item[1].best):
        table.add_row(
            name,
            f"{sample.best / of.rows * 1e6:,.2f}",
            f"{of.bars / sample.best / 1e6:,.2f}",
            f"{median(sample.seconds) / of.rows * 1e6:,.2f}",
            f"{sample.spread:.0%}",
            f"{limit / sample.best:.3f}" if limit else "",
            f"{max(sample.errors.values()):.0e}" if sample.errors else "",
        )
    console.print(table)


def best_of(samples: Mapping[str, Sample], names: Sequence[str]) -> float | None:
    """The best time among these competitors, of those that ran."""
    return min((samples[name].best for name in names if name in samples), default=None)


def ratios(
    samples: Mapping[str, Sample], asked: Mapping[str, tuple[Sequence[str], float]], of: str = "qmtl"
) -> dict[str, dict[str, float]]:
    """How many times as fast as the best of some competitors `of` is, with the least that was asked for."""
    found: dict[str, dict[str, float]] = {}
    for label, (names, least) in asked.items():
        other, own = best_of(samples, names), best_of(samples, (of,))
        if other is None or own is None:
            continue
        found[label] = {"ratio": other / own, "least": least}
        verdict = "" if other / own >= least else "  [red]missed[/red]"
        console.print(f"{of} is {other / own:.2f} × {label} (asked for: {least:.2f} ×){verdict}")
    return found


def show_whole(title: str, samples: Mapping[str, Sample], bars: int) -> None:
    """Of whole runs: milliseconds, not microseconds a row."""
    table = Table(title=title, title_justify="left")
    for column in ("", "ms", "M bars/s", "median", "spread", "largest error"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    for name, sample in sorted(samples.items(), key=lambda item: item[1].best):
        table.add_row(
            name,
            f"{sample.best * 1e3:,.2f}",
            f"{bars / sample.best / 1e6:,.2f}",
            f"{median(sample.seconds) * 1e3:,.2f}",
            f"{sample.spread:.0%}",
            f"{max(sample.errors.values()):.0e}" if sample.errors else "",
        )
    console.print(table)
