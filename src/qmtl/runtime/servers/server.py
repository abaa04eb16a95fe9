"""What all servers have in common: a folder, loopback ports, processes, and a wait for a real answer."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from qmtl.core.errors import QmtlError, UserError
from qmtl.runtime.servers.process import Process, until

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)  # below those the kernel gives to outgoing connections, which would take them
START_SECONDS = 90.0  # two busy cores: twenty times what it takes on idle ones

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much


class ServerFailed(QmtlError):  # noqa: N818 - it says what happened
    """A server did not start or did not answer: why, and the end of its log."""


class Server(ABC):
    """`start()` returns when the server gives real answers, or raises `ServerFailed`.

    Without a folder the data lies in a temporary one, which `stop()` removes. Not detached, the server is killed
    when this process ends, however it ends.
    """

    kind: ClassVar[str]
    port_count: ClassVar[int]
    needs: ClassVar[dict[str, str]]  # module: the extra that installs it

    def __init__(
        self, folder: Path | None = None, *, ports: tuple[int, ...] = (), detached: bool = False
    ) -> None:
        self.temporary = folder is None
        self.folder = (
            Path(tempfile.mkdtemp(prefix=f"qmtl-{self.kind}-")) if folder is None else folder.resolve()
        )
        self.detached = detached
        self.ports = ports
        self.processes = self._processes() if ports else []
        self._fixed = bool(ports)

    @property
    @abstractmethod
    def address(self) -> str:
        """Where clients connect: bootstrap servers, DSN or endpoint."""

    @property
    @abstractmethod
    def version(self) -> str:
        """Of the server program, e.g. `4.3.1`."""

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which programs find it."""
        return {}

    @abstractmethod
    def _processes(self) -> list[Process]:
        """The processes on `self.ports`, not started."""

    @abstractmethod
    def _prepare(self) -> None:
        """Files it starts from; what exists already stays."""

    @abstractmethod
    def _asked(self) -> str:
        """Ask it something: empty where it answers, else what went wrong."""

    @classmethod
    def missing(cls) -> str:
        """Why it cannot be had here: the package that is not installed, or empty."""
        for module, extra in cls.needs.items():
            if not installed(module):
                return f"{module} is not installed: pip install 'qmtl[{extra}]'"
        return ""

    def start(self, progress: Progress | None = None) -> None:
        if self.missing():
            raise UserError(f"{self.kind} cannot be started", cure=self.missing())
        if self.alive():
            return
        self.fetch(progress)
        for last in (False, False, True):
            if not self.ports:
                self.ports = free_ports(self.port_count_of())
                self.processes = self._processes()
            try:
                self._start()
            except ServerFailed as failed:
                if self._fixed or last or "in use" not in str(failed).lower():
                    raise
                self.ports = ()
            else:
                self._fixed = True
                return

    def port_count_of(self) -> int:
        return self.port_count

    def fetch(self, progress: Progress | None = None) -> None:  # noqa: B027 - most have nothing to fetch
        """Get what the packages do not contain; nothing where all of it is here."""

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._prepare()
        try:
            for process in self.processes:
                if not process.alive():
                    process.start()
            self.wait()
        except BaseException:
            for process in self.processes:
                process.kill()
            raise

    def wait(self, seconds: float = START_SECONDS) -> None:
        """Until it gives a real answer; raises `ServerFailed` when a process ends or time is up."""
        reason = ""

        def answers() -> bool:
            nonlocal reason
            dead = next((each for each in self.processes if not each.alive()), None)
            if dead is not None:
                raise ServerFailed(f"{self.kind} ended; the end of {dead.log}:\n{dead.tail()}")
            reason = "its port does not accept connections"
            if all(listening(port) for port in self.ports[: len(self.processes)]):
                reason = self._asked()
            return not reason

        if not until(answers, seconds):
            first = self.processes[0]
            raise ServerFailed(
                f"{self.kind} on {self.address} gives no answer after {seconds:.0f} s ({reason}); "
                f"the end of {first.log}:\n{first.tail()}"
            )

    def stop(self) -> None:
        """In good order; where the data goes with the server there is nothing to keep in order."""
        if self.temporary:
            self.kill()
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            self._stop_processes()

    def _stop_processes(self) -> None:
        for process in self.processes:
            process.ask_to_stop()
        for process in self.processes:
            process.stop()

    def kill(self) -> None:
        """SIGKILL to all its processes; the data stays, `start()` begins with it."""
        for process in self.processes:
            process.kill()

    def restart(self) -> None:
        """In good order, with the same data and ports."""
        self._stop_processes()
        self.start()

    def pause(self) -> None:
        for process in self.processes:
            process.pause()

    def resume(self) -> None:
        for process in self.processes:
            process.resume()

    def alive(self) -> bool:
        return bool(self.processes) and all(process.alive() for process in self.processes)

    @property
    def log(self) -> Path:
        return self.processes[0].log

    def state(self) -> dict[str, Any]:
        """What `attached` needs to find it again, and what a program needs to use it."""
        return {
            "kind": self.kind,
            "version": self.version,
            "address": self.address,
            "environment": self.environment,
            "folder": str(self.folder),
            "log": str(self.log),
            "ports": list(self.ports),
            "processes": [[process.pid, process.started] for process in self.processes],
        }

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # it is barred: its place in sys.modules is None
        return False


def free_ports(count: int) -> tuple[int, ...]:
    """Ports of the loopback address on which nothing listens, other ones for other processes."""
    found: list[int] = []
    begin = os.getpid() * 97
    for step in range(len(PORTS)):
        port = PORTS[(begin + step) % len(PORTS)]
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            found.append(port)
        if len(found) == count:
            return tuple(found)
    raise ServerFailed(f"no {count} free ports between {PORTS.start} and {PORTS.stop} on {HOST}")


_given: set[int] = set()  # by this process: a server that starts has not bound its port yet


def listening(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1.0).close()
    except OSError:
        return False
    return True
