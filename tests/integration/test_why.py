"""`why`: what a value was made of is what the node was shown, down to the bars, with what corrected it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from qmtl import Event, Panel, Runner, Strategy, StreamInput, UserError, cross, node, where
from qmtl.core.flow.digest import named
from qmtl.core.flow.windows import shown_at
from qmtl.runtime.derivation import Derivation, Window

START = datetime(2022, 1, 3, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@node(outputs=("score",))
def damp(view: Any, *, k: float = 2.0) -> float:
    return float(k * (view.px[-1] / view.px.mean() - 1))


@node(outputs=("mixed",))
def mixed(view: Any) -> Any:
    return view.fine[-1] - view.coarse[-1] if view.fine[-1] > 95 else None


@node(outputs=("broken",))
def broken(view: Any) -> float:
    if view.px[-1] < 99:
        raise ValueError("too low")
    return float(view.px[-1])


class Several(Strategy):
    def define(self) -> None:
        a, b = StreamInput("A", interval="1m"), StreamInput("B", interval="1m")
        a5 = a.resample("5m")
        self.output("average", a.close.sma(3))
        self.output("score", damp(px=a.close.window(4)))
        self.output("mixed", mixed(fine=a.close.window(3), coarse=a5.close.window(2)))
        self.output("broken", broken(px=a.close))
        self.output("coarse", a5.close.ema(2))
        self.output("only", where(a.close > b.close, a.close))
        ranks = cross.rank(Panel({"a": a.close, "b": b.close}))
        self.output("rank", ranks["a"])
        self.target(a, ranks["a"])


def bar(stream: str, minute: int, value: float, at: int) -> Event:
    values = dict.fromkeys(("open", "high", "low", "close"), value) | {"volume": 1.0}
    return Event(stream, START + minute * MINUTE, values, interval="1m", at=START + (at + 1) * MINUTE)


def events() -> list[Event]:
    """Twenty minutes; A has no bar at minute 9, its bar of minute 6 comes five minutes late."""
    close = 100 + np.random.default_rng(3).normal(0, 1, 40).cumsum()
    made = []
    for minute in range(20):
        late = 5 if minute == 6 else 0
        if minute != 9:
            made.append((minute + late, bar("A", minute, float(close[minute]), minute + late)))
        made.append((minute, bar("B", minute, float(close[20 + minute]), minute)))
    return [event for _, event in sorted(made, key=lambda one: one[0])]


@pytest.fixture(scope="module")
def result() -> Any:
    return Runner.backtest(Several(), events(), cache=False, record_inputs=[])[0]


def at(minute: int) -> str:
    return (START + minute * MINUTE).isoformat()


def the(found: Derivation, name: str) -> Window:
    return next(window for window in found.inputs if window.name == name)


def test_a_window_is_shown_with_the_digest_of_exactly_its_values(result: Any) -> None:
    found = result.why("score", at(15))
    bars = result.frame(found.inputs[0].of.node)["close"]
    shown = bars[bars.index <= pd.Timestamp(at(15))].iloc[-4:]
    window = the(found, "px")
    assert (window.rows, window.values["close"]) == (4, shown.tolist())
    times = shown.index.as_unit("ns").asi8
    assert window.digest == named([times.tobytes(), shown.to_numpy().tobytes()])
    assert found.value == {"score": 2.0 * (shown.iloc[-1] / shown.mean() - 1)}
    assert found.code["place"].startswith(__file__) and found.params == {"k": 2.0}


def test_every_window_of_authors_nodes_is_what_they_were_shown() -> None:
    """The latest call for each bucket, corrections included, against the windows found again."""
    outputs = ("score", "mixed")
    declared = Runner.backtest(Several(), events(), cache=False)[0]
    asked = [declared.find(name).node.node_id for name in outputs]
    result = Runner.backtest(Several(), events(), cache=False, record_inputs=asked)[0]
    compared = 0
    for name in outputs:
        group, lane = result.place(result.find(name).node)
        flow = result._executed.engine.flow
        latest = {bucket: shown for bucket, _, shown, _ in flow.log.inputs[group.index, lane] if shown}
        for bucket, shown in latest.items():
            again = shown_at(group, lane, bucket, flow.ticks)
            for one, other in zip(shown, again, strict=True):
                assert np.array_equal(one.times, other.times)
                assert np.array_equal(one.values, other.values, equal_nan=True)
                compared += 1
    assert compared > 30


def test_it_goes_down_to_the_bar_and_its_arrival(result: Any) -> None:
    found = result.why("average", at(6))
    leaf = the(found, "x").of
    assert leaf is not None and leaf.label == "A" and not leaf.inputs
    (arrived,) = leaf.arrived
    assert arrived.event == "2022-01-03T00:06:00Z" and arrived.at == "2022-01-03T00:12:00Z"
    assert arrived.place == "data" and arrived.row == 10, "the tenth bar of A to come"


def test_a_correction_names_the_arrival_that_made_it(result: Any) -> None:
    found = result.why("average", at(7))
    (correction,) = found.corrections
    assert found.version == correction.version == 1
    assert "A 1m of 2022-01-03T00:06:00Z" in correction.cause
    first = result.frame("average", version="first")["value"]
    final = result.frame("average")["value"]
    when = pd.Timestamp(at(7))
    assert correction.retract == (first[when],) and correction.upsert == (final[when],)
    assert result.why("average", at(5)).corrections == ()


def test_no_value_says_why(result: Any) -> None:
    warm = result.why("score", at(1))
    assert (warm.status, warm.version) == ("warm-up", None)
    assert "px has 2 of 4 rows; its first value is at 2022-01-03T00:03:00Z" in warm.why
    gap = result.why("score", at(9))
    assert (gap.status, gap.why, gap.version) == ("gap", "no value of px", 0)
    missing = the(gap, "px").of
    assert missing is not None and (missing.status, missing.why) == ("absent", "no bar came")
    assert result.why("rank", at(9)).why == "no value of a"
    assert any(result.why("only", at(m)).why == "the operator gives no value" for m in range(20))


def test_a_bucket_that_is_still_open_says_so() -> None:
    result = Runner.backtest(Several(), events(), cache=False, finished=False, end=at(40))[0]
    still = result.why("average", at(30))
    assert (still.status, still.version) == ("open", None)
    assert still.why == "its inputs are not complete up to 2022-01-03T00:31:00Z"


def test_an_author_who_answers_none_and_one_who_raises(result: Any) -> None:
    whys = {result.why("mixed", at(minute)).why for minute in range(12, 20)}
    assert whys <= {"", "the function answered None"}
    states = [result.why("broken", at(minute)) for minute in range(20)]
    failed = [one for one in states if one.status == "failed"]
    assert len(failed) == 1 and "halted at" in failed[0].why and "ValueError: too low" in failed[0].why
    assert states[-1].status == "halted" and states[-1].version is None


def test_depth_and_what_was_shown_above(result: Any) -> None:
    shallow = result.why("only", at(15), depth=0)
    below = [window.of for window in shallow.inputs if window.of is not None]
    assert [one.cut for one in below if one.label != "A"] == ["depth"]
    deep = json.dumps(result.why("only", at(15)).document())
    assert '"cut": "depth"' not in deep


def test_a_known_result_says_so(tmp_path: Path) -> None:
    given = {"A": bars(3000), "B": bars(3000)}
    for how in ("computed", "reused"):
        run = Runner.backtest(Several(), given, cache=str(tmp_path / "cache"))
        found = run[0].why("score", at(100))
        assert found.how == how and found.slice in {event.key for event in run.reuse.events}


def bars(count: int) -> pd.DataFrame:
    close = 100 + np.random.default_rng(1).normal(0, 0.01, count).cumsum()
    made = {"time": pd.date_range(START, periods=count, freq="1min"), "close": close, "volume": 1.0}
    return pd.DataFrame(made | dict.fromkeys(("open", "high", "low"), close))


@pytest.mark.parametrize(
    ("name", "when", "told"),
    [
        ("scroe", at(3), "did you mean 'score'"),
        ("score", at(60), "the run goes from 2022-01-03T00:00:00Z to"),
        ("score", "yesterday", "bucket is not a time"),
    ],
)
def test_a_mistake_is_answered_with_the_cure(result: Any, name: str, when: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        result.why(name, when)


STRATEGY = """
from qmtl import Strategy, StreamInput, node

@node(outputs=("score",))
def damp(view, *, k: float):
    return k * view.px.mean()

class Damped(Strategy):
    def define(self):
        self.output("score", damp(px=StreamInput("A", interval="1m").close.window(9), k=0.5))
"""


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "damped.py").write_text(STRATEGY)
    bars(50).to_csv(tmp_path / "a.csv", index=False)

    def qmtl(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "qmtl", "why", "damped.py", "score", *more, "--data", "A=a.csv"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    tree = qmtl("2022-01-03 00:20")
    assert tree.returncode == 0, tree.stderr
    found = json.loads(qmtl("2022-01-03 00:20", "--json").stdout)
    assert found["status"] == "value" and found["runtime"]["python"]
    assert repr(found["value"]["score"]) in tree.stdout
    assert "damped.py:4" in tree.stdout and "a.csv row 21" in tree.stdout and "…" in tree.stdout
    assert found["inputs"][0]["digest"][:16] in tree.stdout
    wrong = qmtl("2023-01-03")
    assert wrong.returncode == 2 and wrong.stderr.startswith("error: BUCKET: the bucket lies outside")
