"""Tag queries become their members, with the ids the members have when written out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from qmtl.core.errors import UserError
from qmtl.core.graph import ir
from qmtl.core.graph.expand import expand
from qmtl.core.graph.walk import roots, topological
from qmtl.sdk import cross
from qmtl.sdk.node import Node
from qmtl.sdk.operators import where
from qmtl.sdk.panel import Panel
from qmtl.sdk.series import Series
from qmtl.sdk.strategy import Strategy, build
from qmtl.sdk.stream import StreamInput
from qmtl.sdk.tag_query import TagQueryNode

STREAMS = [("ETH", {"spot"}), ("BTC", {"spot", "major"}), ("GOLD", {"metal"})]


def listed(query: ir.Node) -> list[tuple[str, Iterable[str]]]:
    return list(STREAMS)


def outputs(**named: Any) -> ir.Graph:
    class Given(Strategy):
        def define(self) -> None:
            for name, value in named.items():
                self.output(name, value)

    return expand([build(Given())], listed)[0]


def ids(graph: ir.Graph) -> dict[str, str]:
    return {name: f"{column.node.node_id}.{column.column}" for name, column in graph.outputs.items()}


def peers() -> TagQueryNode:
    return TagQueryNode("spot", interval="5m")


def stream(name: str) -> StreamInput:
    return StreamInput(name, interval="5m")


def last(view: Any) -> Any:
    return view.x[-1]


def both(view: Any) -> Any:
    return view.x[-1], view.x[0]


def test_a_query_becomes_the_streams_whose_tags_fulfil_it() -> None:
    graph = outputs(close=peers().close)
    assert list(graph.outputs) == ["close[BTC]", "close[ETH]"]
    assert ids(graph)["close[BTC]"] == ids(outputs(x=stream("BTC").close))["x"]


@pytest.mark.parametrize("query", ["interval=300s AND spot", "id in {BTC,ETH}", "NOT metal"])
def test_interval_and_id_are_tags_every_stream_has(query: str) -> None:
    assert list(outputs(close=TagQueryNode(query, interval="5m").close).outputs) == [
        "close[BTC]",
        "close[ETH]",
    ]


LIFTED = {
    "operator": (lambda s: s.close.ema(12)),
    "stream operator": (lambda s: s.atr(14)),
    "several outputs": (lambda s: s.close.macd(12, 26, 9).signal),
    "two columns": (lambda s: s.close - s.open),
    "a constant": (lambda s: 1 - s.close),
    "a series beside it": (lambda s: s.close / StreamInput("BTC", interval="1m").close),
    "align": (lambda s: s.close.corr(StreamInput("BTC", interval="1m").close, 20)),
    "where": (lambda s: where(s.close > s.open, s.close, 0.0)),
    "resample": (lambda s: s.resample("15m").close),
    "function": (lambda s: Node(last, {"x": s.close.window(3)})),
    "function of a stream": (lambda s: Node(last, {"x": s.window("1h")})),
    "function of several outputs": (lambda s: Node(both, {"x": s.close}, outputs=("a", "b")).b),
}


@pytest.mark.parametrize("case", LIFTED)
def test_a_lifted_node_is_per_member_what_is_written_without_the_panel(case: str) -> None:
    make = LIFTED[case]
    graph = ids(outputs(x=make(peers())))  # type: ignore[no-untyped-call]
    for member in ("BTC", "ETH"):
        assert graph[f"x[{member}]"] == ids(outputs(x=make(stream(member))))["x"]  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("case", LIFTED)
def test_a_member_chosen_is_what_is_written_without_the_panel(case: str) -> None:
    make = LIFTED[case]
    chosen = ids(outputs(x=make(peers())["BTC"] * 2))  # type: ignore[no-untyped-call]
    assert chosen == ids(outputs(x=make(stream("BTC")) * 2))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "case", sorted(set(LIFTED) - {"stream operator", "function of a stream", "resample"})
)
def test_a_stream_chosen_of_a_query_is_the_stream(case: str) -> None:
    make = LIFTED[case]
    assert ids(outputs(x=make(peers()["BTC"]))) == ids(outputs(x=make(stream("BTC"))))  # type: ignore[no-untyped-call]


def test_a_member_that_was_not_found_is_refused_with_those_that_were() -> None:
    with pytest.raises(
        UserError, match=r"test_expand.py:\d+: the panel has no member 'BCT'.*did you mean 'BTC'"
    ):
        outputs(x=peers().close["BCT"])


def test_nothing_found_is_an_empty_panel() -> None:
    assert outputs(x=TagQueryNode("nothing", interval="5m").close.ema(3)).outputs == {}


def test_a_cross_section_keeps_its_id_and_gets_an_edge_per_member() -> None:
    rank = cross.rank(peers().close.returns(12))
    query_form = rank.lanes.node.node_id  # type: ignore[union-attr]
    graph = outputs(rank=rank, half=rank - 0.5)
    select = graph.outputs["rank[BTC]"].node
    assert (select.kind, select.stream, select.edges[0].node.kind) == (
        ir.NodeKind.SELECT,
        "BTC",
        ir.NodeKind.CROSS,
    )
    node = select.edges[0].node
    assert (node.node_id, node.members) == (query_form, ("BTC", "ETH"))
    assert [edge.name for edge in node.edges] == ["BTC", "ETH"]
    assert not any(edge.required for edge in node.edges)
    assert node.edges[0].node.node_id == ids(outputs(x=stream("BTC").close.returns(12)))["x"].split(".")[0]
    half = graph.outputs["half[BTC]"].node
    assert (half.operator, half.edges[0].node) == ("sub_scalar", select)


def test_a_lane_of_a_cross_section_has_the_same_id_before_and_after() -> None:
    rank = cross.rank(peers().close)
    before = (rank["BTC"] * 2).node_id
    assert outputs(x=rank["BTC"] * 2).outputs["x"].node.node_id == before
    assert outputs(x=rank * 2).outputs["x[BTC]"].node.node_id == before


def test_a_mean_is_one_series_and_meets_the_panel_again() -> None:
    mean = cross.mean(peers().close)
    assert isinstance(mean, Series)
    graph = outputs(away=peers().close - mean)
    assert list(graph.outputs) == ["away[BTC]", "away[ETH]"]


def test_an_explicit_panel_is_its_members() -> None:
    panel = Panel({"BTC": stream("BTC").close, "ETH": stream("ETH").close})
    graph = ids(outputs(x=panel.ema(3), y=cross.rank(panel)))
    assert graph["x[BTC]"] == ids(outputs(x=stream("BTC").close.ema(3)))["x"]
    assert list(graph) == ["x[BTC]", "x[ETH]", "y[BTC]", "y[ETH]"]


def test_equal_content_is_one_node_across_graphs() -> None:
    class One(Strategy):
        def define(self) -> None:
            self.output("x", peers().close.ema(3))

    class Two(Strategy):
        def define(self) -> None:
            self.output("y", stream("BTC").close.ema(3))

    one, two = expand([build(One()), build(Two())], listed)
    assert one.outputs["x[BTC]"].node is two.outputs["y"].node
    assert two.outputs["y"].node.edges[0].node in topological(roots(one))


def test_a_panel_of_targets_is_one_target_per_member() -> None:
    class Targets(Strategy):
        def define(self) -> None:
            found = peers()
            self.target(found, cross.demean(found.close))

    (graph,) = expand([build(Targets())], listed)
    assert list(graph.targets) == ["BTC", "ETH"]
    traded, weight = graph.targets["BTC"]
    assert (traded.kind, traded.stream, weight.node.stream) == (ir.NodeKind.BARS, "BTC", "BTC")


def test_no_query_is_left() -> None:
    graph = outputs(x=cross.rank(peers().close.ema(3)) * 2, y=peers().close["BTC"])
    kinds = {node.kind for node in topological([*roots(graph), *graph.declared])}
    assert kinds == {ir.NodeKind.BARS, ir.NodeKind.OPERATOR, ir.NodeKind.CROSS, ir.NodeKind.SELECT}


def test_two_panels_meet_where_both_have_the_member() -> None:
    major = TagQueryNode("major", interval="1m")
    assert list(outputs(x=peers().close - major.close).outputs) == ["x[BTC]"]
