"""`import qmtl` and building a strategy stay light: the heavy packages come with the first run."""

from __future__ import annotations

import subprocess
import sys

import pytest

import qmtl

PROGRAM = """
import sys
from qmtl import Runner, Strategy, StreamInput, where
class Trend(Strategy):
    def define(self):
        btc = StreamInput("BTC", interval="1m")
        self.target(btc, where(btc.close.ema(12) > btc.close.sma(26), 1.0, 0.0))
from qmtl.sdk.strategy import build
build(Trend())
print(sorted({"numpy", "numba", "pyarrow", "pandas", "polars"} & set(sys.modules)))
"""


def test_building_a_strategy_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", qmtl.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(qmtl, name) is not None
    assert name in dir(qmtl)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Strateggy'"):
        qmtl.Strateggy  # type: ignore[attr-defined]
