"""Real servers on this machine from Python packages alone: Kafka, PostgreSQL and S3, on loopback only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qmtl.runtime.servers.kafka import Kafka
from qmtl.runtime.servers.postgres import Postgres
from qmtl.runtime.servers.s3 import S3
from qmtl.runtime.servers.server import Progress, Server, ServerFailed

__all__ = ["KINDS", "S3", "Kafka", "Postgres", "Progress", "Server", "ServerFailed", "attached"]

KINDS: dict[str, type[Server]] = {"kafka": Kafka, "postgres": Postgres, "s3": S3}


def attached(state: Mapping[str, Any]) -> Server:
    """The server that wrote this state (`Server.state`), which another process may have started.

    `alive()` says whether its processes still run: a pid that another program has got since is not taken for it.
    """
    kind = KINDS[state["kind"]]
    options = {"brokers": len(state["processes"])} if kind is Kafka else {}
    server = kind(Path(state["folder"]), ports=tuple(state["ports"]), detached=True, **options)
    for process, (pid, started) in zip(server.processes, state["processes"], strict=True):
        process.pid, process.started = pid, started
    return server
