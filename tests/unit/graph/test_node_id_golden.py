"""Ids are golden: the same in every process, hash seed, working directory and Python minor version."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
GOLDEN = TESTS / "golden" / "node_ids.json"
PROGRAM = TESTS / "golden" / "node_ids.py"
SOURCE = TESTS.parent / "src"


def pythons() -> dict[str, str]:
    """Every Python this can run on that the machine has, by minor version."""
    found = {}
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    for minor in range(11, 20):
        name = f"python3.{minor}"
        candidates = [*pyenv.glob(f"3.{minor}.*/bin/{name}"), shutil.which(name)]
        working = [str(one) for one in candidates if one and _runs(str(one))]
        if working:
            found[name] = working[0]
    return found


def _runs(python: str) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def ids(python: str, seed: str, cwd: Path) -> dict[str, str]:
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        [python, str(PROGRAM)], env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_ids_are_those_of_the_golden_file() -> None:
    """After a wanted change: `python tests/golden/node_ids.py > tests/golden/node_ids.json`."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert ids(sys.executable, "0", GOLDEN.parent) == golden


@pytest.mark.parametrize("seed", ["1", "4711", "random"])
def test_ids_do_not_depend_on_process_hash_seed_or_directory(seed: str, tmp_path: Path) -> None:
    assert ids(sys.executable, seed, tmp_path) == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_ids_do_not_depend_on_the_minor_version(tmp_path: Path) -> None:
    """Building needs the standard library only, so bare interpreters will do."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for name, python in pythons().items():
        assert ids(python, "3", tmp_path) == golden, name
