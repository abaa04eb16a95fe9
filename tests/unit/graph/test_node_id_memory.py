"""Ids that are remembered by content are those computed anew, and what differs in an id is never taken for the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from qmtl.core.graph import ir, node_id
from qmtl.sdk.stream import StreamInput

ALIKE = [1, 1.0, True, "1", 0, 0.0, -0.0, False, None, "", float("nan"), (1,), (1.0,), (True,)]


def base(params: tuple[tuple[str, Any], ...] = ()) -> ir.Node:
    found = StreamInput("BTC", interval="1m").close.ema(12).lanes
    assert isinstance(found, ir.Column)
    return replace(found.node, params=params)


def anew(node: ir.Node, monkeypatch: pytest.MonkeyPatch) -> str:
    with monkeypatch.context() as inside:
        inside.setattr(node_id, "_known", {})
        return node_id.id_of(node)


def variants() -> list[ir.Node]:
    node = base((("span", 12),))
    edge, other = node.edges[0], StreamInput("ETH", interval="1m").close.lanes
    assert isinstance(other, ir.Column)
    edges = [
        replace(edge, node=other.node),
        replace(edge, columns=("open",)),
        replace(edge, window=ir.Window(rows=7)),
        replace(edge, window=ir.Window(rows=None, span_ns=7)),
        replace(edge, required=not edge.required),
        replace(edge, complete=not edge.complete),
        replace(edge, single=not edge.single),
    ]
    return [
        *(base((("span", value),)) for value in ALIKE),
        *(replace(node, edges=(one,)) for one in edges),
        replace(node, edges=(edge, edge)),
        replace(node, operator="sma"),
        replace(node, kind=ir.NodeKind.FUNCTION),
        replace(node, kind=ir.NodeKind.FUNCTION, vectorized=True),
        replace(node, kind=ir.NodeKind.FUNCTION, wants_watermark=True),
        replace(node, kind=ir.NodeKind.FUNCTION, code_hash="x"),
        replace(node, interval_ns=1),
        replace(node, outputs=("a", "b")),
        replace(node, stream="BTC"),
        replace(node, members=("BTC",)),
        replace(node, closing=ir.Closing(on_missing=ir.OnMissing.FAIL)),
    ]


def test_what_is_remembered_is_what_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    for node in variants():
        assert node_id.id_of(node) == node_id.id_of(node) == anew(node, monkeypatch)


def test_what_differs_in_its_id_is_remembered_apart() -> None:
    found = [node_id.id_of(node) for node in variants()]
    assert len(set(found)) == len(found)


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_id, "_known", {})
    monkeypatch.setattr(node_id, "_MOST", 3)
    for span in range(20):
        node_id.id_of(base((("span", span),)))
        assert len(node_id._known) <= 3
