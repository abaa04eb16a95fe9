"""docs/performance.md from results.json: a section for each question, its tables, and a plot.

`python benchmarks/report.py [results.json]`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from harness import RESULTS, console
from plots import bars
from report_figures import figure_plot, figure_tables

ROOT = Path(__file__).resolve().parents[1]
PAGE, IMAGES = ROOT / "docs" / "performance.md", ROOT / "docs" / "images"
HEAD = """# Performance

Written by `benchmarks/report.py` from what `make bench` measured; how is in
[benchmarks/README.md](../benchmarks/README.md). Every output of every bar is produced by every competitor and compared
with a plain reference in extended precision before a time counts. Rounds are interleaved; the best one is given, with
the median and how much longer the worst one took. Compare within a table: it is one run on one machine.
"""
TEXT = {
    "rows": "All symbols of a minute at once, one minute after the other. The *limit* is the same recurrences in one "
    "compiled loop, called once for each minute, with none of the rules: nothing can be late, missing or corrected. "
    "*csp around the limit* is that loop inside one csp node.",
    "profile": "Samples of the runs by row, in blocks and of W′, by what the code does, in microseconds of a row. With "
    "perf beside it a row takes longer than above.",
    "blocks": "The whole history is there. The *limit* is the same compiled loop over blocks of 512 minutes.",
    "events": "One bar of one symbol at a time, symbols in random order within each minute.",
    "disorder": "qmtl by row: 2 % of the bars missing, 0.5 % late by 1 to 100 bars, 0.1 % delivered twice, late ones "
    "corrected; against the same bars complete and in order.",
    "late": "One bar that comes *k* buckets late, or comes again with another value, after a run of bars in order; the "
    "median of some in turn, between which the stream goes on. What it costs is to follow the buckets that are "
    "corrected, not the length of the run; *a bucket further back* is what one costs from 100 to 1,000.",
    "author": "A Python function over a window of 20 rows, one or a hundred at a time: what a call costs beyond the "
    "function itself, with its part of the ledger. The same bars run with and without the nodes.",
    "reuse": "The same backtest a second time, over a tenth more, and with another inner node: fifty nodes of a Python "
    "function of about 20 µs, whose results are kept in files; every result read.",
    "snapshots": "A stream of closes and an author's function over 60 of them in each lane: an engine set to a state "
    "that lies in files, against having their bytes in memory and hashed, and against computing it.",
    "strategies": "Strategies that each have 18 nodes in common with all and 2 of their own, against one strategy with "
    "all of these nodes; the whole of `Runner.backtest`, and the part of it that defines the graphs.",
    "parquet": "Reading the file, two exponential averages, their difference, and an account that is long while it is "
    "above zero, filled at the next open; frames of the series and the equity at every bar.",
    "grid": "Twenty fast by twenty slow moving averages that cross, each pair traded as above, to the equity it ends "
    "with. Bars are counted once for each pair.",
    "memory": "What a row takes for each lane, that is a symbol with its five bar columns and its nodes.",
    "hash": "Seconds for a gigabyte (10⁹ bytes) in blobs of a size, from the system's cache. *Put* is durable when it "
    "returns: two syncs for each blob, which is what small ones cost. *Get* verifies BLAKE3, *get and audit* SHA-256, "
    "too. S3 is a server on the same machine.",
    "kafka": "A broker on the same machine. A commit is a transaction of so many records of 100 bytes with the slot's "
    "position and step record; the plain producer is idempotent and flushes at the same points.",
    "commits": "A step and its records in one transaction, fenced and counted, against `executemany` into a table.",
    "scaling": "Nodes of a Python function over files that grow, from the rows' being there to the last commit, by one "
    "process and by two that share eight slots in SQLite.",
    "takeover": "From SIGKILL to a committed step of the successor, a member of the group that polls and is told "
    "of nothing. The broker waits for a session of six seconds before it gives the slot away.",
    "worker": "Workload W, read by one worker in records of 1,000 bars, every bucket of every node committed and read "
    "back; in one slot, and with its parts in eight, whose results go from one to another through the log.",
    "start": "Whole processes. *Nothing compiled* is the first run on a machine: numba's cache is empty.",
}
ORDER = tuple(TEXT)


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    if not source.exists():
        console.print(f"there is no {source.name} yet: python benchmarks/bench_rows.py makes the first one")
        return
    questions = json.loads(source.read_text(encoding="utf-8"))["questions"]
    known = [name for name in ORDER if name in questions]
    names = known + [name for name in questions if name not in known]
    page = [HEAD, *(_section(name, questions[name]) for name in names)]
    PAGE.write_text("\n".join(page), encoding="utf-8")
    console.print(f"wrote {PAGE.relative_to(ROOT)}")


def _section(name: str, question: dict[str, Any]) -> str:
    parts = [f"## {question['title']}\n"]
    if name in TEXT:
        parts.append(TEXT[name] + "\n")
    cases = {
        label: case for label, case in question["cases"].items() if "figures" in case or case["competitors"]
    }
    if any("bars" in case or "bars_of" in case for case in cases.values()):
        image = IMAGES / f"performance-{name}.svg"
        bars(question["title"], cases, image)
        parts.append(f"![{question['title']}: million bars a second](images/{image.name})\n")
    if any("figures" in case for case in cases.values()):
        image = IMAGES / f"performance-{name}.svg"
        parts.append(f"![{figure_plot(question['title'], cases, image)}](images/{image.name})\n")
    parts += [
        figure_tables(label, case) if "figures" in case else _case(label, case)
        for label, case in cases.items()
    ]
    runs = list(dict.fromkeys(_run(case["run"]) for case in cases.values()))
    for run in runs:
        measured = [label for label, case in cases.items() if _run(case["run"]) == run]
        parts.append(f"{', '.join(measured).capitalize()}: {run}" if len(runs) > 1 else run)
    return "\n".join(parts)


def _case(label: str, case: dict[str, Any]) -> str:
    rows, counted = case.get("rows"), case.get("bars")
    what = f"{case['symbols']:,} symbols × {rows:,} minutes" if rows and "symbols" in case else ""
    unit = "µs a row" if rows else "ms"
    lines = [f"### {label[0].upper()}{label[1:]}{': ' + what if what else ''}\n"]
    lines.append(f"| | {unit} | M bars/s | median | spread | largest error | |")
    lines.append("|---|---:|---:|---:|---:|---:|---|")
    scale = 1e6 / rows if rows else 1e3
    for name, sample in sorted(case["competitors"].items(), key=lambda item: item[1]["best"]):
        bars_of = case.get("bars_of", {}).get(name, counted)
        cells = (
            f"**{name}**" if name.startswith("qmtl") else name,
            f"{sample['best'] * scale:,.2f}",
            f"{bars_of / sample['best'] / 1e6:,.2f}" if bars_of else "",
            f"{sample['median'] * scale:,.2f}",
            f"{sample['spread']:.0%}",
            f"{max(sample['errors'].values()):.0e}" if sample["errors"] else "",
            sample["note"],
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += _ratios(case)
    return "\n".join(lines) + "\n"


def _ratios(case: dict[str, Any]) -> list[str]:
    lines = [""] if case.get("ratios") or case.get("equal_to_rows") is not None else []
    for label, found in case.get("ratios", {}).items():
        missed = "" if found["ratio"] >= found["least"] else " Missed."
        lines.append(f"- {found['ratio']:.2f} × {label}; asked for: {found['least']:.2f} ×.{missed}")
    if case.get("equal_to_rows") is not None:
        lines.append(f"- {'Bit-equal' if case['equal_to_rows'] else '**Not** bit-equal'} to by row.")
    return lines


def _run(run: dict[str, Any]) -> str:
    machine, versions = run["machine"], run["versions"]
    packages = ", ".join(f"{name} {number}" for name, number in versions.items() if name != "qmtl")
    where = (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, load at the end {machine['load']}"
    )
    rounds = f"{run['rounds']} rounds. {where}; Python {machine['python']}, {packages}"
    return f"{rounds}; commit {machine['commit']}.\n"


if __name__ == "__main__":
    main()
