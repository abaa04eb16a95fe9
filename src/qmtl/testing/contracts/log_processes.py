"""The contract of the log where an owner is a process: killed, or stopped and continued, in the middle of a commit."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from qmtl.core.errors import Unavailable
from qmtl.core.flow.commit import Slot, Topic
from qmtl.ports.log import Declared, Log, Point
from qmtl.testing.contracts.log_victim import orders
from qmtl.testing.contracts.log_world import (
    PATIENCE_SECONDS,
    Worker,
    World,
    committed,
    epochs,
    everything,
    labels,
    until,
    worker,
)

FIRST = Slot(0)
BEFORE = ["victim-0", "victim-1"]


@asynccontextmanager
async def struck(world: World, point: Point, sent: signal.Signals) -> AsyncIterator[Process]:
    """A victim that owns all slots and has met its fate; no more of it is left at the end."""
    victim = world.victim()
    assert victim is not None, "ask `world.victim()` before"
    told = orders(victim, point, sent)
    module = "qmtl.testing.contracts.log_victim"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, told, stdout=PIPE, env=environment
    )
    try:
        while await said(process) != "struck":
            pass
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        line = (await process.stdout.readline()).decode().strip()
    assert line, "the victim ended without a word"
    return line


async def a_killed_owner_s_open_transaction_is_never_seen(world: World) -> None:
    """P1, P10: and its slots go over within its lease and two seconds."""
    log = await world.open(short=True)
    async with struck(world, Point.OPEN, signal.SIGKILL) as process:
        await process.wait()
        start = asyncio.get_running_loop().time()
        younger = await worker(log, "younger")
        await until(lambda: FIRST in younger.taken, younger, what="the slot of a killed owner goes over")
        took = asyncio.get_running_loop().time() - start
        print(f"takeover of a killed owner's slot: {took:.2f} s, lease {world.lease_seconds} s")
        assert took <= world.lease_seconds + 2
        await goes_on(log, younger, BEFORE)


async def what_a_killed_owner_saw_committed_stays(world: World) -> None:
    """P7: killed before it knew of it."""
    log = await world.open(short=True)
    async with struck(world, Point.DONE, signal.SIGKILL) as process:
        await process.wait()
        younger = await worker(log, "younger")
        await until(lambda: FIRST in younger.taken, younger, what="the slot of a killed owner goes over")
        await goes_on(log, younger, [*BEFORE, "victim-2"])


async def an_owner_stopped_before_its_transaction_is_refused_when_it_goes_on(world: World) -> None:
    """P2: it slept past its lease, and did not poll since."""
    log = await world.open(short=True)
    async with struck(world, Point.BEGIN, signal.SIGSTOP) as process:
        younger = await worker(log, "younger")
        await until(lambda: FIRST in younger.taken, younger, what="the slot of a stopped owner goes over")
        await committed(younger, FIRST, "younger")
        process.send_signal(signal.SIGCONT)
        assert await said(process) in {"Fenced", "Unknown"}
        assert await labels(log, FIRST) == [*BEFORE, "younger"]


async def an_owner_stopped_inside_its_transaction_blocks_nobody_for_ever(world: World) -> None:
    """P10, P2: where it is declared that it blocks, only until it goes on, and then as if it had been slow."""
    log = await world.open(short=True)
    async with struck(world, Point.OPEN, signal.SIGSTOP) as process:
        if Declared.STOPPED_COMMIT_BLOCKS_ALL in log.declares:
            assert await labels(log, FIRST) == BEFORE  # readers are not blocked
            try:
                await worker(log, "blocked")
            except Unavailable:
                pass
            else:
                raise AssertionError("it is declared that a stopped commit blocks everybody, and it does not")
            process.send_signal(signal.SIGCONT)
            assert await said(process) == "committed 2"
            younger = await worker(log, "younger")
            await until(lambda: FIRST in younger.taken, younger, what="the slot goes over")
            await goes_on(log, younger, [*BEFORE, "victim-2"])
            return
        younger = await worker(log, "younger")
        await until(lambda: FIRST in younger.taken, younger, what="the slot of a stopped owner goes over")
        await goes_on(log, younger, BEFORE)
        process.send_signal(signal.SIGCONT)
        assert await said(process) in {"Fenced", "Unknown", "Unavailable"}
        assert await labels(log, FIRST) == [*BEFORE, "after"]


async def goes_on(log: Log, younger: Worker, before: list[str]) -> None:
    """The younger owner commits, and nobody has ever seen anything else."""
    assert await labels(log, FIRST) == before
    await committed(younger, FIRST, "after")
    assert await labels(log, FIRST) == [*before, "after"]
    found = await epochs(log, FIRST)
    assert found == sorted(found)
    assert len(await everything(log, Topic.CONTROL, FIRST)) == len(before) + 1


PROCESS_CONTRACT = (
    a_killed_owner_s_open_transaction_is_never_seen,
    what_a_killed_owner_saw_committed_stays,
    an_owner_stopped_before_its_transaction_is_refused_when_it_goes_on,
    an_owner_stopped_inside_its_transaction_blocks_nobody_for_ever,
)
