"""What numbers are computed with is told, made the same, and decides what may be reused (R3, R9)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from qmtl import Runner, Strategy, StreamInput, UserError, node
from qmtl.adapters.memory.blobs import MemoryBlobs
from qmtl.core.flow.fingerprint import Fingerprint, RuntimeCompat, parsed
from qmtl.runtime import environment
from qmtl.runtime.here import Here
from qmtl.runtime.slices import SliceCache

from unit.flow.sdk import backtest, bar

ONE = Fingerprint((("python", "3.11.7"), ("numpy", "2.4.6"), ("cpu", "x86_64,avx2+fma")))


def test_a_fingerprint_is_text_and_back() -> None:
    assert ONE.text == "python=3.11.7; numpy=2.4.6; cpu=x86_64,avx2+fma"
    assert parsed(ONE.text) == ONE
    with pytest.raises(ValueError, match="not a runtime fingerprint"):
        parsed("python 3.11")


def test_it_says_what_differs() -> None:
    other = Fingerprint(
        (("python", "3.11.7"), ("numpy", "2.3.0"), ("cpu", "x86_64,avx2+fma"), ("scipy", "1.2"))
    )
    assert ONE.differences(other) == {"numpy": ("2.4.6", "2.3.0"), "scipy": ("", "1.2")}
    assert ONE.digest != other.digest
    assert ONE.differences(ONE) == {}


def test_a_node_has_the_packages_its_code_names() -> None:
    assert ONE.with_packages({}) == ONE
    assert ONE.with_packages({"numpy": "9"}) == ONE
    assert ONE.with_packages({"scipy": "1.2"}).text.endswith("; scipy=1.2")
    assert environment.packages_of(uses_numpy)["numpy"] == np.__version__
    assert environment.packages_of(plain.function) == {}


def test_this_process() -> None:
    found = dict(environment.fingerprint().fields)
    assert found["numpy"] == np.__version__
    assert "threads=1" in found["blas"]
    assert found["denormals"] == "kept"


def test_threads_are_one_whatever_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    told = environment.normalise()
    assert told["overruled"] == "OPENBLAS_NUM_THREADS=7"
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    assert environment.threads() == 1


def uses_numpy(view: Any) -> Any:
    return beside(view)


def beside(view: Any) -> Any:
    return np.median(view.x)


@node
def plain(view):
    return float(view.x[-1])


@node(runtime_compat="strict", tolerance=1e-6)
def careful(view):
    return float(view.x[0])


class Loose(Strategy):
    def define(self) -> None:
        x = StreamInput("A", interval="1m", fields=("value",)).value
        self.output("plain", plain(x=x.window(2)))
        self.output("careful", careful(x=x.window(2)))


class Strict(Loose):
    runtime_compat = "strict"


class Elsewhere(Here):
    """Another machine."""

    def scope(self, node: Any) -> str:
        return "another"


def reused(strategy: Any, **options: Any) -> dict[str, bool]:
    """Whether what another runtime computed serves the outputs of a strategy."""
    store, given = MemoryBlobs(), [bar(60 * n, float(n)) for n in range(64)]
    settings: dict[str, Any] = {"check": 0.0, "cheap": 0.0, "span": 8, "watch": iter(range(10**6)).__next__}
    Runner.backtest(strategy, given, cache=SliceCache(store, Elsewhere(), **settings))
    cache = SliceCache(store, Here(**options), **settings)
    run = Runner.backtest(strategy, given, cache=cache)
    events = cache.by_node()
    return {
        name: any("across" in event.what for event in events[run.find(name).node.node_id])
        for name in ("plain", "careful")
    }


def test_the_strictest_of_node_strategy_and_run_counts() -> None:
    assert reused(Loose()) == {"plain": True, "careful": False}
    assert reused(Strict()) == {"plain": False, "careful": False}
    assert reused(Loose(), strict=True) == {"plain": False, "careful": False}
    assert reused([Loose(), Strict()][1]) == {"plain": False, "careful": False}


def test_neither_is_part_of_an_id() -> None:
    ids = [
        Runner.backtest(one(), [bar(0, 1.0)], cache=False)[0].find("plain").node.node_id
        for one in (Loose, Strict)
    ]
    assert ids[0] == ids[1]
    both = Runner.backtest([Loose(), Strict()], [bar(0, 1.0)], cache=False)
    shared = both[0].find("plain").node
    assert (
        shared.meta["runtime_compat"] == RuntimeCompat.STRICT
    )  # one node, and one strategy of two asks for it


@pytest.mark.parametrize("wrong", ({"runtime_compat": "maybe"}, {"tolerance": -1.0}, {"tolerance": 2.0}))
def test_other_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        backtest(
            lambda: {
                "out": plain(x=StreamInput("A", interval="1m", fields=("value",)).value.window(1), **wrong)
            },
            [bar(0, 1.0)],
        )


def test_a_run_says_what_it_was_computed_with() -> None:
    runtime = Runner.backtest(Loose(), [bar(0, 1.0)], cache=False).manifest["runtime"]
    assert runtime["fingerprint"] == environment.fingerprint().digest
    assert runtime["environment"]["OMP_NUM_THREADS"] == "1"
