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

ON_SERVERS = [pytest.param(name, marks=pytest.mark.server(name)) for name in ("postgres", "kafka")]
NUMBERS = count()


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Made:
    match request.param:
        case "memory":
            return worlds.memory
        case "sqlite":
            folder = request.getfixturevalue("tmp_path")
            return lambda: worlds.sqlite(folder)
    server = request.getfixturevalue(request.param)
    request.node.user_properties.append(("server", f"{request.param} {server.version}"))
    made = {"kafka": worlds.kafka, "postgres": worlds.postgres}[request.param]
    return lambda: made(server.address, f"log_{os.getpid()}_{next(NUMBERS)}")


@pytest.mark.parametrize("world", ["memory", "sqlite", *ON_SERVERS], indirect=True)
@pytest.mark.parametrize("promise", LOG_CONTRACT, ids=lambda promise: promise.__name__)
def test_log(promise: Promise, world: Made, record_property: Callable[[str, object], None]) -> None:
    record_property("server", run(promise, world))


@pytest.mark.slow
@pytest.mark.parametrize("world", ["sqlite", *ON_SERVERS], indirect=True)
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
