"""What makes two nodes the same and what makes them different, case by case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qmtl.core.graph import ir
from qmtl.sdk import cross
from qmtl.sdk.node import Node, node
from qmtl.sdk.operators import where
from qmtl.sdk.panel import Panel
from qmtl.sdk.series import Series
from qmtl.sdk.stream import StreamInput
from qmtl.sdk.tag_query import TagQueryNode

Build = Callable[[], Any]


def btc(**settings: Any) -> StreamInput:
    return StreamInput("BTC", **({"interval": "1m"} | settings))


def eth() -> StreamInput:
    return StreamInput("ETH", interval="1m")


def spread(view: Any, *, k: float = 0.5) -> Any:
    return k * (view.a[-1] - view.b[-1])


def renamed(view: Any, *, k: float = 0.5) -> Any:
    """The same function under another name, with this docstring."""
    return k * (view.a[-1] - view.b[-1])


def other_default(view: Any, *, k: float = 0.25) -> Any:
    return k * (view.a[-1] - view.b[-1])


def other_body(view: Any, *, k: float = 0.5) -> Any:
    return k * (view.a[-1] + view.b[-1])


def scaled(by: float) -> Callable[..., Any]:
    def inner(view: Any) -> Any:
        return by * view.a[-1]

    return inner


def watermarked(view: Any, watermark: int, *, k: float = 0.5) -> Any:
    return k * (view.a[-1] - view.b[-1])


def two(view: Any) -> Any:
    return (view.a[-1], view.a[0])


def ab(**settings: Any) -> Node:
    return Node(spread, {"a": btc().close, "b": eth().close}, **settings)


def of(function: Callable[..., Any], params: dict[str, Any] | None = None, **settings: Any) -> Node:
    return Node(function, {"a": btc().close, "b": eth().close}, params, **settings)


def node_id(built: Any) -> str:
    lanes = built.lanes
    return (
        lanes.node_id
        if isinstance(lanes, ir.Node)
        else f"{lanes.node.node_id}.{lanes.node.outputs.index(lanes.column)}"
    )


SAME: dict[str, tuple[Build, Build]] = {
    "a stream declared twice": (btc, btc),
    "tags are labels": (btc, lambda: btc(tags=("spot", "crypto"))),
    "an interval written otherwise": (btc, lambda: btc(interval=60)),
    "a lateness of nothing": (btc, lambda: btc(lateness="0s")),
    "default settings said aloud": (btc, lambda: btc(on_late="recompute", allowed_lateness=None)),
    "a column by attribute and by name": (lambda: btc().close, lambda: btc()["close"]),
    "a parameter by position and by name": (lambda: btc().close.ema(12), lambda: btc().close.ema(n=12)),
    "a constant as int and as float": (lambda: btc().close * 2, lambda: btc().close * 2.0),
    "a default parameter said aloud": (ab, lambda: of(spread, {"k": 0.5})),
    "a renamed function with a docstring": (ab, lambda: of(renamed)),
    "another default made effective": (ab, lambda: of(other_default, {"k": 0.5})),
    "a renamed node": (ab, lambda: ab(label="my spread")),
    "a renamed output": (lambda: ab(outputs=("score",)), lambda: ab(outputs=("weight",))),
    "node and Node": (ab, lambda: node(spread)(a=btc().close, b=eth().close)),
    "a closure of an equal value": (
        lambda: Node(scaled(2.0), {"a": btc().close}),
        lambda: Node(scaled(1.0 + 1.0), {"a": btc().close}),
    ),
    "a window said aloud": (ab, lambda: Node(spread, {"a": btc().close.window(1), "b": eth().close})),
    "its own interval said aloud": (ab, lambda: ab(interval="1m")),
    "default closing said aloud": (
        ab,
        lambda: ab(on_missing="skip", all_idle="flush", coarse_frontier="structural"),
    ),
    "a query in another order": (
        lambda: TagQueryNode("spot AND crypto", interval="5m"),
        lambda: TagQueryNode("crypto and spot", interval="300s"),
    ),
    "a query as a list of tags": (
        lambda: TagQueryNode("spot AND crypto", interval="5m"),
        lambda: TagQueryNode(["crypto", "spot"], interval="5m"),
    ),
    "members of a panel in another order": (
        lambda: cross.mean(Panel({"a": btc().close, "b": eth().close})),
        lambda: cross.mean(Panel({"b": eth().close, "a": btc().close})),
    ),
}

DIFFERENT: dict[str, tuple[Build, Build]] = {
    "another stream": (btc, eth),
    "another interval": (btc, lambda: btc(interval="5m")),
    "bars and ticks": (btc, lambda: StreamInput("BTC", fields=btc().columns)),
    "another field schema": (btc, lambda: btc(fields=("close",))),
    "fields in another order": (lambda: btc(fields=("open", "close")), lambda: btc(fields=("close", "open"))),
    "another column": (lambda: btc().close.ema(12), lambda: btc().open.ema(12)),
    "another lateness": (btc, lambda: btc(lateness="1s")),
    "another on_late": (btc, lambda: btc(on_late="ignore")),
    "another allowed lateness": (btc, lambda: btc(allowed_lateness="1h")),
    "an allowed lateness of nothing": (btc, lambda: btc(allowed_lateness="0s")),
    "another idle timeout": (btc, lambda: btc(idle_timeout="1m")),
    "another future skew": (btc, lambda: btc(max_future_skew="1s")),
    "another identity of ticks": (
        lambda: StreamInput("BTC"),
        lambda: StreamInput("BTC", identity="event_ts"),
    ),
    "another parameter": (lambda: btc().close.ema(12), lambda: btc().close.ema(13)),
    "another operator": (lambda: btc().close.ema(12), lambda: btc().close.sma(12)),
    "order of inputs": (lambda: btc().close - eth().close, lambda: eth().close - btc().close),
    "order of inputs of a symmetric operator": (
        lambda: btc().close + eth().close,
        lambda: eth().close + btc().close,
    ),
    "side of a constant": (lambda: btc().close - 1.0, lambda: 1.0 - btc().close),
    "0.0 and -0.0": (lambda: btc().close + 0.0, lambda: btc().close + -0.0),
    "sides of a choice": (lambda: where(btc().close > 1, 1.0, 0.0), lambda: where(btc().close > 1, 0.0, 1.0)),
    "no other side": (lambda: where(btc().close > 1, 1.0, 0.0), lambda: where(btc().close > 1, 1.0)),
    "another output of one node": (lambda: btc().close.macd().macd, lambda: btc().close.macd().signal),
    "inputs of a function exchanged": (ab, lambda: Node(spread, {"a": eth().close, "b": btc().close})),
    "inputs of a function in another order": (ab, lambda: Node(spread, {"b": eth().close, "a": btc().close})),
    "an input of another name": (
        lambda: Node(scaled(2.0), {"a": btc().close}),
        lambda: Node(scaled(2.0), {"c": btc().close}),
    ),
    "a stream and a column": (
        lambda: Node(scaled(2.0), {"a": btc(fields=("close",))}),
        lambda: Node(scaled(2.0), {"a": btc(fields=("close",)).close}),
    ),
    "another window": (ab, lambda: Node(spread, {"a": btc().close.window(2), "b": eth().close})),
    "rows and time": (
        lambda: Node(scaled(2.0), {"a": btc().close.window(30)}),
        lambda: Node(scaled(2.0), {"a": btc().close.window("30m")}),
    ),
    "an input that may be missing": (
        ab,
        lambda: Node(spread, {"a": btc().close.window(1, required=False), "b": eth().close}),
    ),
    "an input that must be complete": (
        ab,
        lambda: Node(spread, {"a": btc().close.window(1, complete=True), "b": eth().close}),
    ),
    "another on_missing": (ab, lambda: ab(on_missing="fail")),
    "another all_idle": (ab, lambda: ab(all_idle="hold")),
    "another coarse_frontier": (ab, lambda: ab(coarse_frontier="strict")),
    "another interval of its own": (ab, lambda: ab(interval="5m")),
    "vectorized": (ab, lambda: ab(vectorized=True)),
    "with the watermark": (ab, lambda: of(watermarked)),
    "1 and 1.0 as a parameter": (lambda: of(spread, {"k": 1}), lambda: of(spread, {"k": 1.0})),
    "1 and True as a parameter": (lambda: of(spread, {"k": 1}), lambda: of(spread, {"k": True})),
    "0.0 and -0.0 as a parameter": (lambda: of(spread, {"k": 0.0}), lambda: of(spread, {"k": -0.0})),
    "another default": (ab, lambda: of(other_default)),
    "another body": (ab, lambda: of(other_body)),
    "a closure of another value": (
        lambda: Node(scaled(2.0), {"a": btc().close}),
        lambda: Node(scaled(3.0), {"a": btc().close}),
    ),
    "names of several outputs": (
        lambda: Node(two, {"a": btc().close}, outputs=("x", "y")).stream,
        lambda: Node(two, {"a": btc().close}, outputs=("y", "x")).stream,
    ),
    "another query": (
        lambda: TagQueryNode("spot AND crypto", interval="5m"),
        lambda: TagQueryNode("spot OR crypto", interval="5m"),
    ),
    "another match mode": (
        lambda: TagQueryNode(["a", "b"], interval="5m"),
        lambda: TagQueryNode(["a", "b"], interval="5m", match_mode="any"),
    ),
    "another interval of a query": (
        lambda: TagQueryNode("a", interval="5m"),
        lambda: TagQueryNode("a", interval="1m"),
    ),
    "another period of a query": (
        lambda: TagQueryNode("a", interval="5m"),
        lambda: TagQueryNode("a", interval="5m", period=2),
    ),
    "a pinned query": (
        lambda: TagQueryNode("a", interval="5m"),
        lambda: TagQueryNode("a", interval="5m", selection_mode="pinned", pinned_etag="e"),
    ),
    "another min_count": (
        lambda: cross.mean(TagQueryNode("a", interval="5m").close),
        lambda: cross.mean(TagQueryNode("a", interval="5m").close, min_count=2),
    ),
    "another cross-section": (
        lambda: cross.rank(TagQueryNode("a", interval="5m").close),
        lambda: cross.zscore(TagQueryNode("a", interval="5m").close),
    ),
    "other members of a panel": (
        lambda: cross.mean(Panel({"a": btc().close, "b": eth().close})),
        lambda: cross.mean(Panel({"a": btc().close})),
    ),
    "another lane": (
        lambda: cross.rank(TagQueryNode("a", interval="5m").close)["BTC"],
        lambda: cross.rank(TagQueryNode("a", interval="5m").close)["ETH"],
    ),
}


@pytest.mark.parametrize("case", SAME)
def test_same(case: str) -> None:
    one, other = SAME[case]
    assert node_id(one()) == node_id(other())


@pytest.mark.parametrize("case", DIFFERENT)
def test_different(case: str) -> None:
    one, other = DIFFERENT[case]
    assert node_id(one()) != node_id(other())


def test_building_in_another_order_gives_the_same_ids() -> None:
    def first() -> tuple[Series, Series]:
        fast = btc().close.ema(12)
        return fast, eth().close.sma(3) / fast

    def second() -> tuple[Series, Series]:
        slow = eth().close.sma(3)
        fast = btc().close.ema(12)
        return fast, slow / fast

    assert [one.node_id for one in first()] == [one.node_id for one in second()]
