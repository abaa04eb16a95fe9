"""The repository keeps its own style. The rules are in `tests/tidy/`, tested by `unit/test_tidy_*.py`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tidy.ambient import ambient_calls
from tidy.catching import AUTHORS_CODE, broad_handlers
from tidy.cycles import import_cycles
from tidy.layers import foreign_in_core, kit_imported, wrong_direction
from tidy.locks import places_in_lock, unpinned_in_lock
from tidy.names import empty_names
from tidy.sizes import WRITTEN_BY_A_TOOL, long_files, long_functions
from tidy.source import Source, repository
from tidy.typing_relief import relaxed_without_numba

ROOT = Path(__file__).resolve().parents[1]
EACH_FILE = (ambient_calls, broad_handlers, empty_names, foreign_in_core, long_files, long_functions)
LOCKS = sorted(path for pattern in ("requirements/*.txt", "**/*.lock") for path in ROOT.glob(pattern))


@cache
def sources() -> list[Source]:
    return repository(ROOT)


def report(found: list[str]) -> None:
    assert not found, "\n" + "\n".join(found)


def test_the_rules_see_the_repository() -> None:
    paths = {source.path for source in sources()}
    assert {"src/qmtl/__init__.py", "tests/test_tidy.py", "tests/tidy/source.py"} <= paths


@pytest.mark.parametrize("rule", EACH_FILE, ids=lambda rule: rule.__name__)
def test_every_file(rule: Callable[[Source], list[str]]) -> None:
    report([found for source in sources() for found in rule(source)])


@pytest.mark.parametrize("rule", [wrong_direction, kit_imported], ids=lambda rule: rule.__name__)
def test_imports_go_one_way(rule: Callable[[Source, frozenset[str]], list[str]]) -> None:
    known = frozenset(source.module for source in sources() if source.module)
    report([found for source in sources() for found in rule(source, known)])


def test_nothing_imports_in_a_circle() -> None:
    report(import_cycles(sources()))


def test_types_are_relaxed_only_for_compiled_modules() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    report(relaxed_without_numba(settings["tool"]["mypy"]["overrides"], sources()))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_lock_files_pin_with_hashes_and_name_no_place(path: Path) -> None:
    text, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix()
    report(places_in_lock(name, text) + unpinned_in_lock(name, text))


def test_there_are_lock_files() -> None:
    assert {path.name for path in LOCKS} >= {"dev.txt", "run.txt"}


@pytest.mark.parametrize("path", [*AUTHORS_CODE, *WRITTEN_BY_A_TOOL])
def test_every_exception_to_a_rule_is_for_a_file_that_exists(path: str) -> None:
    assert (ROOT / path).exists(), f"{path} is gone: take it off the list of exceptions"
