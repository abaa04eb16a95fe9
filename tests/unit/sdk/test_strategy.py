"""`Strategy` and `build`: what is declared, and what is refused with its place and cure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from qmtl.core.errors import UserError
from qmtl.core.graph import ir
from qmtl.core.graph.lint import lint
from qmtl.sdk import cross
from qmtl.sdk.panel import Panel
from qmtl.sdk.strategy import Strategy, build
from qmtl.sdk.stream import StreamInput
from qmtl.sdk.tag_query import TagQueryNode


class Trend(Strategy):
    fast: int = 12
    slow: int = 26

    def define(self) -> None:
        btc = StreamInput("BTC", interval="1m")
        edge = btc.close.ema(self.fast) - btc.close.ema(self.slow)
        btc.close.ema(99)
        self.output("edge", edge)
        self.target(btc, edge > 0)


def defined(define: Callable[[Strategy], None]) -> ir.Graph:
    return build(type("Given", (Strategy,), {"define": define})())


def btc() -> StreamInput:
    return StreamInput("BTC", interval="1m")


def test_a_strategy_builds_a_graph() -> None:
    graph = build(Trend(slow=30))
    assert graph.name == "Trend(slow=30)"
    assert graph.params == (("fast", 12), ("slow", 30))
    assert list(graph.outputs) == ["edge"]
    traded, weight = graph.targets["BTC"]
    assert (traded.kind, weight.node.operator) == (ir.NodeKind.BARS, "gt_scalar")


def test_what_nothing_reads_is_declared_too() -> None:
    operators = [node.operator for node in build(Trend()).declared]
    assert operators == ["bars", "ema", "ema", "sub", "ema", "gt_scalar"]


def test_every_node_knows_where_the_author_wrote_it() -> None:
    for node in build(Trend()).declared:
        assert "test_strategy.py:" in node.place


def test_building_twice_gives_the_same_ids() -> None:
    strategy = Trend()
    assert build(strategy).outputs["edge"].node.node_id == build(strategy).outputs["edge"].node.node_id


def test_parameters_change_ids_and_names_do_not() -> None:
    class Renamed(Trend):
        pass

    def edge(strategy: Strategy) -> str:
        return build(strategy).outputs["edge"].node.node_id

    assert edge(Trend()) == edge(Renamed()) != edge(Trend(fast=13))


def twice_output(self: Strategy) -> None:
    self.output("x", btc().close)
    self.output("x", btc().open)


def twice_target(self: Strategy) -> None:
    self.target(btc(), btc().close)
    self.target(StreamInput("BTC", interval="5m"), btc().close)


def stream_as_output(self: Strategy) -> None:
    self.output("x", btc())  # type: ignore[arg-type]


def number_as_target(self: Strategy) -> None:
    self.target(btc(), 1.0)  # type: ignore[arg-type]


def ticks_traded(self: Strategy) -> None:
    self.target(StreamInput("BTC"), btc().close)


def resampled_traded(self: Strategy) -> None:
    self.target(btc().resample("5m"), btc().close)


def panel_on_one(self: Strategy) -> None:
    self.target(btc(), cross.rank(TagQueryNode("a", interval="1m").close))


def one_on_panel(self: Strategy) -> None:
    self.target(TagQueryNode("a", interval="1m"), btc().close)


def nameless(self: Strategy) -> None:
    self.output("", btc().close)


@pytest.mark.parametrize(
    ("define", "what"),
    [
        (twice_output, "output x was declared before, at"),
        (twice_target, "target of BTC was declared before, at"),
        (stream_as_output, "choose one: .open"),
        (number_as_target, "is not a series"),
        (ticks_traded, "source stream of bars"),
        (resampled_traded, "source stream of bars"),
        (panel_on_one, "one weight per stream"),
        (one_on_panel, "one weight per stream"),
        (nameless, "name is a text"),
    ],
)
def test_a_wrong_declaration_is_refused_at_its_line(define: Callable[[Strategy], None], what: str) -> None:
    with pytest.raises(UserError) as refusal:
        defined(define)
    assert what in str(refusal.value)
    assert (
        f"test_strategy.py:{define.__code__.co_firstlineno + (2 if 'twice' in define.__name__ else 1)}:"
        in str(refusal.value)
    )


def test_an_explicit_panel_is_an_output_per_member() -> None:
    def define(self: Strategy) -> None:
        self.output("x", Panel([btc().close, StreamInput("ETH", interval="1m").close]).ema(3))

    assert list(defined(define).outputs) == ["x[BTC]", "x[ETH]"]


@pytest.mark.parametrize("wrong", [Trend, "Trend", None])
def test_only_a_strategy_is_built(wrong: Any) -> None:
    with pytest.raises(UserError):
        build(wrong)


def test_a_strategy_without_definition_says_so() -> None:
    with pytest.raises(UserError, match=r"define\(self\)"):
        build(type("Empty", (Strategy,), {})())


def test_declaring_outside_define_is_refused() -> None:
    with pytest.raises(UserError, match="outside define"):
        Trend().output("x", btc().close)


def test_a_cycle_made_by_hand_is_refused() -> None:
    close = btc().close.lanes
    assert isinstance(close, ir.Column)
    node = replace(close.node, kind=ir.NodeKind.OPERATOR, operator="loop")
    object.__setattr__(node, "edges", (ir.Edge("x", node, ("close",)),))
    with pytest.raises(UserError, match="made of itself.*lag"):
        lint(ir.Graph("g", {"x": ir.Column(node, "close")}, {}, ()))


def test_a_column_that_is_not_there_is_refused() -> None:
    close = btc().close.lanes
    assert isinstance(close, ir.Column)
    with pytest.raises(UserError, match="no column 'x'.*open, high"):
        lint(ir.Graph("g", {"x": ir.Column(close.node, "x")}, {}, ()))
