"""Servers that a run may cut off, kill and restart: they are its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from faults.proxy import Proxy
from qmtl.runtime.servers import Kafka, Postgres, Server
from qmtl.runtime.servers.server import HOST, free_ports


class TwoDoors(Kafka):
    """A broker with a second listener, whose clients are told to come by `far_port`: that of a proxy to `door`."""

    def __init__(self) -> None:
        self.door, self.far_port = free_ports(2)
        super().__init__()

    @property
    def far(self) -> str:
        return f"{HOST}:{self.far_port}"

    def _properties(self, node: int) -> str:
        found = dict(line.split("=", 1) for line in super()._properties(node).splitlines())
        found["listeners"] += f",FAR://{HOST}:{self.door}"
        found["advertised.listeners"] += f",FAR://{self.far}"
        found["listener.security.protocol.map"] += ",FAR:PLAINTEXT"
        return "".join(f"{key}={value}\n" for key, value in found.items())


@dataclass
class Reached:
    """A log as workers reach it: near, and through a proxy where there is a server at all."""

    url: str
    far: str
    server: Server | None = None
    proxy: Proxy | None = None
    kind: str = ""


@contextmanager
def reached(kind: str, folder: Path) -> Iterator[Reached]:
    """A log of this kind, on a server of its own."""
    with ExitStack() as stack:
        if kind == "sqlite":
            url = f"sqlite:///{folder / 'log.sqlite'}"
            yield Reached(url, url, kind=kind)
            return
        if kind == "kafka":
            broker = TwoDoors()
            stack.enter_context(broker)
            proxy = stack.enter_context(Proxy(broker.door, broker.far_port))
            yield Reached(f"kafka://{broker.address}/run", f"kafka://{broker.far}/run", broker, proxy, kind)
            return
        server = Postgres()
        stack.enter_context(server)
        proxy = stack.enter_context(Proxy(server.ports[0]))
        with psycopg.connect(server.address, autocommit=True) as admin:
            admin.execute("CREATE DATABASE run")
        url = server.address.rpartition("/")[0] + "/run"
        yield Reached(url, url.replace(f":{server.ports[0]}", f":{proxy.port}"), server, proxy, kind)
