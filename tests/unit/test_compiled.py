"""Machine code on disk is used for as long as the source it was made of, of every module it was made of."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import qmtl
from qmtl.core.compiled import fingerprint, imported

PACKAGE = Path(qmtl.__file__).parent
ROOT = Path(__file__).parents[2]
WITHOUT = {  # they have numba's own cache so far
    f"qmtl.core.flow.{name}_kernels"
    for name in ("address", "correct", "drive", "late", "rectangle", "settle", "tell")
}
FACTOR, TWO, THREE = "FACTOR = 2.0\n", "    return FACTOR * x\n", "    return FACTOR * x + 1.0\n"
OPTIONS = 'options = {"cache": True, "nogil": True}\n'
CALLEE = "from qmtl.core.compiled import njit\nfrom qmtl.ops.trial_numbers import FACTOR\n" + OPTIONS
CALLEE += "@njit(**options)\ndef inner(x):\n"
CALLER = "from qmtl.core.compiled import njit\nfrom qmtl.ops import trial_callee\n" + OPTIONS
CALLER += "@njit(**options)\ndef outer(x):\n    return trial_callee.inner(x)\n"
PROGRAM = """
from qmtl.ops.trial_caller import outer
print(outer(10.0), sum(outer.stats.cache_hits.values()), outer.stats.cache_path)
"""


class Trial:
    """A copy of what compiled code needs of the package, with three small modules to edit."""

    def __init__(self, folder: Path) -> None:
        self.root, self.ops = folder, folder / "qmtl" / "ops"
        self.ops.mkdir(parents=True)
        (folder / "qmtl" / "core").mkdir()
        for name in ("__init__.py", "ops/__init__.py"):
            (folder / "qmtl" / name).touch()
        shutil.copy(PACKAGE / "core" / "compiled.py", folder / "qmtl" / "core")
        self.write("numbers", FACTOR)
        self.write("callee", CALLEE + TWO)
        self.write("caller", CALLER)

    def write(self, name: str, text: str) -> None:
        (self.ops / f"trial_{name}.py").write_text(text)

    def run(self, **environment: str) -> tuple[float, int, str]:
        """The answer of the caller, whether it came from the cache, and where that lies."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "PYTHONPYC"))}
        env = inherited | {"PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"} | environment
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True
        )
        answer, hits, path = done.stdout.split()
        return float(answer), int(hits), path


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path / "site")


@pytest.mark.slow
def test_an_edit_of_what_is_called_is_seen_by_the_caller(trial: Trial) -> None:
    assert trial.run()[:2] == (20.0, 0)
    assert trial.run()[:2] == (20.0, 1), "what did not change is not compiled again"
    trial.write("callee", CALLEE + THREE)
    assert trial.run()[:2] == (21.0, 0)
    assert trial.run()[:2] == (21.0, 1)


@pytest.mark.slow
def test_an_edit_of_a_constant_is_seen_two_modules_away(trial: Trial) -> None:
    assert trial.run()[0] == 20.0
    trial.write("numbers", "FACTOR = 5.0\n")
    assert trial.run()[:2] == (50.0, 0)


@pytest.mark.slow
def test_entries_that_numba_itself_wrote_are_not_used(trial: Trial) -> None:
    """They are under the same name, for the same source of the caller, and say nothing of what it calls."""
    decorator = trial.root / "qmtl" / "core" / "compiled.py"
    ours = decorator.read_text()
    decorator.write_text("from numba import njit\n")
    assert trial.run()[:2] == (20.0, 0)
    trial.write("callee", CALLEE + THREE)
    assert trial.run()[:2] == (20.0, 1), "numba has learned to look: is this decorator still needed?"
    decorator.write_text(ours)
    assert trial.run()[:2] == (21.0, 0)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="where caches lie is asked of XDG_CACHE_HOME")
def test_beside_a_source_that_cannot_be_written_the_cache_is_the_users(trial: Trial, tmp_path: Path) -> None:
    trial.ops.joinpath("__pycache__").write_text("a file where the folder would be")
    home = tmp_path / "cache"
    first, second = (trial.run(XDG_CACHE_HOME=str(home)) for _ in range(2))
    assert first[:2] == (20.0, 0) and second[:2] == (20.0, 1)
    assert second[2].startswith(str(home))


@pytest.mark.slow
def test_without_any_place_for_a_cache_everything_still_runs(trial: Trial) -> None:
    trial.ops.joinpath("__pycache__").write_text("")
    trial.root.joinpath("nowhere").write_text("")
    assert trial.run(XDG_CACHE_HOME=str(trial.root / "nowhere"))[:2] == (20.0, 0)


@pytest.mark.slow
def test_without_compilation_it_is_plain_python(trial: Trial) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from qmtl.ops.trial_caller import outer; print(type(outer).__name__)"],
        env=os.environ | {"PYTHONPATH": str(trial.root), "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "function"


def test_imports_are_found_as_a_parser_finds_them() -> None:
    known = {_module(path) for path in PACKAGE.rglob("*.py")}
    for path in [*PACKAGE.glob("core/**/*.py"), *PACKAGE.glob("ops/*.py")]:
        source, expected = path.read_text(), set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                expected |= {alias.name for alias in node.names} & known
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: a relative import"
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                expected |= (inner | {node.module or ""}) & known
        assert expected <= set(imported(source)), path


def test_every_compiled_module_has_this_cache() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    relaxed = [one for one in settings["tool"]["mypy"]["overrides"] if "check_untyped_defs" in one]
    for module in (name for one in relaxed for name in one["module"]):
        source = (PACKAGE / Path(*module.split(".")[1:]).with_suffix(".py")).read_text()
        if module in WITHOUT:
            assert "numba.njit" in source, f"{module}: take it off the list"
            continue
        assert "numba.njit" not in source, f"{module}: take njit from qmtl.core.compiled"
        assert "qmtl.core.compiled" in source and fingerprint(module)


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
