"""A progress bar, where somebody looks and the work is long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, perf_counter

Report = Callable[[int, int], None]

PATIENCE_SECONDS = 1.5  # nothing is shown for work that ends sooner


stopwatch = perf_counter  # seconds; given to whoever has to know what something takes


@contextmanager
def shown(progress: bool | Report | None) -> Iterator[Report | None]:
    """What to call with (done, total): the caller's function, a bar on stderr, or nothing."""
    if callable(progress):
        yield progress
        return
    if progress is False or (progress is None and not sys.stderr.isatty()):
        yield None
        return
    yield from _bar(0.0 if progress else PATIENCE_SECONDS)


def _bar(patience: float) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("events", total=None)
    begun, started = monotonic(), False

    def report(done: int, total: int) -> None:
        nonlocal started
        if not started and monotonic() - begun >= patience:
            bar.start()
            started = True
        bar.update(task, completed=done, total=total)

    try:
        yield report
    finally:
        if started:
            bar.stop()
