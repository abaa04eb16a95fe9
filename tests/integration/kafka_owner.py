"""A process that owns all slots and has made a step of each that it commits on a line of input."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable

from qmtl.adapters.kafka.cluster import Cluster
from qmtl.adapters.kafka.log import KafkaLog
from qmtl.core.errors import Fault
from qmtl.core.flow.commit import Position, Record, Step


async def own(bootstrap: str, name: str) -> None:
    log = await KafkaLog.open(Cluster(bootstrap, name))
    member = await log.member("first")
    while len((polled := await member.poll(1.0)).assigned) < log.slots:
        pass
    taken = {slot: await member.take(slot) for slot in sorted(polled.assigned)}
    steps = {
        number: [
            Step(slot, each.epoch, Position(0), (Record(b"first", b"%d" % number),))
            for slot, each in taken.items()
        ]
        for number in (1, 2)
    }
    for step in steps[1]:
        await member.commit(step, polled.generation)
    print("made", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for step in steps[2]:
        print(await outcome(member.commit(step, polled.generation)), flush=True)
    now = await member.poll(0.0)
    for step in steps[2]:  # P8: also with a generation of now
        print(await outcome(member.commit(step, now.generation)), flush=True)
    await log.close()


async def outcome(commit: Awaitable[None]) -> str:
    try:
        await commit
    except Fault as fault:
        return type(fault).__name__
    return "committed"


if __name__ == "__main__":
    asyncio.run(own(*sys.argv[1:]))
