"""Every operator of the registry, unasked: however a run is cut, its bits are the same (E15, E17)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from qmtl.core.errors import UserError
from qmtl.core.flow.kernel import Kernel, KernelKind
from qmtl.ops.registry import REQUIRED, bind, operators

ROWS, LANES, INTERVAL = 90, 3, 60
TEXTS = {"methods": "last"}
NUMBERS = {"low": -1.0, "high": 1.0, "q": 0.3, "k": 2}
CASES = [name for name, one in operators().items() if not one.cross and name != "resample"]


def parameters(name: str) -> dict[str, object]:
    """Small windows, so that warm-up, full windows and block borders all occur."""
    given: dict[str, object] = {}
    for param in operators()[name].params:
        if param.kind is int and param.name not in ("ddof", "bias"):
            given[param.name] = {"fast": 3, "slow": 5, "base": 7, "span": 9, "displacement": 4}.get(
                param.name, 6
            )
        elif param.default is REQUIRED:
            given[param.name] = TEXTS.get(param.name) or NUMBERS.get(param.name, 1.5)
    return given


def storage(
    kernel: Kernel, inputs: int, outputs: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    V = np.zeros((ROWS, (inputs + outputs) * LANES))
    walk = 100 + chance.normal(0, 1, (ROWS, inputs * LANES)).cumsum(axis=0)
    V[:, : inputs * LANES] = walk
    V[chance.random(V.shape) < 0.01] = np.nan
    V[40, 0] = np.inf
    V[:, inputs * LANES :] = 0.0
    M = (chance.random((ROWS, LANES)) > 0.1).astype(np.uint8)
    return V, M, M.cumsum(axis=0).astype(np.int32)


def computed(name: str, cuts: list[tuple[int, int, int, int]], seed: int = 1) -> np.ndarray:
    """Outputs where they are defined, NaN elsewhere, over rectangles (r0, r1, a, b)."""
    operator, _, kernel = bind(name, parameters(name))
    inputs, outputs = len(operator.inputs), len(operator.outputs)
    V, M, N = storage(kernel, inputs, outputs, seed)
    ins, out = (np.arange(n, dtype=np.int64) * LANES for n in (inputs, outputs))
    out += inputs * LANES
    state = np.zeros((kernel.state_words, LANES))
    run, p = kernel.load(), np.array(kernel.args)
    bucket = np.arange(ROWS, dtype=np.int64) * INTERVAL - 30 * INTERVAL
    asked, memo = M.copy(), np.zeros((max(kernel.memo_rows, 1), LANES))
    for r0, r1, a, b in cuts:
        if kernel.kind is KernelKind.MAP:
            run(V, M, out, ins, p, r0, r1, a, b)
        elif kernel.kind is KernelKind.WINDOW:
            run(V, M, N, bucket, INTERVAL, out, ins, p, memo, r0, r1, a, b)
        else:
            run(V, M, bucket, out, state, ins, p, r0, r1, a, b)
    there = (M == 1) & (asked == 1) & (kernel.rows <= N)
    return np.concatenate([np.where(there, V[:, o : o + LANES], np.nan) for o in out], axis=1)


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    x, y = np.ascontiguousarray(a), np.ascontiguousarray(b)
    return bool(np.all((x.view(np.int64) == y.view(np.int64)) | (np.isnan(x) & np.isnan(y))))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_cuts_do_not_change_a_bit(name: str) -> None:
    """One rectangle, row by row, and random blocks lane by lane."""
    whole = computed(name, [(0, ROWS, 0, LANES)])
    assert np.isfinite(whole).any(), "nothing was computed: the test would prove nothing"
    by_row = computed(name, [(r, r + 1, 0, LANES) for r in range(ROWS)])
    edges = [0, 7, 8, 31, 64, ROWS]
    blocks = computed(name, [(r0, r1, a, a + 1) for a in range(LANES) for r0, r1 in pairwise(edges)])
    assert same_bits(whole, by_row)
    assert same_bits(whole, blocks)


def test_there_are_enough_operators() -> None:
    assert len(CASES) >= 60


def test_parameters_that_only_look_alike_are_bound_apart() -> None:
    """What was bound once is remembered; 1, 1.0 and True are equal in Python, and not alike to an operator."""
    assert bind("lag", {"n": 1}) is bind("lag", {"n": 1})
    for wrong in (1.0, True, "1", None):
        with pytest.raises(UserError, match="not a int"):
            bind("lag", {"n": wrong})
    assert bind("lag", {"n": 1})[1] == (("n", 1),)
