"""What exactly-once commits on Kafka cost: against a plain idempotent producer flushed at the same points.

Both write the same records, of 100 bytes, into one partition of a topic with the same settings. A commit is one
transaction with the slot's position and its step record, as workers make it. The broker is the one at
KAFKA_BOOTSTRAP_SERVERS, or one that is started for the run on the same machine.

Event to committed: events come at a steady rate and are committed at 1,000 records or after 100 ms. It is over when a
`read_committed` consumer has the record.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from time import perf_counter

import numpy as np

from figures import Figure, case, show
from harness import console, interleaved, keep, options
from qmtl.core.flow.commit import Generation, Position, Record, Slot, Step, Taken, Topic

if find_spec("confluent_kafka") is None:
    console.print("skipped: Kafka: there is no module confluent_kafka")
    sys.exit()

from confluent_kafka import Consumer, Producer, TopicPartition

from qmtl.adapters.kafka.cluster import Cluster
from qmtl.adapters.kafka.log import KafkaLog
from qmtl.adapters.kafka.member import KafkaMember
from qmtl.runtime.servers import Kafka

TITLE = "Exactly-once commits on Kafka"
RECORDS = {"100": 100, "1k": 1_000, "5k": 5_000}  # of a commit
MOST = {1_000: 1 / 0.5, 5_000: 1 / 0.9}  # times as long as the plain producer, as was asked
COMMITS = 20  # of a run
WARM = 10  # runs before those that count
VALUE = bytes(100)
RATE, SECONDS = 5_000, 10.0  # events a second, for so long
EVERY_RECORDS, EVERY_SECONDS = 1_000, 0.1
SLOT = Slot(0)


@dataclass
class Owner:
    """The owner of the only slot, as a worker is."""

    loop: asyncio.Runner
    log: KafkaLog
    member: KafkaMember
    taken: Taken
    generation: Generation

    @classmethod
    def of(cls, loop: asyncio.Runner, cluster: Cluster) -> Owner:
        return cls(loop, *loop.run(_owned(cluster)))

    def commit(self, records: tuple[Record, ...], times: int) -> None:
        self.loop.run(self._commits(records, times))

    async def _commits(self, records: tuple[Record, ...], times: int) -> None:
        for _ in range(times):
            await self.committed(records)

    async def committed(self, records: tuple[Record, ...]) -> None:
        await self.member.commit(Step(SLOT, self.taken.epoch, Position(0), records), self.generation)


async def _owned(cluster: Cluster) -> tuple[KafkaLog, KafkaMember, Taken, Generation]:
    log = await KafkaLog.create(cluster, 1)
    member = await log.member("bench")
    while SLOT not in (polled := await member.poll(1.0)).assigned:
        pass
    return log, member, await member.take(SLOT), polled.generation


def main() -> None:
    given = options(tuple(RECORDS), __doc__)
    address, started = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", ""), None
    if not address:
        started = Kafka()
        started.start()
        address = started.address
    try:
        with asyncio.Runner() as loop:
            cases = _cases(loop, address, given.sizes, given.rounds)
    finally:
        if started is not None:
            started.stop()
    keep("kafka", TITLE, cases, given)


def _cases(loop: asyncio.Runner, address: str, sizes: tuple[str, ...], rounds: int) -> dict[str, object]:
    cluster, plain_cluster = (Cluster(address, f"bench-{os.getpid()}-{kind}") for kind in ("owner", "plain"))
    owner = Owner.of(loop, cluster)
    loop.run(KafkaLog.create(plain_cluster, 1))
    plain = Producer(plain_cluster.producer())
    cases: dict[str, object] = {}
    for size in sizes:
        count = RECORDS[size]
        records = tuple(Record(b"key-%06d" % number, VALUE) for number in range(count))
        runs = {
            "exactly once": _timed(lambda records=records: owner.commit(records, COMMITS)),
            "plain": _timed(lambda records=records: _flushes(plain, plain_cluster, records)),
        }
        for run in list(runs.values()) * WARM:
            run()  # connections, metadata, and the broker's own compiling
        samples = interleaved(runs, rounds)
        once, other = samples["exactly once"].best / COMMITS, samples["plain"].best / COMMITS
        figures = {
            "a commit, exactly once": Figure(once * 1e3, "ms"),
            "a flush of the plain producer": Figure(other * 1e3, "ms"),
            "exactly once over plain": Figure(once / other, "×", MOST.get(count)),
            "records, exactly once": Figure(count / once, "/s"),
        }
        label = f"{count:,} records a commit"
        show(f"{TITLE}: {label}", figures)
        seconds = {name: sample.seconds for name, sample in samples.items()}
        cases[label] = case(figures, records=count, commits=COMMITS, seconds=seconds)
    label = f"{EVERY_RECORDS:,} records or {EVERY_SECONDS * 1e3:.0f} ms, {RATE:,} events a second"
    figures = _latency(owner, cluster)
    show(f"{TITLE}: {label}", figures)
    cases[label] = case(figures, rate=RATE, seconds=SECONDS)
    loop.run(owner.log.close())
    return cases


def _timed(work: Callable[[], None]) -> Callable[[], float]:
    def run() -> float:
        begin = perf_counter()
        work()
        return perf_counter() - begin

    return run


def _flushes(plain: Producer, cluster: Cluster, records: tuple[Record, ...]) -> None:
    for _ in range(COMMITS):
        _flush(plain, cluster, records)


def _flush(plain: Producer, cluster: Cluster, records: tuple[Record, ...]) -> None:
    failed: list[object] = []

    def delivered(error: object, _message: object) -> None:
        if error is not None:
            failed.append(error)

    topic = cluster.topic(Topic.COMMITS)
    for each in records:
        plain.produce(topic, each.value, each.key, partition=0, on_delivery=delivered)
    if plain.flush(30.0) or failed:
        raise RuntimeError(f"the plain producer has failed: {failed[:1]}")


def _latency(owner: Owner, cluster: Cluster) -> dict[str, Figure]:
    total = int(RATE * SECONDS)
    seen = np.zeros(total)
    reading = threading.Thread(target=_read, args=(cluster, seen))
    start = owner.loop.run(_events(owner, total, reading))
    reading.join(60.0)
    if not seen.all():
        raise RuntimeError(f"{(seen == 0).sum()} of {total} events were never seen")
    taken = (seen - (start + np.arange(total) / RATE)) * 1e3
    figures = {f"p{at}, event to committed": Figure(float(np.percentile(taken, at)), "ms") for at in (50, 99)}
    return figures | {"the longest": Figure(float(taken.max()), "ms")}


async def _events(owner: Owner, total: int, reading: threading.Thread) -> float:
    """Event i happens i / RATE seconds after the start, which is returned."""
    reading.start()
    start = perf_counter() + 1.0
    done = 0
    while done < total:
        due = start + done / RATE  # of the oldest event that is not committed
        full = start + (done + EVERY_RECORDS) / RATE
        await asyncio.sleep(max(0.0, min(due + EVERY_SECONDS, full) - perf_counter()))
        until = min(total, int((perf_counter() - start) * RATE))
        records = tuple(Record(b"event", b"%d" % number) for number in range(done, until))
        if records:
            await owner.committed(records)
        done = until
    return start


def _read(cluster: Cluster, seen: np.ndarray) -> None:
    consumer = Consumer({**cluster.reader(), "fetch.wait.max.ms": 100})
    at = TopicPartition(cluster.topic(Topic.COMMITS), 0)
    at.offset = consumer.get_watermark_offsets(at)[1]
    consumer.assign([at])
    end = perf_counter() + SECONDS + 30.0
    while not seen.all() and perf_counter() < end:
        first = consumer.poll(0.1)
        now = perf_counter()
        for message in [] if first is None else [first, *consumer.consume(10_000, 0.0)]:
            if message.error() is None and message.key() == b"event":
                seen[int(message.value())] = now
    consumer.close()


if __name__ == "__main__":
    main()
