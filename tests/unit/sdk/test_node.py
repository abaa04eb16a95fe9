"""`@node` and `Node`: an author's function as a node."""

from __future__ import annotations

from typing import Any

import pytest

from qmtl.core.errors import UserError
from qmtl.core.graph import ir
from qmtl.core.graph.duration import Duration
from qmtl.sdk.node import Node, node
from qmtl.sdk.panel import Panel, PanelStream
from qmtl.sdk.series import Series
from qmtl.sdk.stream import StreamInput
from qmtl.sdk.tag_query import TagQueryNode


@node(outputs=("score",))
def damp(view: Any, *, k: float = 0.5) -> float:
    raise AssertionError("a definition runs nothing")


@node(outputs=("up", "down"))
def both(view: Any, watermark: int) -> tuple[float, float]:
    raise AssertionError("a definition runs nothing")


def made(value: Any) -> ir.Node:
    lanes = value.lanes
    return lanes if isinstance(lanes, ir.Node) else lanes.node  # type: ignore[no-any-return]


def minute(name: str = "BTC") -> StreamInput:
    return StreamInput(name, interval="1m")


def test_a_definition_runs_nothing() -> None:
    damp(px=minute().window(30), k=1.0)
    both(px=minute())


def test_inputs_are_edges_and_parameters_are_hashed() -> None:
    m1 = minute()
    one = made(damp(px=m1.window(30, required=False, complete=True), c=m1.close, k=0.25))
    px, close = one.edges
    assert (px.name, px.columns, px.window, px.required, px.complete, px.single) == (
        "px",
        m1.columns,
        ir.Window(rows=30),
        False,
        True,
        False,
    )
    assert (close.name, close.columns, close.window, close.single) == (
        "c",
        ("close",),
        ir.Window(rows=1),
        True,
    )
    assert one.params == (("k", 0.25),)
    assert (one.kind, one.outputs, one.interval_ns) == (ir.NodeKind.FUNCTION, ("score",), 60 * ir.NS)


def test_defaults_are_effective_parameters() -> None:
    m1 = minute()
    assert made(damp(px=m1)).params == (("k", 0.5),)
    assert made(damp(px=m1)).node_id == made(damp(px=m1, k=0.5)).node_id


def test_one_output_acts_as_a_series() -> None:
    score = damp(px=minute())
    assert isinstance(score, Series)
    assert isinstance(score + 1, Series)
    assert isinstance(score.score, Series)
    assert made(score["score"]) is made(score)


def test_several_outputs_act_as_a_stream() -> None:
    answer = both(px=minute())
    assert made(answer).wants_watermark
    assert isinstance(answer.up, Series)
    assert answer.columns == ("up", "down")
    with pytest.raises(UserError, match="did you mean 'up'"):
        answer.upp
    with pytest.raises(UserError, match="choose one"):
        answer + 1
    (edge,) = made(damp(px=answer.stream)).edges
    assert (edge.columns, edge.single) == (("up", "down"), False)


def test_a_single_output_is_no_stream() -> None:
    """Its name is a label outside the id, so nothing may be chosen by it further down."""
    with pytest.raises(UserError, match="use the node itself"):
        damp(px=minute()).stream


def test_a_duration_is_time_and_an_integer_rows() -> None:
    assert made(damp(px=minute().window("30m"))).edges[0].window == ir.Window(rows=None, span_ns=1800 * ir.NS)
    assert made(damp(px=minute(), label="x")).edges[0].window == ir.Window(rows=1)


def test_period_is_the_rows_of_inputs_without_window() -> None:
    m1 = minute()
    one = made(Node(damp, {"px": m1, "c": m1.close.window(3)}, period=20))
    assert [edge.window.rows for edge in one.edges] == [20, 3]


def test_ticks_need_an_interval_and_integer_windows_become_spans() -> None:
    ticks = StreamInput("BTC")
    with pytest.raises(UserError, match='reads ticks and so needs an interval.*interval="1m"'):
        damp(px=ticks)
    one = made(damp(px=ticks.window(3), interval="1m"))
    assert one.edges[0].window == ir.Window(rows=None, span_ns=180 * ir.NS)
    assert one.interval_ns == 60 * ir.NS


def test_its_interval_is_the_finest_unless_it_names_one() -> None:
    m1, m5 = minute(), StreamInput("BTC", interval="5m")
    assert made(damp(a=m5, b=m1)).interval_ns == 60 * ir.NS
    coarse = made(damp(a=m1.window(7), interval="15m"))
    assert coarse.interval_ns == 900 * ir.NS
    assert coarse.edges[0].window == ir.Window(rows=7)
    assert damp(a=m5, interval="1m").interval == Duration("1m")


def test_intervals_that_do_not_divide_are_refused_naming_both() -> None:
    two, three = StreamInput("A", interval="2m"), StreamInput("B", interval="3m")
    with pytest.raises(UserError, match="2m and 3m.*6m"):
        damp(a=two, b=three)
    with pytest.raises(UserError, match="2m and 3m"):
        damp(a=two, interval="3m")


def test_closing_settings_are_kept() -> None:
    one = made(damp(px=minute(), on_missing="fail", all_idle="hold", coarse_frontier="strict"))
    assert one.closing == ir.Closing(ir.OnMissing.FAIL, ir.AllIdle.HOLD, ir.CoarseFrontier.STRICT)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"k": 1.0}, "has no inputs"),
        ({"px": 3}, "has no parameter 'px'"),
        ({"px": minute(), "j": 1}, "known are 'k'"),
        ({"k": minute()}, "'k' is a parameter of damp"),
        ({"px": minute(), "on_missing": "wait"}, "'skip', 'fail'"),
        ({"px": minute(), "lateness": "5s"}, "has no parameter 'lateness'"),
        ({"px": minute(), "k": object()}, "'k' cannot be part of an id"),
    ],
)
def test_a_wrong_call_is_refused(given: dict[str, Any], what: str) -> None:
    with pytest.raises(UserError) as refusal:
        damp(**given)
    assert what in str(refusal.value)
    assert "test_node.py:" in str(refusal.value)


def test_a_missing_parameter_is_refused() -> None:
    with pytest.raises(UserError, match="needs its parameter 'k'.*k="):
        Node(lambda view, *, k: k, {"px": minute()})


def no_view() -> float:
    return 0.0


def star(view: Any, *rest: Any) -> float:
    return 0.0


def late_watermark(view: Any, k: float, watermark: int) -> float:
    return 0.0


async def slow(view: Any) -> float:
    return 0.0


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (no_view, "takes no view"),
        (star, "takes *rest"),
        (late_watermark, "second argument"),
        (slow, "asynchronous"),
        (max, ""),
    ],
)
def test_a_wrong_signature_is_refused_with_a_right_one(function: Any, what: str) -> None:
    with pytest.raises(UserError) as refusal:
        Node(function, {"px": minute()})
    assert what in str(refusal.value)
    assert (
        "def f(view" in str(refusal.value)
        or "second" in str(refusal.value)
        or "plain function" in str(refusal.value)
    )


@pytest.mark.parametrize("outputs", [(), ("a", "a"), ("a b",), (3,)])
def test_outputs_are_names(outputs: Any) -> None:
    with pytest.raises(UserError, match="output"):
        Node(damp, {"px": minute()}, outputs=outputs)


def test_settings_of_streams_are_refused_in_a_node() -> None:
    with pytest.raises(UserError, match="lateness belongs to a StreamInput"):
        Node(damp, {"px": minute()}, lateness="5s")
    with pytest.raises(UserError, match="required belongs to one input"):
        node(required=False)(no_view)  # type: ignore[call-overload]


def test_over_a_panel_it_is_a_panel() -> None:
    peers = TagQueryNode("spot", interval="5m", period=12)
    lifted = damp(px=peers)
    assert isinstance(lifted, Panel)
    assert made(lifted).edges[0].window == ir.Window(rows=12)
    assert isinstance(both(px=peers), PanelStream)
    named = damp(px=Panel({"BTC": minute().close, "ETH": minute("ETH").close}))
    assert isinstance(named, Panel)
    assert made(named["BTC"]).node_id == made(damp(px=minute().close)).node_id
