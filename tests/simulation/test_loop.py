"""The simulated loop: time jumps, what runs next is drawn, processes stop and go on as they would."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from qmtl.testing.simulation.loop import SimulatedLoop, Stuck
from qmtl.testing.simulation.process import Process


def made(seed: int = 1) -> SimulatedLoop:
    return SimulatedLoop(Random(seed))


def test_time_jumps_to_the_next_timer() -> None:
    loop = made()

    async def main() -> float:
        await asyncio.sleep(86_400.0)
        return asyncio.get_running_loop().time()

    assert loop.run(main()) == pytest.approx(86_400.0)
    assert loop.steps < 10


def test_the_seed_draws_the_order() -> None:
    def order(seed: int) -> list[int]:
        loop, found = made(seed), list[int]()

        async def one(number: int) -> None:
            await asyncio.sleep(0)
            found.append(number)

        async def main() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(8):
                    group.create_task(one(number))

        loop.run(main())
        return found

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) == 5
    assert sorted(order(1)) == list(range(8))


def test_a_clock_off_and_too_fast_waits_as_long_as_it_shows() -> None:
    loop, process = made(), Process("fast", 3600.0, 2.0)

    async def late() -> tuple[float, float]:
        begun = asyncio.get_running_loop().time()
        await asyncio.sleep(10.0)
        return begun, asyncio.get_running_loop().time()

    async def main() -> tuple[float, float]:
        return await loop.spawn(late(), process)  # type: ignore[no-any-return]

    assert loop.run(main()) == pytest.approx((3600.0, 3610.0))
    assert loop.now == pytest.approx(5.0)


def test_a_paused_process_goes_on_where_it_stood() -> None:
    loop, process, seen = made(), Process("paused"), list[float]()

    async def ticks() -> None:
        for _ in range(3):
            await asyncio.sleep(1.0)
            seen.append(loop.now)

    async def main() -> None:
        task = loop.spawn(ticks(), process)
        await asyncio.sleep(1.5)
        process.paused = True
        await asyncio.sleep(10.0)
        loop.wake(process)
        await task

    loop.run(main())
    assert seen == pytest.approx([1.0, 11.5, 12.5])


def test_a_killed_process_cleans_nothing_up() -> None:
    loop, process, seen = made(), Process("killed"), list[str]()

    async def work() -> None:
        try:
            await asyncio.sleep(1.0)
            seen.append("done")
        finally:
            seen.append("cleaned up")

    async def main() -> list[str]:
        loop.spawn(work(), process)
        await asyncio.sleep(0.5)
        process.dead = True
        await asyncio.sleep(5.0)
        return list(seen)

    assert loop.run(main()) == []


def test_what_can_never_happen_ends_the_run() -> None:
    loop = made()

    async def main() -> None:
        await loop.create_future()

    with pytest.raises(Stuck, match="nothing is left to happen"):
        loop.run(main())


def test_what_a_task_raises_ends_the_run() -> None:
    loop = made()

    async def bad() -> None:
        raise ValueError("mine")

    async def main() -> None:
        loop.spawn(bad())
        await asyncio.sleep(100.0)

    with pytest.raises(ValueError, match="mine"):
        loop.run(main())
    assert loop.now < 1.0
