"""The contract of the transactional log, on every adapter."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from itertools import count

import pytest
import worlds

from qmtl.testing.contracts.log import LOG_CONTRACT
from qmtl.testing.contracts.log_processes import PROCESS_CONTRACT
from qmtl.testing.contracts.log_world import World

Promise = Callable[[World], Awaitable[None]]
Made = Callable[[], AbstractAsyncContextManager[World]]

ON_ONE_MACHINE = ["sqlite", pytest.param("postgres", marks=pytest.mark.server("postgres"))]
NUMBERS = count()


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Made:
    match request.param:
        case "memory":
            return worlds.memory
        case "sqlite":
            folder = request.getfixturevalue("tmp_path")
            return lambda: worlds.sqlite(folder)
    address = request.getfixturevalue("postgres").address
    return lambda: worlds.postgres(address, f"log_{os.getpid()}_{next(NUMBERS)}")


@pytest.mark.parametrize("world", ["memory", *ON_ONE_MACHINE], indirect=True)
@pytest.mark.parametrize("promise", LOG_CONTRACT, ids=lambda promise: promise.__name__)
def test_log(promise: Promise, world: Made, record_property: Callable[[str, object], None]) -> None:
    record_property("server", run(promise, world))


@pytest.mark.slow
@pytest.mark.parametrize("world", ON_ONE_MACHINE, indirect=True)
@pytest.mark.parametrize("promise", PROCESS_CONTRACT, ids=lambda promise: promise.__name__)
def test_log_of_processes(promise: Promise, world: Made) -> None:
    run(promise, world)


def run(promise: Promise, world: Made) -> str:
    """The version of what it ran on."""

    async def told() -> str:
        async with world() as made:
            await promise(made)
            return await (await made.open()).version()

    return asyncio.run(told())
