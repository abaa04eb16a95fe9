"""A process that owns all slots of a log and stands still where it is told to, to be killed or stopped there.

`kafka_owner.py open`: inside the transaction of its second step of slot 0, after everything was written.
`kafka_owner.py made`: with a step of each slot made and not committed; on a line of its input it commits them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

from qmtl.adapters.kafka.cluster import Cluster
from qmtl.adapters.kafka.log import KafkaLog
from qmtl.core.errors import Fault
from qmtl.core.flow.commit import Generation, Record, Slot, Step
from qmtl.ports.log import Point


def say(word: str) -> None:
    print(word, flush=True)


async def stand_still(point: Point, slot: Slot) -> bool:
    if point is Point.OPEN:
        say("open")
        await asyncio.Event().wait()
    return False


async def nowhere(point: Point, slot: Slot) -> bool:
    return False


async def own(mode: str, bootstrap: str, name: str) -> None:
    held: list[Callable[[Point, Slot], Awaitable[bool]]] = [nowhere]
    log = await KafkaLog.open(Cluster(bootstrap, name), cut=lambda point, slot: held[-1](point, slot))
    member = await log.member("first")
    while True:
        polled = await member.poll(1.0)
        if len(polled.assigned) == log.slots:
            break
    taken = {slot: await member.take(slot) for slot in sorted(polled.assigned)}
    for slot, each in taken.items():
        await member.commit(Step(slot, each.epoch, each.end, (Record(b"first", b"1"),)), polled.generation)
    late = [Step(slot, each.epoch, each.end, (Record(b"first", b"2"),)) for slot, each in taken.items()]
    if mode == "open":
        held.append(stand_still)
        await member.commit(late[0], polled.generation)
    say("made")
    await asyncio.to_thread(sys.stdin.readline)
    for step in late:
        say(await outcome(member.commit(step, polled.generation)))
    generation: Generation = (await member.poll(0.0)).generation
    for step in late:  # P8: also with a generation of now
        say(await outcome(member.commit(step, generation)))
    await member.close()
    await log.close()


async def outcome(commit: Awaitable[None]) -> str:
    try:
        await commit
    except Fault as fault:
        return type(fault).__name__
    return "committed"


if __name__ == "__main__":
    asyncio.run(own(*sys.argv[1:]))
