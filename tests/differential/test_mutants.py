"""Each mutant of the engine's rules is found by random graphs; the engine as it is passes the same ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mutants import MUTANTS, PANEL_MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "qmtl"
GRAPHS = 1500
SURVIVED = 0
SMALLER = (
    ("timeline.py", "COPY = 32", "COPY = 2"),
    ("layout.py", "BLOCK = 64", "BLOCK = 5"),
)  # graphs have few rows
HUNT = """
import sys
from qmtl.testing.differential import difference, told
from qmtl.testing.oracle import random_case, run
for seed in range(int(sys.argv[1])):
    case = random_case(seed, resumes=seed % 5 == 0)
    wanted = run(case)
    try:
        found = difference(case, wanted, told(case, compiled=seed % 2 == 0))
    except Exception as error:
        found = repr(error)
    if found:
        print(seed, found)
        sys.exit(3)
"""


def hunt(package: Path, graphs: int) -> subprocess.CompletedProcess[str]:
    """Runs graphs on the package in `package`, uncompiled, until one differs from the oracle (exit code 3)."""
    return _uncompiled(package, "-c", HUNT, str(graphs))


def panels(package: Path) -> subprocess.CompletedProcess[str]:
    """Runs some of the tests of rows of panels on the package in `package`, uncompiled (exit code 1: one fails)."""
    chosen = ("-k", "0-0s-none or 0-90s-structural")
    options = ("-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist")
    return _uncompiled(package, "-m", "pytest", *options, "tests/unit/flow/test_panels.py", *chosen)


def _uncompiled(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PYTHONPATH": str(package),
        "NUMBA_DISABLE_JIT": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("mutants")
    shutil.copytree(PACKAGE, into / "qmtl", ignore=shutil.ignore_patterns("__pycache__"))
    for file, found, replaced in SMALLER:
        text = (into / "qmtl" / "core" / "flow" / file).read_text()
        assert text.count(found) == 1
        (into / "qmtl" / "core" / "flow" / file).write_text(text.replace(found, replaced))
    return into


@pytest.mark.slow
def test_the_engine_itself_survives(copied: Path) -> None:
    done = hunt(copied, 200)
    assert done.returncode == SURVIVED, done.stdout + done.stderr


@pytest.mark.slow
def test_rows_of_panels_survive(copied: Path) -> None:
    done = panels(copied)
    assert done.returncode == SURVIVED, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.rule.replace(" ", "-"))
def test_a_mutant_is_found(copied: Path, mutant: Mutant) -> None:
    done = _changed(copied, mutant, lambda: hunt(copied, GRAPHS))
    assert done.returncode == 3, f"{mutant.rule}: not found in {GRAPHS} graphs\n{done.stderr[-2000:]}"


@pytest.mark.slow
@pytest.mark.parametrize("mutant", PANEL_MUTANTS, ids=lambda m: m.rule.replace(" ", "-"))
def test_a_mutant_of_panels_is_found(copied: Path, mutant: Mutant) -> None:
    done = _changed(copied, mutant, lambda: panels(copied))
    assert done.returncode == 1, f"{mutant.rule}: not found\n{done.stdout[-2000:]}"


def _changed(
    copied: Path, mutant: Mutant, run: Callable[[], subprocess.CompletedProcess[str]]
) -> subprocess.CompletedProcess[str]:
    file = copied / "qmtl" / "core" / "flow" / mutant.file
    text = file.read_text()
    assert text.count(mutant.found) == 1, (
        f"{mutant.file}: {mutant.found!r} stands {text.count(mutant.found)} times"
    )
    try:
        file.write_text(text.replace(mutant.found, mutant.replaced))
        return run()
    finally:
        file.write_text(text)
