"""A strategy's annotations are its parameters."""

from __future__ import annotations

import sys
from enum import Enum
from types import ModuleType
from typing import Any, ClassVar, Literal

import pytest

from qmtl.core.errors import UserError
from qmtl.core.graph.duration import Duration
from qmtl.sdk.grid import grid
from qmtl.sdk.parameters import parameters_of
from qmtl.sdk.strategy import Strategy


class Side(Enum):
    LONG = "long"
    SHORT = "short"


class Trend(Strategy):
    fast: int = 12
    k: float = 0.5
    on: bool = True
    name: str = "x"
    symbols: tuple[str, ...] = ("BTC",)
    pair: tuple[int, str] = (1, "a")
    mode: Literal["a", "b"] = "a"
    every: Duration = Duration("1m")
    side: Side = Side.LONG
    limit: int | None = None
    NOT_ONE: ClassVar[int] = 3
    _private: int = 4


class Child(Trend):
    slow: int
    fast: int = 8


def test_parameters_are_the_public_annotations_in_order() -> None:
    assert Trend.parameter_names() == (
        "fast",
        "k",
        "on",
        "name",
        "symbols",
        "pair",
        "mode",
        "every",
        "side",
        "limit",
    )


def test_parameters_are_inherited_and_overridden() -> None:
    child = Child(slow=26)
    assert (child.fast, child.slow, child.k) == (8, 26, 0.5)


def test_a_parameter_without_default_is_needed() -> None:
    with pytest.raises(UserError, match="needs its parameter 'slow'.*slow="):
        Child()


def test_an_unknown_parameter_is_refused_with_the_likely_one() -> None:
    with pytest.raises(UserError, match="no parameter 'fats'.*did you mean 'fast'"):
        Trend(fats=3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fast", "12"),
        ("fast", 12.0),
        ("fast", True),
        ("fast", None),
        ("k", "0.5"),
        ("k", True),
        ("on", 1),
        ("name", 3),
        ("symbols", "BTC"),
        ("symbols", ("BTC", 3)),
        ("pair", (1,)),
        ("pair", ("a", 1)),
        ("mode", "c"),
        ("side", "up"),
        ("limit", "3"),
        ("every", 60),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"Trend.{name}"):
        Trend(**{name: value})


def test_a_number_in_quotes_is_told_to_lose_them() -> None:
    with pytest.raises(UserError, match="Trend.fast is not an int.*'12'.*without quotes"):
        Trend(fast="12")


def test_an_int_is_a_float_and_a_list_a_tuple() -> None:
    trend = Trend(k=1, symbols=["BTC", "ETH"], every="5m", side="short", limit=3)
    assert isinstance(trend.k, float)
    assert trend.symbols == ("BTC", "ETH")
    assert trend.every == Duration("5m")
    assert trend.side is Side.SHORT
    assert trend.limit == 3


def test_text_is_read_by_the_annotation() -> None:
    texts = {
        "fast": "8",
        "k": "1",
        "on": "false",
        "name": "3",
        "symbols": "BTC, ETH",
        "pair": "2,b",
        "mode": "b",
        "every": "5m",
        "side": "SHORT",
        "limit": "none",
    }
    assert Trend.parse_parameters(texts) == {
        "fast": 8,
        "k": 1.0,
        "on": False,
        "name": "3",
        "symbols": ("BTC", "ETH"),
        "pair": (2, "b"),
        "mode": "b",
        "every": Duration("5m"),
        "side": Side.SHORT,
        "limit": None,
    }


@pytest.mark.parametrize(
    "texts",
    [
        {"fast": "8.5"},
        {"on": "maybe"},
        {"mode": "c"},
        {"pair": "1"},
        {"side": "up"},
        {"fats": "8"},
        {"limit": "x"},
    ],
)
def test_text_that_cannot_be_read_is_refused(texts: dict[str, str]) -> None:
    with pytest.raises(UserError):
        Trend.parse_parameters(texts)


def test_a_parameter_may_not_hide_a_method() -> None:
    with pytest.raises(UserError, match="'target'"):

        class Wrong(Strategy):
            target: float = 1.0  # type: ignore[assignment]


def test_a_strategy_is_known_by_its_class_and_what_was_given() -> None:
    assert repr(Trend()) == "Trend"
    assert repr(Trend(fast=8, k=1)) == "Trend(fast=8, k=1.0)"


def test_a_grid_is_every_combination() -> None:
    strategies = grid(Trend, fast=[8, 12], k=[0.5, 1.0], mode="b")
    assert [(one.fast, one.k, one.mode) for one in strategies] == [
        (8, 0.5, "b"),
        (8, 1.0, "b"),
        (12, 0.5, "b"),
        (12, 1.0, "b"),
    ]


def test_a_grid_without_values_is_refused() -> None:
    with pytest.raises(UserError, match="fast has no values"):
        grid(Trend, fast=[])


def test_plain_annotations_are_read_as_python_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("shadowing")
    monkeypatch.setitem(sys.modules, "shadowing", module)
    spaces = vars(module)
    spaces.update({"Strategy": Strategy, "Plain": str})
    text = (
        "class Made(Strategy):\n    a: {0} = 1\n    _b: str = ''\nclass Child(Made):\n    c: 'float' = 1.0\n"
    )
    for spelled, kind in {"int": int, "'int'": int, "Plain": str, "'Plain'": str, "'bool'": bool}.items():
        exec(text.format(spelled), spaces)
        found = parameters_of(spaces["Child"])
        assert {name: one.type for name, one in found.items()} == {"a": kind, "c": float}


def test_a_name_that_the_module_or_the_class_gives_another_meaning_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("shadowing")
    vars(module).update({"Strategy": Strategy, "int": str})
    monkeypatch.setitem(sys.modules, "shadowing", module)
    exec("class Made(Strategy):\n    a: 'int' = 'x'\n", vars(module))
    assert parameters_of(module.Made)["a"].type is str
    exec("class Own(Strategy):\n    a: 'float' = 'x'\n    float = str\n", vars(module))
    assert parameters_of(module.Own)["a"].type is str
