"""Fixtures `kafka`, `postgres` and `s3`: a real server each, one for all workers, started by the first that asks.

A keeper (`servers_keeper.py`) starts it and stops it when the run ends, however that ends. What a test writes there,
it names by itself: topics, schemas and prefixes of its own. A test that kills a server starts one of its own.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from qmtl.runtime.servers import KINDS, S3, Kafka, Postgres, Server, attached

KEEPER = Path(__file__).with_name("servers_keeper.py")

# For each mark why its server cannot be had here, or "".
PROBES: dict[str, Callable[[], str]] = {name: kind.missing for name, kind in KINDS.items()}


def shared(kind: str, factory: pytest.TempPathFactory) -> Server:
    """The run's server of this kind: the first process that asks has it started, the others find it."""
    base, run = factory.getbasetemp(), os.getpid()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base, run = base.parent, os.getppid()  # the process that started the workers
    state = base / f"server-{kind}.json"
    with (base / f"server-{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not state.exists():
            state.write_text(_kept(kind, run, base / f"server-{kind}.keeper.log"))
    return attached(json.loads(state.read_text()))


def _kept(kind: str, run: int, log: Path) -> str:
    with log.open("wb") as errors:
        keeper = subprocess.Popen(
            [sys.executable, str(KEEPER), kind, str(run)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    assert keeper.stdout is not None
    line = keeper.stdout.readline().decode()
    keeper.stdout.close()
    if not line:
        keeper.wait()
        raise RuntimeError(f"{kind} did not start:\n{log.read_text()}")
    keeper.returncode = 0  # it outlives this process: nobody waits for it here
    return line


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Kafka:
    return cast(Kafka, shared("kafka", tmp_path_factory))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Postgres:
    return cast(Postgres, shared("postgres", tmp_path_factory))


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> S3:
    return cast(S3, shared("s3", tmp_path_factory))
