"""The report: self-contained, well formed, everything escaped, small however long the run."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from qmtl.core.control.account import trade
from qmtl.core.control.portfolio import Costs, Decisions, TradedStream
from qmtl.runtime.report import Correction, DagNode, Output, ReportData, SharingRow, Source, render
from qmtl.runtime.report.dag import CROWDED, merged
from qmtl.runtime.report.dag_layout import arrange
from qmtl.runtime.report.scale import Axis, columns, extremes, time_ticks
from qmtl.runtime.report.signals import bands
from qmtl.runtime.report.text import compact, duration, percent

MIN = 60 * 10**9
START = int(np.datetime64("2022-01-01", "ns").astype(np.int64))
EVIL = '<script>alert("x")</script>&\'</style>'
VOID = {"meta", "br", "path", "rect"}


class Tags(HTMLParser):
    """Every element is closed, in order; attributes and inline data are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.data: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"] and data.startswith("{"):
            self.data.append(data)
        elif self.open[-1:] not in (["script"], ["style"]):
            self.text += data


def parsed(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    tags.close()
    assert tags.open == []
    return tags


def streams(bars: int, count: int, seed: int = 5) -> list[TradedStream]:
    random = np.random.default_rng(seed)
    ts = START + np.arange(bars) * MIN
    found = []
    for number in range(count):
        price = 100 * np.exp(np.cumsum(random.normal(0, 0.001, bars)))
        weight = np.where(random.random(bars) < 0.02, np.nan, np.sin(np.arange(bars) / (50 + number))) / count
        found.append(
            TradedStream(f"S{number}", MIN, ts, price, price * 1.0001, Decisions(ts, ts + MIN, weight))
        )
    return found


def report(bars: int = 500, count: int = 1, name: str = "Trend") -> ReportData:
    end = START + bars * MIN
    nodes = (
        DagNode("a" * 64, name, "bars", "1m", kind="bars"),
        DagNode("b" * 64, name, "ema", "1m", ("a" * 64,), shared_by=2, corrections=12),
        DagNode("c" * 64, name, name, "1m", ("b" * 64, "a" * 64), kind="function", roles=(f"target {name}",)),
    )
    ts = START + np.arange(bars) * MIN
    return ReportData(
        title=name, start_ns=START, end_ns=end, parameters={name: name},
        sources=(Source(name, "1m", bars, START, end, name, "0123456789abcdef" * 4),),
        account=trade(streams(bars, count), Costs(2, 1), START, end),
        outputs=(Output(name, ts, np.sin(ts / 1e12)), Output("empty", ts, np.full(bars, np.nan))),
        nodes=nodes, sharing=(SharingRow(name, 5, 4, 2, 4), SharingRow("Other", 5, 4, 2, 2)),
        counters={name: {"arrivals": 10, "used": 9, "duplicate": 1}},
        corrections=(Correction(name, START, 1, 1.5, None, name),), corrections_total=7,
        failures=(name,), notes=(name,), manifest={name: {name: [name, 1, None]}, "nodes": ["x"] * 1000},
    )  # fmt: skip


def test_it_asks_the_network_for_nothing() -> None:
    html = render(report())
    tags = parsed(html)
    assert "http:" not in html and "https:" not in html and "url(" not in html and "@import" not in html
    assert not {"link", "img", "iframe", "object"} & {tag for tag, _ in tags.seen}
    assert not any("src" in attrs or "href" in attrs for _, attrs in tags.seen)
    assert any("default-src 'none'" in (attrs.get("content") or "") for _, attrs in tags.seen)


def test_every_section_is_there_and_well_formed() -> None:
    tags = parsed(render(report()))
    for heading in (
        "Equity", "Drawdown", "Signals on price", "Monthly returns", "Outputs", "Graph", "Sharing", "Event time",
        "Corrections", "Data", "Conventions", "Manifest", "Notes",
    ):  # fmt: skip
        assert heading in tags.text
    assert all(json.loads(data)["lines"] for data in tags.data) and len(tags.data) >= 4


def test_names_are_escaped_everywhere() -> None:
    html = render(report(name=EVIL))
    assert "alert(" in html and EVIL not in html and "<script>alert" not in html
    tags = parsed(html)
    assert [tag for tag, _ in tags.seen].count("style") == 1
    assert EVIL in tags.text


def test_equal_data_gives_equal_bytes() -> None:
    assert render(report()) == render(report())


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 10, 30])
def test_a_month_of_minutes_stays_small(count: int) -> None:
    assert len(render(report(45_000, count)).encode()) < 2_000_000


def test_a_strategy_without_targets_still_has_a_report() -> None:
    tags = parsed(render(replace(report(), account=None)))
    assert "Total return" not in tags.text and "Graph" in tags.text


def test_a_run_without_anything_still_has_a_report() -> None:
    parsed(render(ReportData("Empty", START, START + MIN)))
    for market in ([], streams(0, 1), streams(1, 1)):
        account = trade(market, Costs(), START, START + MIN)
        assert "NaN" not in parsed(render(ReportData("Empty", START, START + MIN, account=account))).text


def test_counters_that_lost_an_arrival_are_shown() -> None:
    assert "✓" in parsed(render(report())).text
    lost = replace(report(), counters={"BTC": {"arrivals": 10, "used": 8}})
    assert "✗ +2" in parsed(render(lost)).text


def test_shared_and_corrected_nodes_are_marked() -> None:
    classes = [attrs.get("class") or "" for tag, attrs in parsed(render(report())).seen if tag == "g"]
    assert any("shared" in c and "corrected" in c for c in classes)
    plain = replace(report(), nodes=tuple(replace(n, shared_by=1, corrections=0) for n in report().nodes))
    assert not any("shared" in (a.get("class") or "") for t, a in parsed(render(plain)).seen if t == "g")


def test_layers_run_from_inputs_to_readers_with_way_points_between() -> None:
    layout = arrange({"a": (), "b": ("a",), "c": ("b", "a"), "d": ("c", "a", "elsewhere")})
    assert [[n for n in layer if isinstance(n, str)] for layer in layout.layers] == [
        ["a"],
        ["b"],
        ["c"],
        ["d"],
    ]
    assert len(layout.routes["a", "d"]) == 4 and len(layout.routes["a", "c"]) == 3
    assert ("elsewhere", "d") not in layout.routes and arrange({}).layers == []


def test_layers_are_sorted_so_that_edges_do_not_cross() -> None:
    layout = arrange({"a": (), "b": (), "y": ("b",), "x": ("a",), "z": ("x", "y")})
    first, second = layout.layers[0], layout.layers[1]
    assert (first.index("a") < first.index("b")) == (second.index("x") < second.index("y"))


def test_a_deep_graph_is_laid_out_without_recursion() -> None:
    assert len(arrange({str(i): ((str(i - 1),) if i else ()) for i in range(5000)}).layers) == 5000


def test_a_crowded_graph_is_drawn_by_kind() -> None:
    wide = [DagNode(f"s{i}", f"S{i}", "bars", "5m", kind="bars") for i in range(100)]
    wide += [DagNode(f"e{i}", "ema 12", "ema", "5m", (f"s{i}",), corrections=1) for i in range(100)]
    boxes = merged(wide)
    assert [(b.label, b.corrections) for b in boxes] == [("bars × 100", 0), ("ema × 100", 100)]
    assert boxes[1].inputs == ("s0",) and len(wide) > CROWDED
    assert "ema × 100" in parsed(render(replace(report(), nodes=tuple(wide)))).text


def test_fewer_points_draw_the_same_extremes() -> None:
    values = np.random.default_rng(0).normal(size=20_000)
    values[100:200] = np.nan
    column = columns(np.arange(20_000), 0, 20_000)
    kept = extremes(column, values)
    assert len(kept) <= 4000 and kept[0] == 0 and kept[-1] == 19_999
    for c in range(0, 1000, 37):
        mine, shown = values[column == c], values[kept][column[kept] == c]
        if np.isfinite(mine).any():
            assert (np.nanmin(mine), np.nanmax(mine)) == (np.nanmin(shown), np.nanmax(shown))


def test_bands_cover_what_is_held() -> None:
    weight = np.repeat([0.0, 1.0, -0.5, 0.0], 250)
    assert bands(np.arange(1000), weight) == [(250.0, 500.0, 1.0), (500.0, 750.0, -0.5)]
    assert bands(np.array([0, 999]), np.array([1.0, 1.0])) == [(0.0, 1000.0, 1.0)]


def test_ticks_are_round_and_inside() -> None:
    assert Axis(0.0, 1.0).ticks() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert Axis(0.9, 45.0, log=True).ticks() == pytest.approx([1, 2, 5, 10, 20])
    for days in (0.001, 0.02, 0.3, 1, 9, 60, 400, 4000):
        ticks = time_ticks(START, START + int(days * 86_400e9))
        assert 1 <= len(ticks) <= 16 and all(START <= t <= START + days * 86_400e9 for t, _ in ticks)
    assert [label for _, label in time_ticks(START, START + 3 * 86_400 * 10**9)][:3] == [
        "1 Jan",
        "12:00",
        "2 Jan",
    ]


def test_text() -> None:
    assert re.sub(r"\s", " ", percent(-0.1234, plus=True)) == "−12.3 %"
    assert percent(float("nan")) == "–" and percent(-0.00001)[:3] == "0.0"
    assert [compact(v) for v in (46319.0, 0.00012346, 0.0, 1.5e-9, -2.5, 999999.6)] == [
        "46,319", "0.00012346", "0", "1.5e−09", "−2.5", "1,000,000"
    ]  # fmt: skip
    assert duration(90 * MIN).replace("\u202f", " ") == "1 h 30 min"
