"""Where the time of workload W by row goes, by what the code does: samples of `perf`, a row's worth of microseconds.

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
from pathlib import Path

from numba.core.dispatcher import Dispatcher

import qmtl_forms
from figures import Figure, case, show
from harness import console, keep, options
from workload import Workload, workload

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
    "sums_kernels": "window sums: sma20, zscore60",
    "scan_averages": "scans: ema12, ema26, rsi14",
    "scan_ranges": "scans: ema12, ema26, rsi14",
    "scan_lanes": "scans: ema12, ema26, rsi14",
    "scan_kernels": "scans: ema12, ema26, rsi14",
    "map_kernels": "macd",
    "cross_kernels": "mean over the symbols",
}
REST = "Python and numpy: the call a row, its arguments"


def main() -> None:
    given = options(("small", "mid"), __doc__)
    if shutil.which("perf") is None:
        console.print("skipped: there is no perf on this machine")
        return
    cases = {}
    for size in ("small",) if given.quick else given.sizes:
        of = workload(size)
        figures = _figures(of, 2 if given.quick else RUNS)
        show(f"{TITLE}: {of.symbols} symbols × {of.rows:,} minutes", figures)
        cases[f"{size}: {of.symbols} symbols"] = case(figures, rows=of.rows)
    keep("profile", TITLE, cases, given)


def _figures(of: Workload, runs: int) -> dict[str, Figure]:
    qmtl_forms.rows(of)  # compiles
    names = _compiled()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "perf.data"
        seconds = _sampled(of, runs, data)
        samples = _samples(data, names)
    row, whole, parts = seconds / runs / of.rows * 1e6, samples.total(), Counter[str]()
    for name, count in samples.items():
        parts[_part(name)] += count
    figures = {"a row, sampled": Figure(row, "µs")}
    for part, count in parts.most_common():
        mine = sorted(
            (name for name in samples if _part(name) == part), key=samples.__getitem__, reverse=True
        )
        most = "" if part == REST else f"; most in {', '.join(mine[:3])}"
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
    return PARTS.get(name.partition(".")[0], REST if name == REST else "other compiled code")


def _sampled(of: Workload, runs: int, data: Path) -> float:
    """Seconds of the calls, while perf looks on."""
    given = [qmtl_forms.prepared(of) for _ in range(runs)]
    command = ["perf", "record", "-q", "-F", str(PER_SECOND), "-p", str(os.getpid()), "-o", str(data)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as perf:
        while not data.exists() and perf.poll() is None:
            pass
        seconds = sum(qmtl_forms.by_row(*each) for each in given)
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
        if symbol == "[unknown]" and ".so" not in line and "python" not in line and at >= 0:
            found[names[at][1]] += 1
        else:
            found[REST] += 1
    return found


if __name__ == "__main__":
    main()
