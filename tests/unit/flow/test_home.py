"""A node's home depends on what it is computed from alone (ARCHITECTURE, *Ownership*)."""

from __future__ import annotations

from typing import Any

import pytest

from qmtl import Panel, Strategy, StreamInput, TagQueryNode, cross
from qmtl.core.flow.home import CLUSTER, EMBEDDED, home, origins, partition_key
from qmtl.core.graph.expand import expand
from qmtl.core.graph.ir import Node
from qmtl.sdk.strategy import build


class Mixed(Strategy):
    def define(self) -> None:
        a, b = (StreamInput(name, interval="1m").close for name in ("A", "B"))
        self.output("a", a.sma(3))
        self.output("a deep", a.sma(3).ema(5).zscore(60))
        self.output("b", b.sma(3))
        self.output("a and b", a.ema(3) - b.ema(3))
        self.output("b and a", (b / a).sma(9))
        peers = TagQueryNode("crypto", interval="1m")
        self.output("peers", cross.mean(peers.close.returns(3)))
        self.output("with a", cross.mean(peers.close) - a)
        self.output("explicit", cross.mean(Panel({"A": a, "B": b})))


def nodes(*members: str) -> dict[str, Node]:
    (graph,) = expand([build(Mixed())], lambda query: [(name, {"crypto"}) for name in members])
    return {name: column.node for name, column in graph.outputs.items()}


def test_what_comes_from_the_same_streams_lives_together() -> None:
    found = nodes("A", "B", "C")
    for slots in (EMBEDDED, CLUSTER):
        at = {name: home(node, slots) for name, node in found.items()}
        assert at["a"] == at["a deep"]
        assert at["a and b"] == at["b and a"] == at["explicit"]
        assert all(0 <= slot < slots for slot in at.values())
    assert len(origins(found["a and b"])) == 2
    assert origins(found["a"]) != origins(found["b"])


def test_what_reads_a_tag_query_stays_when_its_members_change() -> None:
    before, after = nodes("A", "B"), nodes("A", "B", "C", "D")
    for name in ("peers", "with a"):
        assert origins(before[name]) == origins(after[name])
        assert home(before[name], CLUSTER) == home(after[name], CLUSTER)
    assert origins(before["peers"])[0].startswith("query ")
    assert set(origins(before["with a"])) == {*origins(before["peers"]), *origins(before["a"])}


def test_homes_spread_over_the_slots() -> None:
    taken = set()
    for number in range(400):
        taken.add(home(_stream(f"S{number}"), CLUSTER))
    assert taken == set(range(CLUSTER))


def test_history_is_computed_by_spans() -> None:
    node = nodes("A")["a"]
    assert partition_key(node, 8, None, 10**18) == (home(node, 8), 0)
    assert partition_key(node, 8, 100, 250) == (home(node, 8), 2)
    assert partition_key(node, 8, 100, -1) == (home(node, 8), -1)


def test_a_log_without_slots_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        home(_stream("A"), 0)


def _stream(name: str) -> Any:
    class One(Strategy):
        def define(self) -> None:
            self.output("out", StreamInput(name, interval="1m").close)

    (graph,) = expand([build(One())], lambda query: [])
    return graph.outputs["out"].node
