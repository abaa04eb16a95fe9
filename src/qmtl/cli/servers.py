"""`qmtl servers up|down|status`: Kafka, PostgreSQL and S3 on this machine, for trying the cluster mode."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qmtl import UserError

if TYPE_CHECKING:
    from qmtl.runtime.servers import Progress, Server

servers = typer.Typer(
    help="Kafka, PostgreSQL and S3 on this machine, from Python packages alone.", no_args_is_help=True
)

ALL = ("kafka", "postgres", "s3")
EVERY = ",".join(ALL)


class Status(Enum):
    RUNNING = "running"
    PARTLY = "partly running"  # some brokers of Kafka are gone
    STOPPED = "stopped"


Only = Annotated[str, typer.Option("--only", metavar="NAMES", help="some of them: kafka,postgres,s3")]
Dir = Annotated[
    Path | None, typer.Option("--dir", help="where their data lies (kept by down, used again by up)")
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document and nothing else")]


@servers.command()
def up(
    only: Only = EVERY,
    brokers: Annotated[int, typer.Option("--brokers", help="of Kafka: 1 or 3")] = 1,
    folder: Dir = None,
    as_json: Json = False,
) -> None:
    """Start those that do not run, and print their addresses."""
    from qmtl.runtime.servers import KINDS

    kinds, place = _kinds(only), _place(folder)
    for kind in kinds:
        if KINDS[kind].missing():
            raise UserError(f"{kind} cannot be started", cure=KINDS[kind].missing())
    with _locked(place), _progress(quiet=as_json) as progress:
        for kind in kinds:
            server = _known(place, kind, brokers) or _new(place, kind, brokers)
            server.start(progress)
            _file(place, kind).write_text(json.dumps(server.state(), indent=1), encoding="utf-8")
    _print(_document(place, kinds), as_json)


@servers.command()
def down(only: Only = EVERY, folder: Dir = None, as_json: Json = False) -> None:
    """Stop them; their data stays."""
    from qmtl.runtime.servers import attached

    kinds, place = _kinds(only), _place(folder)
    with _locked(place):
        for kind in reversed(kinds):
            state = _state(place, kind)
            if state is not None:
                attached(state).stop()
    _print(_document(place, kinds), as_json)


@servers.command()
def status(only: Only = EVERY, folder: Dir = None, as_json: Json = False) -> None:
    """Which of them run, and where."""
    _print(_document(_place(folder), _kinds(only)), as_json)


def _kinds(only: str) -> list[str]:
    kinds = [name.strip() for name in only.split(",") if name.strip()]
    for kind in kinds:
        if kind not in ALL:
            raise UserError(
                "no server has this name", place="--only", value=kind, cure=f"use {', '.join(ALL)}"
            )
    return kinds


def _place(folder: Path | None) -> Path:
    if folder is not None:
        return folder.resolve()
    if os.geteuid() == 0:
        return Path("/var/lib/qmtl/servers")  # root's home is closed to the user that PostgreSQL runs as
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "qmtl" / "servers"


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """One command at a time: two would start two servers on the same data."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _file(place: Path, kind: str) -> Path:
    return place / f"{kind}.json"


def _state(place: Path, kind: str) -> dict[str, Any] | None:
    file = _file(place, kind)
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


def _known(place: Path, kind: str, brokers: int) -> Server | None:
    """The one that was started there before, running or not: with the same ports it keeps its address."""
    from qmtl.runtime.servers import attached

    state = _state(place, kind)
    if state is None:
        return None
    running = len(state["processes"])
    if kind != "kafka" or running == brokers:
        return attached(state)
    if _status(state) is not Status.STOPPED:
        cure = f"stop it first: qmtl servers down --only kafka --dir {place}"
        raise UserError(f"kafka runs with brokers: {running}", place="--brokers", value=brokers, cure=cure)
    return None


def _new(place: Path, kind: str, brokers: int) -> Server:
    from qmtl.runtime.servers import KINDS, Kafka

    if kind == "kafka":
        return Kafka(place / f"kafka-{brokers}", brokers=brokers, detached=True)
    return KINDS[kind](place / kind, detached=True)


def _status(state: dict[str, Any]) -> Status:
    from qmtl.runtime.servers import attached

    alive = [process.alive() for process in attached(state).processes]
    if all(alive):
        return Status.RUNNING
    return Status.PARTLY if any(alive) else Status.STOPPED


def _document(place: Path, kinds: list[str]) -> dict[str, Any]:
    """`servers`: one by one; `environment`: the variables by which programs find those that run."""
    found: list[dict[str, Any]] = []
    environment: dict[str, str] = {}
    for kind in kinds:
        state = _state(place, kind)
        if state is None:
            found.append({"kind": kind, "status": Status.STOPPED.value})
            continue
        now = _status(state)
        pids = [pid for pid, _ in state["processes"]] if now is not Status.STOPPED else []
        shown = {key: state[key] for key in ("version", "address", "folder", "log")}
        found.append({"kind": kind, "status": now.value, **shown, "pids": pids})
        if now is Status.RUNNING:
            environment |= state["environment"]
    return {"dir": str(place), "servers": found, "environment": environment}


def _print(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        json.dump(document, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    for each in document["servers"]:
        address = each["address"] if each["status"] == Status.RUNNING.value else ""
        typer.echo(f"{each['kind']:9} {each.get('version', ''):7} {each['status']:8} {address}".rstrip())
    if document["environment"]:
        typer.echo(f"\nfor programs (data and logs: {document['dir']}):")
        for name, value in document["environment"].items():
            typer.echo(f"export {name}={value}")


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress | None]:
    """A bar on stderr while something is downloaded."""
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done)

        yield tell
