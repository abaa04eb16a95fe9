"""The commit log as tables: what an independent reader finds of every node (C1, C9)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from qmtl.core.flow.commit import STEP_KEY, Position, Slot, StepRecord, Topic
from qmtl.ports.log import Log
from qmtl.runtime.worker.messages import Result, committed


@dataclass
class Committed:
    """Of one node's lane: status, values and version of the latest version by bucket (ns); what breaks C1 as text."""

    latest: dict[int, tuple[int, tuple[float, ...], int]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def first(self, bucket: int, status: int, values: tuple[float, ...]) -> None:
        if bucket in self.latest:
            self.wrong.append(f"bucket {bucket} has a second version 0")
        self.latest[bucket] = (status, values, 0)

    def later(self, bucket: int, status: int, values: tuple[float, ...], version: int) -> None:
        before = self.latest[bucket][2] if bucket in self.latest else -1
        if version != before + 1:
            self.wrong.append(f"bucket {bucket}: version {version} after {before}")
        self.latest[bucket] = (status, values, version)


@dataclass
class CommitLog:
    """Everything committed, by node and lane; and the epochs of the steps, by slot, in order."""

    nodes: dict[tuple[str, int], Committed] = field(default_factory=dict)
    epochs: dict[int, list[int]] = field(default_factory=dict)
    results: int = 0

    def add(self, value: bytes) -> None:
        """One more result, in the order of the log; raises Corrupt where it is none."""
        message = committed(value)
        self.results += 1
        node = self.nodes.setdefault((message.node_id, message.lane), Committed())
        status = np.frombuffer(message.closed.status, np.uint8)
        values = np.frombuffer(message.closed.values, np.float64).reshape(len(status), -1)
        if isinstance(message, Result):
            for n, (each, row) in enumerate(zip(status.tolist(), values.tolist(), strict=True)):
                node.first(message.closed.bucket + n * message.interval, each, tuple(row))
        else:
            node.later(message.closed.bucket, int(status[0]), tuple(values[0].tolist()), message.version)

    @property
    def wrong(self) -> list[str]:
        """What breaks C1 (one version 0, versions without holes) or C5 (epochs never decrease)."""
        found = [f"{key[0][:12]}/{key[1]}: {text}" for key, one in self.nodes.items() for text in one.wrong]
        back = [slot for slot, epochs in self.epochs.items() if epochs != sorted(epochs)]
        return found + [f"slot {slot}: epochs go back" for slot in back]


async def read_all(log: Log) -> CommitLog:
    """Read the whole commit log."""
    found = CommitLog()
    for slot in range(log.slots):
        at = Position(0)
        while True:
            batch = await log.read(Topic.COMMITS, Slot(slot), at)
            for entry in batch.entries:
                if entry.record.key == STEP_KEY:
                    found.epochs.setdefault(slot, []).append(int(StepRecord.of(entry.record).epoch))
                else:
                    found.add(entry.record.value)
            if not batch.entries:
                break
            at = batch.next
    return found
