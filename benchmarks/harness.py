"""How every question is measured: answers checked first, then interleaved rounds, and named figures kept.

A round runs every competitor, each time in another order, so that a machine that grows slower or faster treats all
alike. What takes milliseconds is run again within the round, for one interruption by another process is as long as it
is itself, and the fastest counts. The best of the rounds is compared; median and spread say how quiet the machine was.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console

from reference import WrongOutputError, check, compared, reference
from workload import Workload

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
QUICK_RESULTS = HERE / "results-quick.json"
SLOW_SECONDS, SLOW_ROUNDS = 20.0, 2  # what takes this long is not run five times
SHORT_SECONDS, SHORT_RUNS = 0.1, 20  # a round of what is shorter lasts this long, or has this many runs
PACKAGES = ("qmtl", "numpy", "numba", "csp", "bytewax", "ta-lib", "bottleneck", "scipy", "pandas", "polars")
PACKAGES += ("vectorbt", "pyarrow")

console = Console(width=None if sys.stdout.isatty() else 120)
Outputs = Mapping[str, np.ndarray]
Form = Callable[[Workload], tuple[float, Outputs]]


@dataclass(frozen=True)
class Competitor:
    """A form by name, `module:function`: it is imported when it runs, and skipped where it cannot be."""

    name: str
    form: str
    note: str = ""
    most_bars: int = 10**9  # beyond, it would take minutes to say what the smaller sizes say

    def load(self) -> Form | None:
        module, _, function = self.form.partition(":")
        try:
            form: Form | None = getattr(import_module(module), function, None)
        except ModuleNotFoundError as missing:
            console.print(f"skipped: {self.name}: there is no module {missing.name}")
            return None
        if form is None:
            console.print(f"skipped: {self.name}: {module} has no {function}")
        return form


@dataclass
class Sample:
    """The times of one competitor in one case."""

    seconds: list[float] = field(default_factory=list)
    errors: dict[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def best(self) -> float:
        return min(self.seconds)

    @property
    def spread(self) -> float:
        """How much longer the worst round took than the best one."""
        return max(self.seconds) / self.best - 1.0

    def as_json(self) -> dict[str, Any]:
        return {
            "best": self.best,
            "median": median(self.seconds),
            "spread": self.spread,
            "seconds": self.seconds,
            "errors": self.errors,
            "note": self.note,
        }


@dataclass(frozen=True)
class Options:
    quick: bool
    rounds: int
    sizes: tuple[str, ...]
    only: tuple[str, ...]

    def chosen(self, name: str) -> bool:
        return not self.only or any(each in name for each in self.only)


def options(sizes: Sequence[str], description: str | None = None) -> Options:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="two rounds of the smallest size, kept apart")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", help="of " + ",".join(sizes))
    parser.add_argument(
        "--only", default="", help="competitors whose names contain one of these; nothing is kept"
    )
    given = parser.parse_args()
    warn_of_company()
    chosen = tuple(given.sizes.split(",")) if given.sizes else tuple(sizes[:1] if given.quick else sizes)
    only = tuple(each for each in given.only.split(",") if each)
    return Options(given.quick, 2 if given.quick else given.rounds, chosen, only)


def warn_of_company() -> None:
    """Where processes share a core, one of a few milliseconds is as often interrupted as not."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores * 0.75:
        console.print(
            f"[yellow]load {load:.1f} on {cores} cores: times will be noisy, short ones most[/yellow]"
        )


def interleaved(
    runs: Mapping[str, Callable[[], float]], rounds: int, samples: dict[str, Sample] | None = None
) -> dict[str, Sample]:
    """Times of `runs`, which return seconds; each round begins with another one."""
    samples = samples if samples is not None else {name: Sample() for name in runs}
    names = list(runs)
    for number in range(rounds):
        turn = number % max(len(names), 1)
        for name in names[turn:] + names[:turn]:
            taken = samples[name].seconds
            if len(taken) >= SLOW_ROUNDS and min(taken) > SLOW_SECONDS:
                continue
            taken.append(_fastest(runs[name]))
    return samples


def _fastest(run: Callable[[], float]) -> float:
    taken: list[float] = []
    while not taken or (sum(taken) < SHORT_SECONDS and len(taken) < SHORT_RUNS):
        gc.collect()
        taken.append(run())
    return min(taken)


@dataclass
class Checked:
    """Forms whose outputs are right, ready to be timed."""

    samples: dict[str, Sample] = field(default_factory=dict)
    runs: dict[str, Callable[[], float]] = field(default_factory=dict)

    def run(self, rounds: int) -> dict[str, Sample]:
        return interleaved(self.runs, rounds, self.samples)


def compete(of: Workload, competitors: Sequence[Competitor], given: Options) -> dict[str, Sample]:
    return checked(of, competitors, given).run(given.rounds)


def checked(of: Workload, competitors: Sequence[Competitor], given: Options) -> Checked:
    """Runs every competitor once, which also compiles what it compiles, and compares its outputs."""
    expected, where = reference(of), compared(of)
    ready = Checked()
    for each in competitors:
        if not given.chosen(each.name):
            continue
        if of.bars > each.most_bars:
            console.print(f"skipped: {each.name}: not run with {of.bars:,} bars")
            continue
        form = each.load()
        if form is None:
            continue
        console.print(f"[dim]checking {each.name} ({of.name})[/dim]")
        try:
            errors = check(of, form(of)[1], expected, where)
        except WrongOutputError as wrong:
            console.print(f"[red]WRONG: {each.name}: {wrong}[/red]")
            continue
        ready.samples[each.name] = Sample(errors=errors, note=each.note)
        ready.runs[each.name] = lambda form=form: form(of)[0]
    return ready


def case_as_json(samples: Mapping[str, Sample], **facts: Any) -> dict[str, Any]:
    return {**facts, "competitors": {name: sample.as_json() for name, sample in samples.items()}}


def keep(question: str, title: str, cases: Mapping[str, Any], given: Options) -> None:
    """Merge the cases of a question into the results, each with the run it is from.

    With `--only` they were not measured in one run with all, and are not kept.
    """
    if given.only:
        console.print("[dim]not kept: only some competitors ran[/dim]")
        return
    path = QUICK_RESULTS if given.quick else RESULTS
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"questions": {}}
    before = results["questions"].get(question, {}).get("cases", {})
    run = {"rounds": given.rounds, "machine": machine(), "versions": versions()}
    made = {label: {**case, "run": run} for label, case in cases.items()}
    results["questions"][question] = {"title": title, "cases": {**before, **made}}
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    console.print(f"[dim]kept in {path.relative_to(HERE.parent)}[/dim]")


def machine() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
        "commit": _commit(),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
