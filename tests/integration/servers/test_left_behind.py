"""Nothing is left behind: a server is killed with the process that started it, and with the run that shares it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import qmtl
from qmtl.runtime.servers import KINDS, Server, attached
from qmtl.runtime.servers.process import until

TESTS = Path(__file__).parents[2]
SECONDS = 30.0

STARTS = """
import json, signal, sys, threading
from qmtl.runtime.servers import KINDS

server = KINDS[sys.argv[1]]()
starter = threading.Thread(target=server.start)  # whose end is not the end of the server
starter.start()
starter.join()
print(json.dumps(server.state()), flush=True)
signal.pause()
"""


def killed_with(parent: subprocess.Popen[str]) -> Server:
    """Its server, which ran, after the parent was killed with -9."""
    assert parent.stdout is not None
    server = attached(json.loads(parent.stdout.readline()))
    assert server.alive()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    return server


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.server(kind)) for kind in KINDS])
def test_a_server_is_killed_with_the_process_that_started_it(kind: str) -> None:
    command = [sys.executable, "-c", STARTS, kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        server = killed_with(parent)
    assert until(lambda: not server.alive(), SECONDS), f"{kind} still runs"
    shutil.rmtree(server.folder)  # its owner had no time to


RUN = """
import json, os, signal, sys

def test_it(postgres):
    with open(os.environ["STATE"], "w") as out:
        json.dump(postgres.state(), out)
    os.kill(int(os.environ.get("PYTEST_XDIST_WORKER") and os.getppid() or os.getpid()), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.server("postgres")
@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_shared_server_ends_with_a_run_that_was_killed(tmp_path: Path, workers: str) -> None:
    (tmp_path / "test_run.py").write_text(RUN)
    (tmp_path / "conftest.py").write_text("from servers import postgres\n")
    state = tmp_path / "state.json"
    command = [sys.executable, "-m", "pytest", "-n", workers, "-p", "no:cacheprovider", str(tmp_path)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    paths = os.pathsep.join([str(TESTS), str(Path(qmtl.__file__).parents[1])])
    done = subprocess.run(
        [*command, f"--basetemp={tmp_path / 'base'}"],
        env={**inherited, "STATE": str(state), "PYTHONPATH": paths},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    server = attached(json.loads(state.read_text()))
    assert until(lambda: not server.alive(), SECONDS), "postgres still runs"
    assert until(lambda: not server.folder.exists(), SECONDS), f"{server.folder} was left behind"
