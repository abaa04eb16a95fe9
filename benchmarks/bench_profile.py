"""Where the time of workload W goes, by row, in blocks, and by row with bars that are missing, late and repeated (W′):
samples of `perf` by what the code does, in microseconds of a row.

The limit beside it is one fused loop that computes the same outputs and nothing else. Compiled functions are told apart
by their addresses, so that each sample belongs to the function it fell into, with all that was inlined there.
"""

from __future__ import annotations

import bisect
import gc
import os
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

from numba.core.dispatcher import Dispatcher

import qmtl_forms
from figures import Figure, case, show
from harness import console, keep, options
from workload import Workload, disordered, workload

TITLE = "Where a row goes"
PER_SECOND = 5_000
RUNS = 6
PARTS = {  # by module of the compiled function, then by its name
    "panel_kernels": "taking a row in: bars copied, clocks moved",
    "drive_kernels": "taking a row in: bars copied, clocks moved",
    "clock_kernels": "taking a row in: bars copied, clocks moved",
    "settle_kernels": "what closes, and when",
    "rectangle_kernels": "what closes, and when",
    "status_kernels": "which cells are rows (E5), and what is missing (E6)",
    "correct_kernels": "corrections",
    "late_kernels": "late and repeated bars, what they change",
    "tell_kernels": "the ledger of what has changed",
    "access_kernels": "late and repeated bars, what they change",
    "direct_kernels": "windows read anew",
    "sums_kernels": "window sums: sma20, zscore60",
    "scan_averages": "scans: ema12, ema26, rsi14",
    "scan_ranges": "scans: ema12, ema26, rsi14",
    "scan_lanes": "scans: ema12, ema26, rsi14",
    "scan_kernels": "scans: ema12, ema26, rsi14",
    "map_kernels": "macd",
    "cross_kernels": "mean over the symbols",
}
REST = "Python and numpy: calls and their arguments"
SYSTEM = "the system: memory that is new (the ledger of what has changed grows)"

Prepare: TypeAlias = Callable[[], tuple[Any, ...]]  # an engine and what it is given
Run: TypeAlias = Callable[..., float]  # of that: seconds


def main() -> None:
    given = options(("small", "mid"), __doc__)
    if shutil.which("perf") is None:
        console.print("skipped: there is no perf on this machine")
        return
    cases = {}
    for size in ("small",) if given.quick else given.sizes:
        for label, (of, prepare, run) in _ways(size).items():
            figures = _figures(of, 2 if given.quick else RUNS, prepare, run)
            name = f"{label}, {of.symbols} symbols × {of.rows:,} minutes"
            show(f"{TITLE}: {name}", figures)
            cases[name] = case(figures, rows=of.rows)
    keep("profile", TITLE, cases, given)


def _ways(size: str) -> dict[str, tuple[Workload, Prepare, Run]]:
    order, late = workload(size), disordered(size)
    found: dict[str, tuple[Workload, Prepare, Run]] = {
        "by row": (order, lambda: qmtl_forms.prepared(order), qmtl_forms.by_row)
    }
    if size != "small":
        whole, minutes = [(0, order.bars)], list(pairwise(late.arrivals.offsets.tolist()))
        blocks = partial(qmtl_forms.prepared_batches, order, whole, in_order=True)
        disorder = partial(qmtl_forms.prepared_batches, late, minutes)
        found["in blocks"] = (order, blocks, qmtl_forms.by_batch)
        found["by row, W′"] = (late, disorder, qmtl_forms.by_batch)
    return found


def _figures(of: Workload, runs: int, prepare: Prepare, run: Run) -> dict[str, Figure]:
    run(*prepare())  # compiles
    names = _compiled()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "perf.data"
        seconds = _sampled([prepare() for _ in range(runs)], run, data)
        samples = _samples(data, names)
    row, whole, parts = seconds / runs / of.rows * 1e6, samples.total(), Counter[str]()
    for name, count in samples.items():
        parts[_part(name)] += count
    figures = {"a row, sampled": Figure(row, "µs")}
    for part, count in parts.most_common():
        mine = sorted(
            (name for name in samples if _part(name) == part), key=samples.__getitem__, reverse=True
        )
        most = "" if part in (REST, SYSTEM) else f"; most in {', '.join(mine[:3])}"
        figures[part] = Figure(row * count / whole, "µs", note=f"{count / whole:.0%}{most}")
    return figures


def _compiled() -> list[tuple[int, str]]:
    """Where the machine code of each compiled function begins, ascending."""
    found = []
    for one in gc.get_objects():
        if isinstance(one, Dispatcher):
            for made in one.overloads.values():
                start = made.library.get_pointer_to_function(made.fndesc.llvm_func_name)
                if start:
                    found.append((start, f"{one.py_func.__module__.rpartition('.')[2]}.{one.__name__}"))
    return sorted(found)


def _part(name: str) -> str:
    return PARTS.get(name.partition(".")[0], name if name in (REST, SYSTEM) else "other compiled code")


def _sampled(given: Sequence[tuple[Any, ...]], run: Run, data: Path) -> float:
    """Seconds of the calls, while perf looks on."""
    command = ["perf", "record", "-q", "-F", str(PER_SECOND), "-p", str(os.getpid()), "-o", str(data)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as perf:
        while not data.exists() and perf.poll() is None:
            pass
        seconds = sum(run(*each) for each in given)
        perf.send_signal(signal.SIGINT)
        perf.wait()
    return seconds


def _samples(data: Path, names: list[tuple[int, str]]) -> Counter[str]:
    """Samples of compiled code by function, and the rest."""
    listed = subprocess.run(
        ["perf", "script", "-i", str(data), "-F", "ip,sym,dso"], capture_output=True, text=True, check=True
    )
    starts, found = [start for start, _ in names], Counter[str]()
    for line in listed.stdout.splitlines():
        fields = line.split()
        if not fields:
            continue
        address, symbol = int(fields[0], 16), fields[1]
        at = bisect.bisect_right(starts, address) - 1
        if "[kernel" in line:
            found[SYSTEM] += 1
        elif symbol == "[unknown]" and ".so" not in line and "python" not in line and at >= 0:
            found[names[at][1]] += 1
        else:
            found[REST] += 1
    return found


if __name__ == "__main__":
    main()
