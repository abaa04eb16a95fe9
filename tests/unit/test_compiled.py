"""Machine code on disk is used for as long as all the code it is made of stays the same."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from qmtl.core.compiled import fingerprint, imported

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "src" / "qmtl"
PROGRAM = """
import numpy as np
from qmtl.ops.direct_formulas import mean
print(mean(np.array([1.0, 2.0, 6.0]), 3)[0], sum(mean.stats.cache_hits.values()))
"""


def _run(folder: Path) -> tuple[float, int]:
    environment = os.environ | {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    value, hits = done.stdout.split()
    return float(value), int(hits)


@pytest.mark.slow
def test_an_edit_of_a_callee_in_another_module_is_seen(tmp_path: Path) -> None:
    """`mean` calls `dd.div`; numba alone would look at the file of `mean` and go on with the old sum."""
    shutil.copytree(PACKAGE, tmp_path / "qmtl", ignore=shutil.ignore_patterns("__pycache__"))
    assert _run(tmp_path) == (3.0, 0)
    assert _run(tmp_path) == (3.0, 1), "unchanged code comes from the cache"
    callee = tmp_path / "qmtl" / "ops" / "dd.py"
    text = callee.read_text()
    assert text.count("    q = ah / b\n") == 1
    callee.write_text(text.replace("    q = ah / b\n", "    return 7.0, 0.0\n    q = ah / b\n"))
    assert _run(tmp_path) == (7.0, 0)
    callee.write_text(text)
    assert _run(tmp_path)[0] == 3.0


def test_a_fingerprint_covers_what_a_module_imports() -> None:
    assert fingerprint("qmtl.ops.dd") != fingerprint("qmtl.ops.direct_formulas")
    assert fingerprint("qmtl.ops.dd") == fingerprint("qmtl.ops.dd")


def test_the_imports_found_are_those_of_the_parser() -> None:
    """Packages and names in them, of every module that is compiled."""
    sources = [p for p in PACKAGE.rglob("*.py") if "qmtl.core.compiled import" in p.read_text()]
    assert len(sources) >= 10
    for source in sources:
        text = source.read_text()
        wanted = {
            one.module for one in ast.walk(ast.parse(text)) if isinstance(one, ast.ImportFrom) and one.module
        }
        assert {name for name in wanted if name.startswith("qmtl")} <= set(imported(text)), source


ONE_RUN = """
from qmtl import StreamInput
from qmtl.core.flow.address_kernels import DRIVE
from qmtl.core.flow.drive_kernels import drive

from unit.flow.sdk import backtest, bar

backtest(lambda: {"out": StreamInput("A", interval="1m", fields=("value",)).value.sma(2)}, [bar(60, 1.0)])
assert drive.signatures == [DRIVE], drive.signatures
"""


def test_the_driver_is_compiled_for_what_a_run_calls_it_with() -> None:
    """Else what is compiled ahead (`qmtl.runtime.compiling`) would be of no use to a run; in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-c", ONE_RUN], cwd=TESTS, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
