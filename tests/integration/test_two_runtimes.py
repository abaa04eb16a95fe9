"""Environments that differ in NumPy's version, or Python's: strict refuses what the other computed, loose takes it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

ANOTHER = "2.2.6"
SAME = ("numba", "pyarrow", "blake3", "msgspec", "rich", "typer", "sqlalchemy", "prometheus-client")
ROOT = Path(__file__).parents[2]
SCRIPT = """
import json, sys
import numpy as np
from qmtl import Event, Runner, Strategy, StreamInput, node

@node(tolerance=1e-9)
def slow(view, *, k: float):
    total = 0.0
    for one in np.exp(np.log(view.x) * 1.01).tolist() * 40:
        total += one * k - 1.0
    return total

class Slow(Strategy):
    def define(self):
        x = StreamInput("A", interval="1m", fields=("value",)).value
        inner = slow(x=x.window(20), k=1.0)
        self.output("inner", inner)
        self.output("outer", slow(x=inner.window(9), k=2.0))

events = [Event("A", n * 60_000_000_000, 100.0 + n % 37 + n / 1000.0) for n in range(3000)]
run = Runner.backtest(Slow(), events, cache=sys.argv[1], runtime_compat=sys.argv[2])
counts = run.reuse.counts
values = run.frame("outer", kind="arrow").columns[1].to_pylist()
json.dump({
    "python": sys.version.split()[0], "numpy": np.__version__,
    "fingerprint": run.manifest["runtime"]["fingerprint"], "values": values[40:],
    "computed": counts.computed, "reused": counts.reused, "across": counts.across, "checked": counts.checked,
    "differs": counts.differs,
}, sys.stdout)
"""


def other_python() -> str:
    """A Python of another minor version that qmtl runs on; skips where there is none."""
    kept = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser() / "versions"
    for minor in (12, 13, 11):
        places = [shutil.which(f"python3.{minor}"), *sorted(kept.glob(f"3.{minor}.*/bin/python"))]
        for place in filter(None, places) if minor != sys.version_info.minor else ():
            told = subprocess.run([place, "--version"], capture_output=True, text=True, check=False).stdout
            if told.startswith(f"Python 3.{minor}."):
                return str(place)
    pytest.skip("there is no other Python here")


@pytest.fixture(scope="module", params=["numpy", "python"])
def another(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python of an environment with another NumPy, or another Python."""
    folder = tmp_path_factory.mktemp("another")
    numpy = ANOTHER if request.param == "numpy" else version("numpy")
    made_by = sys.executable if request.param == "numpy" else other_python()
    subprocess.run([made_by, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    wanted = [f"numpy=={numpy}", *(f"{name}=={version(name)}" for name in SAME), "hatchling", "editables"]
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, *wanted], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], check=True)
    return python


def run(python: str | Path, place: Path, compat: str) -> dict[str, Any]:
    (place / "slow.py").write_text(SCRIPT)
    command = [str(python), str(place / "slow.py"), str(place / "kept"), compat]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environ).stdout)


@pytest.mark.soak
def test_strict_refuses_and_loose_reuses_within_the_tolerance(another: Path, tmp_path: Path) -> None:
    here = run(sys.executable, tmp_path, "loose")
    assert here["computed"] > 4
    strict = run(another, tmp_path / ".", "strict")
    assert (strict["python"], strict["numpy"]) != (here["python"], here["numpy"])
    assert strict["reused"] == 0
    assert strict["fingerprint"] != here["fingerprint"]
    assert strict["computed"] == here["computed"]
    assert strict["values"] == pytest.approx(here["values"], rel=1e-9)

    (tmp_path / "loose").mkdir()
    first = run(sys.executable, tmp_path / "loose", "loose")
    loose = run(another, tmp_path / "loose", "loose")
    assert (loose["computed"], loose["differs"]) == (0, 0)
    assert loose["across"] + loose["checked"] == first["computed"] and loose["across"] > loose["checked"] > 0
    assert loose["values"] == pytest.approx(here["values"], rel=1e-9)
