"""`verify`: every rule is broken by some function and found; functions of their view alone are left in peace."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import impure_nodes as nodes
import numpy as np
import pandas as pd
import pytest

from qmtl import Catalog, Runner, Strategy, StreamInput, TagQueryNode, node
from qmtl.runtime.purity import Rule
from qmtl.runtime.verify import Verified

HERE = Path(__file__).parent


def bars(count: int = 400) -> pd.DataFrame:
    close = 100 * np.exp(np.random.default_rng(1).normal(0, 1e-3, count).cumsum())
    made = {
        "time": pd.date_range("2022-01-03", periods=count, freq="1min", tz="UTC"),
        "close": close,
        "volume": 1.0,
    }
    return pd.DataFrame(made | dict.fromkeys(("open", "high", "low"), close))


@pytest.fixture(scope="module")
def impure() -> Verified:
    return Runner.verify(nodes.Impure(), {"A": bars()}, buckets=30)


def found(verified: Verified, name: str) -> dict[Rule, str]:
    return {one.rule: one.seen for one in verified.findings if one.name == name}


BROKEN = {
    "clock": (Rule.PURE, "the clock (datetime.now at"),
    "clock_unused": (Rule.PURE, "the clock (datetime.now at"),
    "chance": (Rule.PURE, "chance (numpy.random, which all share)"),
    "unseeded": (Rule.REPEATS, "two calls with equal views gave"),
    "environment": (Rule.PURE, "the environment (os.environ.__getitem__ at"),
    "system": (Rule.PURE, "the system (os.getpid at"),
    "file": (Rule.PURE, "files (open"),
    "network": (Rule.PURE, "the network (socket."),
    "process": (Rule.PURE, "another process (subprocess.Popen"),
    "writes": (Rule.READS, "it writes its input px"),
    "hashed": (Rule.ALONE, "with the same view in a process of its own"),
    "zone": (Rule.ALONE, "with the same view in a process of its own"),
    "keeps_first": (Rule.ALONE, "in another order"),
    "counts": (Rule.REPEATS, "two calls with equal views gave"),
    "leaks": (Rule.CUT, "0.0 with its row alone"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_found(impure: Verified, name: str) -> None:
    rule, told = BROKEN[name]
    assert told in found(impure, name)[rule]


def test_each_of_them_has_a_finding_with_place_and_bucket(impure: Verified) -> None:
    assert not impure and {one.name for one in impure.findings} == set(BROKEN) == {
        n.name for n in impure.nodes
    }
    assert all(one.place.startswith(nodes.__file__) for one in impure.findings)
    assert {one.bucket for one in impure.findings} == {"2022-01-03T00:04:00Z"}, "the first that is warm"
    places = {one.name: one.seen for one in impure.findings if one.rule is Rule.PURE}
    assert "impure_nodes.py:" in places["clock"] and "impure_nodes.py:" in places["file"]
    assert impure.notes == ()


@pytest.mark.filterwarnings("ignore")
def test_functions_of_their_view_alone_are_left_in_peace() -> None:
    verified = Runner.verify(nodes.Pure(), {"A": bars()}, buckets=30)
    assert verified, str(verified)
    assert len(verified.nodes) == 10 and all(one.buckets >= 10 for one in verified.nodes)
    assert verified.notes == ()


def test_what_shows_only_later_is_found_by_running_again_and_cutting_otherwise() -> None:
    verified = Runner.verify(nodes.Later(), {"A": bars()}, buckets=0)
    assert "when it was repeated" in found(verified, "counts_later")[Rule.ALONE]
    assert "cut arrival by arrival" in found(verified, "leaks_later")[Rule.CUT]
    assert found(verified, "reads_it") == {}, "it only passes on what it is shown"
    assert verified.findings[0].name == "leaks_later" and verified.findings[0].bucket > "2022-01-03T01:40"


@node(outputs=("a",))
def late(view: Any) -> float:
    return float(view.px.mean())


class Long(Strategy):
    def define(self) -> None:
        coarse = StreamInput("A", interval="1m").resample("1h")
        self.output("late", late(px=coarse.close.window(50)))


def test_data_is_made_up_until_every_function_is_called() -> None:
    verified = Runner.verify(Long(), buckets=5)
    assert verified and verified.arrivals > 2000 and verified.nodes[0].buckets > 5


class Query(Strategy):
    def define(self) -> None:
        peers = TagQueryNode("spot AND asset in {BTC, ETH}", interval="5m")
        ticks = StreamInput("T", fields=("price", "amount"))
        self.output("late", late(px=peers.close.window(5)))
        self.output("chosen", peers.close.sma(3)["BTC"])
        self.output("ticks", late(px=ticks.price.window("5m"), interval="5m"))


def test_members_of_tag_queries_and_ticks_are_made_up() -> None:
    verified = Runner.verify(Query(), buckets=5)
    assert verified and [one.buckets > 5 for one in verified.nodes] == [True] * 5


def test_too_little_data_is_said() -> None:
    verified = Runner.verify(Long(), {"A": bars()}, buckets=5)
    assert verified.nodes[0].buckets == 0 and "was never called" in verified.notes[0]


def test_a_strategy_in_no_file_is_asked_in_this_process() -> None:
    @node(outputs=("a",))
    def counted(view: Any) -> float:
        kept = vars(counted)
        kept["n"] = kept.get("n", 0) + 1
        return float(kept["n"])

    class Local(Strategy):
        def define(self) -> None:
            px = StreamInput("A", interval="1m").close.window(3)
            self.output("counted", counted(px=px))
            self.output("late", late(px=px))

    verified = Runner.verify(Local(), {"A": bars(100)}, buckets=5)
    assert {one.name for one in verified.findings} == {"counted"}
    assert "all calls were in this process" in verified.notes[0]


def qmtl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "qmtl", "verify", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_command(tmp_path: Path) -> None:
    bars().to_csv(tmp_path / "a.csv", index=False)
    file = f"{HERE / 'impure_nodes.py'}:Later"
    done = qmtl(tmp_path, file, "--data", "A=a.csv")
    assert done.returncode == 1, done.stderr
    assert "found  leaks_later" in done.stdout and "ok  reads_it" in done.stdout
    assert "depends on the cut at 2022-01-03T" in done.stdout and "the data given" in done.stdout
    told = json.loads(qmtl(tmp_path, file, "--data", "A=a.csv", "--json").stdout)
    assert told["ok"] is False and {one["name"] for one in told["findings"]} == {
        "leaks_later",
        "counts_later",
    }
    pure = qmtl(tmp_path, f"{HERE / 'impure_nodes.py'}:Simple")
    assert pure.returncode == 0 and "made-up data" in pure.stdout and "found" not in pure.stdout
    assert "no such file" in qmtl(tmp_path, "nowhere.py").stderr


def test_a_catalog_serves_too(tmp_path: Path) -> None:
    bars(200).to_csv(tmp_path / "A-1m.csv", index=False)
    assert Runner.verify(nodes.Simple(), Catalog(str(tmp_path / "{id}-1m.csv")), buckets=5)
