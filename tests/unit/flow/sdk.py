"""Strategies made of a few outputs, run over events given one by one through the public SDK."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from qmtl import Event, Runner, Strategy

SECOND = 1_000_000_000


def backtest(outputs: Callable[[], dict[str, Any]], items: Iterable[Any], **options: Any) -> Any:
    """The run of a strategy that declares `outputs()`."""

    class Case(Strategy):
        def define(self) -> None:
            for name, series in outputs().items():
                self.output(name, series)

    return Runner.backtest(Case(), list(items), **options)


def bar(ts: int, value: float, stream: str = "A", **more: Any) -> Event:
    """A bar of one field, its start in seconds."""
    return Event(stream, ts * SECOND, value, **more)


def table(run: Any, name: str = "out", version: str = "final") -> dict[int, float]:
    """Values by bucket in seconds; what has none is NaN."""
    frame = run.frame(name, version=version, kind="arrow")
    buckets, *values = (column.to_pylist() for column in frame.columns)
    return {int(bucket.timestamp()): value for bucket, value in zip(buckets, values[0], strict=True)}


def ledger(run: Any, name: str = "out") -> list[tuple[int, str, int, float, float]]:
    """(step, kind, bucket in seconds, value, retract) of every emission, in order."""
    rows = run.ledger(name, kind="arrow").to_pylist()
    return [
        (one["step"], one["kind"], int(one["bucket"].timestamp()), one["value"], one["retract"])
        for one in rows
    ]
