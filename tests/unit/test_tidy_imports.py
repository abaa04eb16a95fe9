"""The rules about imports: direction, core's packages, circles."""

from __future__ import annotations

import pytest

from tidy.cycles import import_cycles
from tidy.layers import foreign_in_core, kit_imported, wrong_direction
from tidy.source import Kind, Source

KNOWN = frozenset(
    {"qmtl", "qmtl.core.graph.ids", "qmtl.adapters.sql.log", "qmtl.wiring", "qmtl.testing.oracle"}
)


def direction(path: str, text: str) -> list[str]:
    return wrong_direction(Source(f"src/qmtl/{path}", text), KNOWN)


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("ops/moving.py", "core"),
        ("ports/log.py", "core"),
        ("adapters/sql/log.py", "core"),
        ("adapters/sql/log.py", "ports"),
        ("adapters/sql/log.py", "adapters.sql.rows"),
        ("runtime/run.py", "core"),
        ("runtime/run.py", "ops"),
        ("runtime/run.py", "ports"),
        ("sdk/stream.py", "core"),
        ("sdk/stream.py", "ops"),
        ("sdk/runner.py", "runtime"),
        ("sdk/runner.py", "wiring"),
        ("sdk/runner_data.py", "runtime"),
        ("services/gateway/app.py", "sdk"),
        ("services/gateway/app.py", "runtime"),
        ("cli/app.py", "sdk"),
        ("cli/app.py", "wiring"),
        ("wiring.py", "adapters.sql.log"),
        ("wiring.py", "settings"),
        ("testing/cluster.py", "wiring"),
        ("testing/cluster.py", "adapters.memory"),
        ("__main__.py", "cli"),
    ],
)
def test_what_may_be_imported(path: str, module: str) -> None:
    assert direction(path, f"import qmtl.{module}") == []
    assert direction(path, f"from qmtl.{module} import name") == []


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("core/flow/engine.py", "ops.moving"),
        ("core/flow/engine.py", "ports.log"),
        ("core/flow/engine.py", "runtime.run"),
        ("core/flow/engine.py", "sdk.node"),
        ("ops/moving.py", "sdk.series"),
        ("ops/moving.py", "runtime.run"),
        ("ports/log.py", "ops.moving"),
        ("adapters/sql/log.py", "adapters.kafka.log"),
        ("adapters/sql/log.py", "runtime.run"),
        ("runtime/run.py", "adapters.sql.log"),
        ("runtime/run.py", "sdk.node"),
        ("runtime/run.py", "wiring"),
        ("sdk/stream.py", "runtime.run"),
        ("sdk/stream.py", "ports.log"),
        ("sdk/runner.py", "adapters.sql.log"),
        ("services/gateway/app.py", "core.graph.ids"),
        ("services/gateway/app.py", "adapters.sql.log"),
        ("services/gateway/app.py", "cli.app"),
        ("cli/app.py", "core.graph.ids"),
        ("cli/app.py", "adapters.sql.log"),
        ("cli/app.py", "testing.oracle"),
        ("sdk/runner.py", "testing.oracle"),
        ("wiring.py", "sdk.node"),
        ("elsewhere/new.py", "core.graph.ids"),
    ],
)
def test_what_may_not_be_imported(path: str, module: str) -> None:
    assert len(direction(path, f"import qmtl.{module}")) == 1
    assert len(direction(path, f"from qmtl.{module} import name")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    from qmtl.runtime import run",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from qmtl.runtime.run import Run",
        "from importlib import import_module\nrun = import_module('qmtl.runtime.run')",
        "from ..runtime import run",
        "from .. import runtime",
        "try:\n    import qmtl.runtime\nexcept ImportError:\n    pass",
    ],
)
def test_no_form_of_import_goes_unseen(text: str) -> None:
    known = KNOWN | {"qmtl.runtime", "qmtl.runtime.run"}
    assert wrong_direction(Source("src/qmtl/sdk/stream.py", text), known)


def test_below_the_command_line_nobody_imports_the_facade() -> None:
    text = "def f():\n    from qmtl import __version__"
    assert "importlib.metadata" in direction("runtime/run.py", text)[0]
    assert direction("cli/app.py", text) == []


@pytest.mark.parametrize(
    ("path", "bites"),
    [("examples/01_trend.py", True), ("tools/ids.py", True), ("tests/unit/test_x.py", False)],
)
def test_only_tests_import_the_test_kit(path: str, bites: bool) -> None:
    assert bool(kit_imported(Source(path, "from qmtl.testing import oracle"), KNOWN)) == bites


@pytest.mark.parametrize(
    ("text", "bites"),
    [
        ("import numpy as np\nimport msgspec\nimport blake3\nimport hashlib\nimport math", False),
        ("from os import PathLike", False),
        ("def f():\n    import numba", False),
        ("import numba", True),
        ("import pandas", True),
        ("def f():\n    import pyarrow", True),
        ("import asyncio", True),
        ("from concurrent import futures", True),
        ("import logging", True),
        ("from pathlib import Path", True),
        ("from os import path", True),
        ("import time", True),
    ],
)
def test_core_imports_values_only(text: str, bites: bool) -> None:
    assert bool(foreign_in_core(Source("src/qmtl/core/flow/engine.py", text))) == bites
    assert foreign_in_core(Source("src/qmtl/runtime/run.py", text)) == []


def test_core_compiles_in_modules_named_kernels() -> None:
    assert foreign_in_core(Source("src/qmtl/core/flow/clock_kernels.py", "import numba")) == []


def cycles(**texts: str) -> list[str]:
    return import_cycles(Source(f"src/qmtl/core/{name}.py", text) for name, text in texts.items())


def test_a_straight_line_is_no_circle() -> None:
    assert cycles(a="from qmtl.core.b import x", b="from qmtl.core import c", c="import numpy") == []


@pytest.mark.parametrize(
    "back",
    [
        "from qmtl.core import a",
        "import qmtl.core.a",
        "from . import a",
        "def f():\n    from qmtl.core.a import x",
        "if TYPE_CHECKING:\n    from qmtl.core.a import x",
    ],
)
def test_a_circle_is_shown_in_the_order_of_its_imports(back: str) -> None:
    (found,) = cycles(a="from qmtl.core.b import x", b="from qmtl.core.c import x", c=back)
    circle = found.partition(";")[0].split(" -> ")
    following = {"qmtl.core.a": "qmtl.core.b", "qmtl.core.b": "qmtl.core.c", "qmtl.core.c": "qmtl.core.a"}
    assert [following[name] for name in circle[:-1]] == circle[1:]
    assert circle[0] == circle[-1]


def test_every_circle_is_found() -> None:
    assert (
        len(
            cycles(
                a="import qmtl.core.b", b="import qmtl.core.a", c="import qmtl.core.d", d="import qmtl.core.c"
            )
        )
        == 2
    )


def test_imports_say_when_they_happen() -> None:
    text = (
        "import a\nif TYPE_CHECKING:\n import b\nelse:\n import c\ndef f():\n import d\nclass C:\n import e"
    )
    kinds = {each.top: each.kind for each in Source("src/qmtl/x.py", text).imports}
    assert kinds == {"a": Kind.MODULE, "b": Kind.TYPING, "c": Kind.MODULE, "d": Kind.LAZY, "e": Kind.MODULE}
