"""Window operators over a million bars: exact to a few ulps, with no trace of what has left, wherever they began."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

from qmtl.core.flow.kernel import KernelKind
from qmtl.ops.registry import REQUIRED, bind, operators

from exact import REFERENCES, decimal

BARS = 1_000_000
SAMPLES, ULPS, EPS = 60, 8, 2.0**-52
STARTS = 200
GIVEN: dict[str, object] = {"n": 20, "q": 0.3, "conversion": 9, "base": 26, "span": 52, "displacement": 26}


def _windows() -> list[str]:
    found = []
    for name, one in operators().items():
        if (
            not one.cross
            and name != "resample"
            and bind(name, _parameters(name))[2].kind is KernelKind.WINDOW
        ):
            found.append(name)
    return found


def _parameters(name: str) -> dict[str, object]:
    return {p.name: GIVEN.get(p.name, 1.5) for p in operators()[name].params if p.default is REQUIRED}


@cache
def _walk(count: int) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(7)
    close = 100 * np.exp(chance.normal(0, 1e-3, count).cumsum())
    high, low = close * np.exp(chance.random(count) * 1e-3), close * np.exp(-chance.random(count) * 1e-3)
    other = 50 * np.exp(chance.normal(0, 1e-3, count).cumsum())
    other = np.where(chance.random(count) < 0.5, close * (1 + chance.normal(0, 1e-4, count)), other)
    volume = chance.integers(1, 1000, count).astype(float)
    return {"x": close, "y": other, "close": close, "high": high, "low": low, "volume": volume}


def computed(name: str, columns: dict[str, np.ndarray], start: int = 0) -> np.ndarray:
    """Outputs (bars, outputs) of bars from `start` on, as if there were none before; NaN in warm-up."""
    operator, _, kernel = bind(name, _parameters(name))
    inputs, outputs = len(operator.inputs), len(operator.outputs)
    count = len(columns["x"])
    V = np.full((count, inputs + outputs), np.nan)
    for at, one in enumerate(operator.inputs):
        V[:, at] = columns[one]
    M = np.zeros((count, 1), np.uint8)
    M[start:] = 1
    N, memo = M.cumsum(axis=0).astype(np.int32), np.zeros((max(kernel.memo_rows, 1), 1))
    ins, out = np.arange(inputs), np.arange(outputs) + inputs
    bucket = np.arange(count) * 60 - 1_000_020
    kernel.load()(V, M, N, bucket, 60, out, ins, np.array(kernel.args), memo, start, count, 0, 1)
    return V[:, inputs:]


def bits(x: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(x), np.nan, x).view(np.int64)


def test_every_window_operator_has_a_reference() -> None:
    assert set(_windows()) == set(REFERENCES)


@pytest.mark.slow
@pytest.mark.parametrize("name", REFERENCES)
def test_a_million_bars_are_exact(name: str) -> None:
    """Within 8 ulps of rational arithmetic, of the answer or of the terms that cancel in it."""
    columns = _walk(BARS)
    operator, params, kernel = bind(name, _parameters(name))
    found, given = computed(name, columns), dict(params)
    chance = np.random.default_rng(1)
    rows = sorted({*chance.integers(kernel.rows, BARS, SAMPLES - 5).tolist(), *range(BARS - 5, BARS)})
    worst = 0.0
    for row in rows:
        windows = [
            [Fraction(v) for v in columns[one][row - kernel.rows + 1 : row + 1].tolist()]
            for one in operator.inputs
        ]
        answers, size = REFERENCES[name](windows, given)
        for got, exact in zip(found[row].tolist(), answers, strict=True):
            error = abs(decimal(Fraction(got)) - decimal(exact))
            scale = max(abs(decimal(exact)), decimal(size))
            worst = max(worst, 0.0 if error == 0 else float(error / scale) / EPS)
    assert worst <= ULPS, f"{name}: {worst:.1f} ulps"


@pytest.mark.parametrize("name", REFERENCES)
def test_what_is_not_finite_leaves_no_trace(name: str) -> None:
    """NaN and infinity make NaN while they are in the window; afterwards the bits are those without them."""
    plain = _walk(600)
    _, _, kernel = bind(name, _parameters(name))
    without = computed(name, plain)
    for odd in (np.nan, np.inf, -np.inf):
        for column in operators()[name].inputs:
            with_odd: dict[str, Any] = {one: values.copy() for one, values in plain.items()}
            with_odd[column][300] = odd
            found = computed(name, with_odd)
            assert np.isnan(found[300 : 300 + kernel.rows]).all()
            assert np.array_equal(bits(found[:300]), bits(without[:300]))
            assert np.array_equal(bits(found[300 + kernel.rows :]), bits(without[300 + kernel.rows :]))


@pytest.mark.parametrize("name", REFERENCES)
def test_wherever_it_began_the_bits_are_the_same(name: str) -> None:
    columns = _walk(420)
    _, _, kernel = bind(name, _parameters(name))
    whole = computed(name, columns)
    for start in range(1, STARTS + 1):
        first = start + kernel.rows - 1
        assert np.array_equal(bits(computed(name, columns, start)[first:]), bits(whole[first:])), start
