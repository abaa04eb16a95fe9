"""A short run of a worker, recorded, and drawn as the sequence diagram of docs/guide/once.md.

`python tests/docs/once_run.py` prints it; `--write` puts it into the guide.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from qmtl import Event, Strategy, StreamInput
from qmtl.adapters.memory.log import MemoryLog
from qmtl.core.flow.commit import Generation, Step
from qmtl.core.flow.entry import Fate
from qmtl.core.flow.instant import instant_text
from qmtl.core.flow.timeline import NEVER
from qmtl.core.graph.expand import expand
from qmtl.runtime.backtest import unique_nodes, wanted_sources
from qmtl.runtime.sources import load
from qmtl.runtime.worker.feed import Feed, TableFeed
from qmtl.runtime.worker.messages import Correction, Events, Finished, Result, committed, decoded
from qmtl.runtime.worker.spread import STREAMS, spread
from qmtl.runtime.worker.worker import Worker
from qmtl.sdk.strategy import build

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "once.md"
BEGIN = 1_704_187_800 * 10**9  # 2024-01-02T09:30Z
MINUTE = 60 * 10**9
MARK = re.compile(r"(<!-- diagram -->\n```mermaid\n).*?(```\n)", re.DOTALL)

# minute of the bar, its close, minute and second of its arrival, what this is an example of
ARRIVALS = (
    (0, 100.0, 1.0, "normal"),
    (1, 102.0, 2.0, "normal"),
    (2, 104.0, 3.0, "normal"),
    (4, 108.0, 5.0, "normal: minute 3 is missing"),
    (3, 106.0, 5.5, "late, within the allowed lateness"),
    (5, 110.0, 6.0, "normal"),
    (1, 99.0, 6.5, "backward in time: another value for a bucket that closed long ago"),
    (0, 90.0, 6.7, "backward in time, beyond the allowed lateness"),
)


class Mean(Strategy):
    def define(self) -> None:
        close = StreamInput("A", interval="1m", fields=("close",), allowed_lateness="5m").close
        self.output("mean", close.sma(2))


class Recorder:
    """A member of the log that notes what its worker commits."""

    def __init__(self, member: Any, note: Callable[[Step], None]) -> None:
        self._member, self._note = member, note

    def __getattr__(self, name: str) -> Any:
        return getattr(self._member, name)

    async def commit(self, step: Step, generation: Generation) -> None:
        await self._member.commit(step, generation)
        self._note(step)


class Drawing:
    """The lines of the diagram."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names, self.lines, self.told = names, list[str](), 0
        self.watermark, self.refused = NEVER, 0

    def step(self, step: Step, worker: Worker) -> None:
        for _, record in step.onward:
            for message in decoded(record.value):
                if isinstance(message, Events):
                    self._arrives(message)
        engine = worker._owned[step.slot].state.engine if step.slot in worker._owned else None
        if engine is None or step.onward:
            return
        (source,) = engine.sources
        entry, refusals = source.bars[0], engine.flow.log.refusals
        now = int(engine.clocks.wm[entry.clock])
        if now != self.watermark:
            was = "none" if self.watermark == NEVER else clock(self.watermark)
            self.lines.append(f"Note over W: watermark {was} → {clock(now)}")
            self.watermark = now
        for refusal in refusals[self.refused :]:
            assert refusal.fate is Fate.TOO_LATE
            self.lines.append(
                f"Note over W: {clock(refusal.ts)} is {refusal.fate.value}: counted, nothing changes"
            )
        self.refused = len(refusals)
        told = [text for record in step.results for text in self._result(committed(record.value))]
        what = "<br/>".join(told) if told else "position only"
        self.lines.append(
            f"W->>C: one transaction, epoch {step.epoch}, input up to {step.position}<br/>{what}"
        )

    def _arrives(self, message: Events) -> None:
        minute, close, at, why = ARRIVALS[self.told]
        (ts,), (value,) = np.frombuffer(message.event_ns, np.int64), np.frombuffer(message.values)
        assert (int(ts), float(value)) == (BEGIN + minute * MINUTE, close)
        self.told += 1
        self.lines.append(f"Note over F,C: {why}")
        self.lines.append(
            f"F->>S: bar {clock(int(ts))}, close {value:g}, came at {clock(BEGIN + round(at * MINUTE), 8)}"
        )
        self.lines.append(f"S->>W: record, and the feed's position {self.told} in one transaction")

    def _result(self, message: Result | Correction) -> list[str]:
        status, values = np.frombuffer(message.closed.status, np.uint8), np.frombuffer(message.closed.values)
        version = message.version if isinstance(message, Correction) else 0
        name, interval = self.names[message.node_id], MINUTE
        return [
            f"{name} {clock(message.closed.bucket + n * interval)} v{version} = {KINDS.get(int(each)) or f'{x:g}'}"
            for n, (each, x) in enumerate(zip(status, values, strict=True))
        ]


KINDS = {2: "gap"}


def clock(ns: int, letters: int = 5) -> str:
    return instant_text(ns)[11 : 11 + letters]


async def recorded() -> list[str]:
    """The lines of a run."""
    (graph,) = expand([build(Mean())], lambda query: [])
    nodes = unique_nodes([graph])
    events = [
        Event("A", BEGIN + minute * MINUTE, close, interval="1m", at=BEGIN + round(at * MINUTE))
        for minute, close, at, _ in ARRIVALS
    ]
    arrivals = load(events, wanted_sources(nodes.values(), [graph]), finished=False, with_clock=False)
    (stream,) = [one for one in nodes.values() if one.kind in STREAMS]
    laid = spread(nodes.values(), 1, {stream.node_id: BEGIN}, BEGIN + 60 * MINUTE)
    feed = Open(TableFeed(stream, arrivals, chunk=1))
    drawing = Drawing({one.node_id: "A" if one is stream else "mean" for one in nodes.values()})
    log = MemoryLog(1, asyncio.get_running_loop().time, lease_seconds=30.0)
    worker = Worker(log, laid, {stream.node_id: feed}, "one", 0.01)
    join = log.member

    async def member(name: str) -> Any:
        return Recorder(await join(name), lambda step: drawing.step(step, worker))

    log.member = member  # type: ignore[method-assign]
    idle = [0]

    def stop(nothing: bool) -> bool:
        idle[0] = idle[0] + 1 if nothing else 0
        return idle[0] > 4

    await worker.run(stop)
    return drawing.lines


class Open(Feed):
    """A feed that does not end: what comes after its last event is still unknown."""

    def __init__(self, feed: TableFeed) -> None:
        self._feed = feed

    def read(self, position: int | str) -> Any:
        message, after = self._feed.read(position)
        return (None, position) if isinstance(message, Finished) else (message, after)


def diagram() -> str:
    head = ["sequenceDiagram", "participant F as Feed", "participant S as Slot's partition"]
    head += ["participant W as Worker (owner)", "participant C as Commit log"]
    return "\n".join([head[0], *(f"    {line}" for line in [*head[1:], *asyncio.run(recorded())])]) + "\n"


def drawn(text: str) -> str:
    """The guide with the diagram of this run."""
    return MARK.sub(lambda found: found[1] + diagram() + found[2], text)


if __name__ == "__main__":
    if "--write" in sys.argv:
        GUIDE.write_text(drawn(GUIDE.read_text()))
    else:
        sys.stdout.write(diagram())
