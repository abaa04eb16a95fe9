"""Saved runs compared: what differs in data, code, runtime and options, and where results part first."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from qmtl import Costs, Event, Panel, Runner, Strategy, StreamInput, UserError, cross, node, where
from qmtl.runtime import saved
from qmtl.runtime.difference import Difference, compare
from qmtl.runtime.saved import SavedRun

COUNT = 2500
START = datetime(2022, 1, 3, tzinfo=UTC)


def bars(count: int = COUNT, seed: int = 1) -> pd.DataFrame:
    close = 100 * np.exp(np.random.default_rng(seed).normal(0, 1e-3, count).cumsum())
    made = {"time": pd.date_range(START, periods=count, freq="1min"), "close": close, "volume": 1.0}
    return pd.DataFrame(made | dict.fromkeys(("open", "high", "low"), close))


DATA = {"A": bars(), "B": bars(seed=2)}


def at(minute: int) -> str:
    return (START + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")


@node(outputs=("score",))
def score(view: Any, *, k: float) -> float:
    return float(k * (view.px[-1] / view.px.mean() - 1))


@node(outputs=("score",))
def other_score(view: Any, *, k: float) -> float:
    return float(k * (view.px[-1] - view.px.mean()))


class Base(Strategy):
    k: float = 2.0
    fast: int = 3

    def scored(self, px: Any) -> Any:
        return score(px=px, k=self.k)

    def define(self) -> None:
        a, b = StreamInput("A", interval="1m"), StreamInput("B", interval="1m")
        scored = self.scored(a.close.sma(self.fast).window(5))
        self.output("score", scored)
        self.output("smooth", scored.ema(4))
        self.output("rank", cross.rank(Panel({"a": a.close.returns(3), "b": b.close.returns(3)}))["b"])
        self.target(a, scored.clip(-1, 1))


class Recoded(Base):
    def scored(self, px: Any) -> Any:
        return other_score(px=px, k=self.k)


def keep(folder: Path, name: str, strategy: Strategy, data: Any = None, **options: Any) -> SavedRun:
    run = Runner.backtest(strategy, DATA if data is None else data, cache=False, **options)
    return SavedRun(run.save(folder / name))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> SavedRun:
    return keep(tmp_path_factory.mktemp("base"), "base", Base())


def own(found: Difference) -> dict[str, set[str]]:
    return {one.name: {each.what for each in one.own} for one in found.code if one.own}


def inherited(found: Difference) -> set[str]:
    return {one.name for one in found.code if not one.own}


def test_equal_runs_are_equal_in_everything(base: SavedRun, tmp_path: Path) -> None:
    found = compare(base, keep(tmp_path, "again", Base()))
    assert not found
    assert (
        found.results == found.divergences == found.data == found.code == found.runtime == found.options == ()
    )
    assert found.nodes == 9


def test_a_changed_function_is_told_from_what_reads_it(base: SavedRun, tmp_path: Path) -> None:
    found = compare(base, keep(tmp_path, "recoded", Recoded()))
    assert own(found) == {"other_score": {"code"}} and inherited(found) == {"ema", "clip"}
    assert [one.name for one in found.results] == ["output score", "output smooth", "target A", "equity"]
    (divergence,) = found.divergences
    values = (Runner.backtest(one(), DATA, cache=False)[0].frame("score")["score"] for one in (Base, Recoded))
    first, second = (one.dropna() for one in values)
    assert divergence.first.bucket == at(6) == first.index[0].isoformat().replace("+00:00", "Z")
    assert (divergence.first.one, divergence.first.other) == (
        repr(float(first.iloc[0])),
        repr(float(second.iloc[0])),
    )
    assert divergence.because[0].startswith("code: ")


def test_changed_parameters_and_windows(base: SavedRun, tmp_path: Path) -> None:
    found = compare(base, keep(tmp_path, "changed", Base(k=3.0, fast=4)))
    assert own(found) == {"sma": {"parameter n", "window of x"}, "score": {"parameter k"}}
    assert {one.what for one in found.options} == {"strategy", "parameter k", "parameter fast"}
    assert [one.first.name.split(" → ")[-1] for one in found.divergences] == ["px"], (
        "the average: first of all"
    )


def test_a_changed_bar_is_found_in_data_and_bucket(base: SavedRun, tmp_path: Path) -> None:
    changed = bars()
    changed.loc[2000, "close"] = 77.0
    found = compare(base, keep(tmp_path, "bar", Base(), {"A": changed, "B": DATA["B"]}))
    assert [one.what for one in found.data] == ["A 1m"] and not found.code
    (divergence,) = found.divergences
    assert (
        divergence.first.bucket == at(2000)
        and divergence.first.other == "77.0"
        and divergence.first.name.endswith(".close")
    )
    assert divergence.because == ("data of A 1m",)
    by_name = {one.name: one.bucket for one in found.results}
    assert by_name["output score"] == by_name["output smooth"] == at(2000)


def test_only_spans_that_differ_are_read(base: SavedRun, tmp_path: Path) -> None:
    changed = bars()
    changed.loc[2400, "close"] = 77.0
    other = keep(tmp_path, "bar", Base(), {"A": changed, "B": DATA["B"]})
    asked: list[tuple[int, int]] = []

    class Counting(SavedRun):
        def rows(self, series: str, output: str, start: int, stop: int) -> Any:
            asked.append((start, stop))
            return super().rows(series, output, start, stop)

    assert compare(Counting(base.path), other)
    minute = 60_000_000_000
    span = saved.SPAN * minute
    when = int(START.timestamp()) * 10**9 + 2400 * minute
    assert asked and all(low // span == when // span for low, _ in asked)


def test_arrivals_that_come_late_change_no_final_table(tmp_path: Path) -> None:
    class Average(Strategy):
        def define(self) -> None:
            self.output("average", StreamInput("A", interval="1m").close.sma(5))

    def events(late: int) -> list[Event]:
        made = []
        for minute in range(40):
            delay = late if minute % 10 == 3 else 0
            values = dict.fromkeys(("open", "high", "low", "close"), float(minute % 7)) | {"volume": 1.0}
            when = START + timedelta(minutes=minute)
            come = when + timedelta(minutes=1 + delay)
            made.append(Event("A", when, values, interval="1m", at=come))
        return sorted(made, key=lambda one: one.at)

    found = compare(*(keep(tmp_path, f"late{late}", Average(), events(late)) for late in (0, 4)))
    assert not found and [one.what for one in found.data] == ["A 1m"]


def test_a_value_withdrawn_and_one_that_never_was_are_the_same(tmp_path: Path) -> None:
    class Above(Strategy):
        def define(self) -> None:
            close = StreamInput("A", interval="1m").close
            self.output("above", where(close > 3, close))

    def event(minute: int, value: float) -> Event:
        values = dict.fromkeys(("open", "high", "low", "close"), value) | {"volume": 1.0}
        return Event("A", START + timedelta(minutes=minute), values, interval="1m")

    revised = [event(0, 5.0), event(1, 6.0), event(2, 7.0), event(1, 2.0)]
    once = [event(0, 5.0), event(1, 2.0), event(2, 7.0)]
    found = compare(*(keep(tmp_path, f"run{n}", Above(), events) for n, events in enumerate((revised, once))))
    assert not found and found.nodes == 3


def test_a_shorter_run_is_equal_where_both_have_results(base: SavedRun, tmp_path: Path) -> None:
    short = keep(tmp_path, "short", Base(), end=at(1500))
    found = compare(base, short)
    assert found and not found.results and not found.divergences and not found.same_range
    assert [one.what for one in found.options] == ["end"] and found.end == at(1500)
    assert [one.what for one in found.data] == [], "the same data were given"


def test_costs_change_the_account_alone(base: SavedRun, tmp_path: Path) -> None:
    found = compare(base, keep(tmp_path, "dear", Base(), costs=Costs(fee_bps=5)))
    assert [one.name for one in found.results] == ["equity"] and not found.divergences and not found.code
    assert [one.what for one in found.options] == ["costs"]


def test_another_runtime_is_named(base: SavedRun, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(base.path, other)
    text = (other / "run.json").read_text()
    document = json.loads(text)
    document["manifest"]["runtime"]["numpy"] = "1.0"
    (other / "run.json").write_text(json.dumps(document))
    found = compare(base, SavedRun(other))
    assert not found and [(one.what, one.other) for one in found.runtime] == [("numpy", "1.0")]


@node(outputs=("n",))
def counts(view: Any) -> float:
    kept = vars(counts)
    kept["n"] = kept.get("n", 0) + 1
    return float(kept["n"])


def test_what_nothing_explains_is_said(tmp_path: Path) -> None:
    class Impure(Strategy):
        def define(self) -> None:
            self.output("n", counts(px=StreamInput("A", interval="1m").close))

    found = compare(*(keep(tmp_path, name, Impure(), {"A": bars(50)}) for name in ("one", "two")))
    (divergence,) = found.divergences
    assert "it depends on more than its inputs" in divergence.because[0]
    assert (divergence.first.one, divergence.first.other) == ("1.0", "51.0")


def test_outputs_that_one_run_lacks(base: SavedRun, tmp_path: Path) -> None:
    class More(Base):
        def define(self) -> None:
            super().define()
            self.output("more", StreamInput("B", interval="1m").close.sma(2))

    found = compare(base, keep(tmp_path, "more", More()))
    assert found and [(one.what, one.one, one.other) for one in found.missing] == [
        ("output more", "", "there")
    ]
    assert not found.results


def test_without_tables_of_inner_nodes_the_span_is_known(
    tmp_path: Path, base: SavedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved, "LIMIT", 0)
    changed = bars()
    changed.loc[2000, "close"] = 77.0
    other = keep(tmp_path, "small", Base(), {"A": changed, "B": DATA["B"]})
    assert other.document["tables"] == "outputs"
    found = compare(base, other)
    first = found.divergences[0].first
    assert first.one == first.other == "" and first.bucket <= at(2000) < first.until
    assert found.results[0].bucket == at(2000), "tables of outputs are kept"


def test_the_commands(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "from qmtl import Strategy, StreamInput\n\n"
        "class Mean(Strategy):\n    n: int = 3\n\n    def define(self):\n"
        "        self.output('mean', StreamInput('A', interval='1m').close.sma(self.n))\n"
    )
    bars(60).to_csv(tmp_path / "a.csv", index=False)

    def qmtl(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "qmtl", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    for name, n in (("one", 3), ("two", 3), ("three", 4)):
        done = qmtl("run", "s.py", "--data", "A=a.csv", "--set", f"n={n}", "--save", name)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "one").is_dir() and not list(tmp_path.glob("*.part"))
    equal, different = qmtl("diff", "one", "two"), qmtl("diff", "one", "three")
    assert equal.returncode == 0 and equal.stdout.startswith("equal")
    assert different.returncode == 1 and "parameter n: 3 → 4" in different.stdout
    told = json.loads(qmtl("diff", "one", "three", "--json").stdout)
    assert told["equal"] is False and told["results"][0]["bucket"] == at(2)
    again = qmtl("run", "s.py", "--data", "A=a.csv", "--save", "one")
    assert again.returncode == 2 and "there is something already" in again.stderr
    assert qmtl("diff", "one", "nowhere").returncode == 2
    damaged = (tmp_path / "three" / "digests.parquet").read_bytes()
    (tmp_path / "three" / "digests.parquet").write_bytes(damaged[:-20])
    broken = qmtl("diff", "one", "three")
    assert broken.returncode == 2 and "damaged" in broken.stderr


def test_a_changed_leaf_is_not_believed(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    one = keep(tmp_path, "one", Base())
    two = keep(tmp_path, "two", Base(k=2.5))
    file = two.path / "digests.parquet"
    table = pq.read_table(file)
    starts = table["start"].to_pylist()
    changed = table.set_column(table.column_names.index("start"), "start", [[start + 1 for start in starts]])
    pq.write_table(changed, file)
    with pytest.raises(UserError, match="damaged"):
        compare(one, SavedRun(two.path))
