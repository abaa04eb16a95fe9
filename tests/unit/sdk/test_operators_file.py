"""`sdk/operators.py` is what the registry says: every operator is a typed method."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from qmtl.ops.registry import Operator, operators
from qmtl.sdk.panel import Panel, PanelStream
from qmtl.sdk.series import Series, Stream

ROOT = Path(__file__).parents[3]
INSIDE = (
    "where",
    "align",
    "resample",
    "minimum",
    "maximum",
    "and",
    "or",
    "neg",
    "invert",
    "add",
    "sub",
    "mul",
    "div",
    "pow",
    "mod",
    "lt",
    "le",
    "gt",
    "ge",
)


def test_the_file_is_up_to_date() -> None:
    """Else: `python tools/sdk_operators.py`."""
    done = subprocess.run([sys.executable, "tools/sdk_operators.py", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0, "python tools/sdk_operators.py"


@pytest.mark.parametrize("operator", operators().values(), ids=lambda one: one.name)
def test_every_operator_can_be_written(operator: Operator) -> None:
    stem = operator.name.removesuffix("_scalar").removesuffix("_rscalar")
    if operator.cross or stem.startswith("where") or stem in INSIDE:
        return
    for shape in (Stream, PanelStream) if operator.stream else (Series, Panel):
        assert callable(getattr(shape, {"abs": "__abs__"}.get(stem, stem)))
