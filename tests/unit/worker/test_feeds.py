"""What brings events in goes on from any position, and says what is wrong with what it is given (C7)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from qmtl import Event, StreamInput, UserError
from qmtl.core.flow.catalog import Reading, Stamp
from qmtl.core.graph.ir import Node
from qmtl.ports.records import Written
from qmtl.runtime.sources import load
from qmtl.runtime.sources_table import Wanted
from qmtl.runtime.worker.feed import Feed, Pace, Silence, TableFeed
from qmtl.runtime.worker.growing import GrowingFile, GrowingFolder
from qmtl.runtime.worker.messages import Clock, Events, Finished
from qmtl.runtime.worker.pushed import PushedFeed
from qmtl.runtime.worker.topic import TopicFeed

MINUTE = 60_000_000_000
BEGIN = 1_700_000_040  # s
HEAD = "ts,close\n"
NOW = 5_000


def line(minute: int, close: float) -> str:
    return f"{BEGIN + 60 * minute},{close}\n"


@pytest.fixture
def stream() -> tuple[Node, Wanted]:
    node = StreamInput("A", interval="1m", fields=("close",))._node()
    return node, Wanted("A", MINUTE, ("close",))


def rows(message: Any) -> list[tuple[int, float]]:
    """(minute, close) of each event."""
    assert isinstance(message, Events)
    minutes = (np.frombuffer(message.event_ns, np.int64) - BEGIN * 10**9) // MINUTE
    return list(zip(minutes.tolist(), np.frombuffer(message.values).tolist(), strict=True))


def all_of(feed: Feed, position: int | str = 0) -> tuple[list[tuple[int, float]], int | str]:
    """Everything that is there, and the position after it."""
    found: list[tuple[int, float]] = []
    while True:
        message, after = feed.read(position)
        if after == position:
            return found, position
        found += [] if message is None else rows(message)
        position = after


def growing(stream: tuple[Node, Wanted], path: Path, **more: Any) -> GrowingFile:
    return GrowingFile(*stream, path, more.pop("reading", Reading()), lambda: NOW, **more)


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_rows_are_read_as_they_are_added_and_only_when_their_line_has_ended(
    stream: tuple[Node, Wanted], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ts,cl")
    feed = growing(stream, path)
    assert feed.read(0) == (None, 0)
    path.write_text(HEAD + line(0, 1.0) + line(1, 2.0)[:-1])
    message, after = feed.read(0)
    assert rows(message) == [(0, 1.0)]
    assert np.frombuffer(message.available_ns, np.int64).tolist() == [NOW]  # type: ignore[union-attr]
    assert feed.read(after) == (None, after)
    add(path, "5\n" + line(2, 3.0))
    message, after = feed.read(after)
    assert rows(message) == [(1, 2.05), (2, 3.0)]
    assert growing(stream, path).read(after) == (None, after)


def test_a_row_that_comes_late_keeps_its_place(stream: tuple[Node, Wanted], tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEAD + line(5, 1.0) + line(2, 2.0) + line(6, 3.0))
    assert all_of(growing(stream, path))[0] == [(5, 1.0), (2, 2.0), (6, 3.0)]


@pytest.mark.parametrize("piece", [30, 64, 4096])
def test_however_it_is_cut_every_row_is_read_once(
    stream: tuple[Node, Wanted], tmp_path: Path, piece: int
) -> None:
    path = tmp_path / "a.csv"
    wanted = [(n, float(n)) for n in range(50)]
    path.write_text(HEAD + "".join(line(*one) for one in wanted))
    first, second = growing(stream, path, piece=piece), growing(stream, path, piece=4096)
    assert all_of(first)[0] == wanted
    _, middle = first.read(0)
    assert rows(first.read(0)[0]) + all_of(second, middle)[0] == wanted


def test_times_are_read_as_the_catalog_says(stream: tuple[Node, Wanted], tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ts,close,came\n" + line(1, 7.0)[:-1] + f",{BEGIN + 90}\n")
    reading = Reading(stamp=Stamp.CLOSE, columns={"at": "came"})
    message, _ = growing(stream, path, reading=reading).read(0)
    assert rows(message) == [(0, 7.0)]
    assert np.frombuffer(message.available_ns, np.int64).tolist() == [(BEGIN + 90) * 10**9]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + line(0, 1.0) + "x,y,z\n", "rows that cannot be read"),
        (HEAD + f"{BEGIN},high\n", "high"),
        (HEAD + f"{BEGIN + 1},1.0\n", "does not start at a multiple"),
        ("1,2\n" + line(0, 1.0), "no header"),
        ("ts,open\n" + line(0, 1.0), "close"),
    ],
)
def test_rows_that_are_none_are_told_with_their_place(
    stream: tuple[Node, Wanted], tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=said) as wrong:
        growing(stream, path).read(0)
    assert "a.csv" in str(wrong.value)


def test_a_file_that_became_shorter_is_refused(stream: tuple[Node, Wanted], tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEAD + line(0, 1.0) + line(1, 2.0))
    feed = growing(stream, path)
    after = all_of(feed)[1]
    path.write_text(HEAD + line(0, 1.0))
    with pytest.raises(UserError, match="shorter"):
        feed.read(after)


def test_a_row_that_never_ends_and_a_file_of_another_kind_are_refused(
    stream: tuple[Node, Wanted], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEAD + "1" * 100)
    with pytest.raises(UserError, match="does not end"):
        growing(stream, path, piece=50).read(0)
    with pytest.raises(UserError, match="only a CSV file"):
        growing(stream, tmp_path / "a.parquet")
    with pytest.raises(UserError, match="cannot be followed"):
        growing(stream, tmp_path / "b.csv").read(0)


def test_files_of_a_folder_follow_each_other_by_name(stream: tuple[Node, Wanted], tmp_path: Path) -> None:
    def put(name: str, *given: tuple[int, float]) -> None:
        (tmp_path / name).write_text(HEAD + "".join(line(*one) for one in given))

    feed = GrowingFolder(*stream, tmp_path, Reading(), lambda: NOW)
    assert feed.read(0) == (None, 0)
    put("2024-01.csv", (1, 1.0), (0, 2.0))
    put("_2024-02.csv", (2, 3.0))
    (tmp_path / "notes.md").write_text("nothing")
    found, after = all_of(feed)
    assert (found, after) == ([(1, 1.0), (0, 2.0)], "2024-01.csv:all")
    (tmp_path / "_2024-02.csv").rename(tmp_path / "2024-02.csv")
    put("2024-03.csv", (3, 4.0))
    other = GrowingFolder(*stream, tmp_path, Reading(), lambda: NOW)
    assert all_of(other, after) == ([(2, 3.0), (3, 4.0)], "2024-03.csv:all")


def test_a_file_of_a_folder_may_go_once_it_was_read_to_its_end_and_not_before(
    stream: tuple[Node, Wanted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qmtl.runtime.worker.growing.CHUNK", 2)
    wanted = [(n, float(n)) for n in range(3)]
    path = tmp_path / "1.csv"
    path.write_text(HEAD + "".join(line(*one) for one in wanted))
    (tmp_path / "2.csv").write_text(HEAD + line(3, 3.0))

    def feed() -> GrowingFolder:
        return GrowingFolder(*stream, tmp_path, Reading(), lambda: NOW)

    _, half = feed().read(0)
    message, whole = feed().read(half)
    assert (rows(message), half, whole) == (wanted[2:], "1.csv:2", "1.csv:all")
    path.unlink()
    with pytest.raises(UserError, match="gone that was not read to its end"):
        feed().read(half)
    assert all_of(feed(), whole) == ([(3, 3.0)], "2.csv:all")


class Listed:
    """A topic in memory; its positions have gaps."""

    place = "topic a"

    def __init__(self, *values: object) -> None:
        self.values = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in values]

    def read(self, start: int, limit: int) -> tuple[list[Written], int, bool]:
        found = [Written(3 * n, value) for n, value in enumerate(self.values) if 3 * n >= start][:limit]
        after = found[-1].position + 1 if found else start
        return found, after, after > 3 * (len(self.values) - 1)


def told(minute: int, close: Any) -> dict[str, Any]:
    return {"ts": BEGIN + 60 * minute, "close": close}


def test_records_of_a_topic_are_events_and_what_is_none_is_passed_over(
    stream: tuple[Node, Wanted], caplog: pytest.LogCaptureFixture
) -> None:
    records = Listed(told(0, 1.0), told(1, 2), b"{", told(2, "much"), [], {"ts": 1}, told(3, 4.5))
    feed = TopicFeed(*stream, records, Reading(), lambda: NOW)
    assert all_of(feed) == ([(0, 1.0), (1, 2.0), (3, 4.5)], 19)
    assert (feed.rejected, feed.caught_up) == (4, True)
    assert "topic a, record 6 is passed over" in caplog.text
    records.values.append(json.dumps(told(4, 5.0)).encode())
    assert all_of(feed, 19)[0] == [(4, 5.0)]
    assert all_of(TopicFeed(*stream, Listed(b"", told(1, None)), Reading(), lambda: NOW))[0][0][0] == 1


def event(minute: int, close: float, **more: Any) -> Event:
    start = (BEGIN + 60 * minute) * 10**9
    return Event("A", start, {"close": close}, interval="1m", **more)


def test_events_that_are_pushed_are_kept_until_they_are_committed(stream: tuple[Node, Wanted]) -> None:
    feed = PushedFeed(*stream, lambda: NOW, most=2)
    feed.push(1, event(0, 1.0))
    feed.push(2, event(1, 2.0))
    with pytest.raises(UserError, match="not committed"):
        feed.push(3, event(2, 3.0), timeout=0.01)
    message, after = feed.read(0)
    assert (rows(message), after) == ([(0, 1.0), (1, 2.0)], 2)
    assert rows(feed.read(0)[0]) == [(0, 1.0), (1, 2.0)]  # it was not committed
    waiting = Thread(target=feed.push, args=(3, event(2, 3.0)))
    waiting.start()
    feed.acknowledge(after)
    waiting.join(10.0)
    assert feed.acknowledged == 2 and feed.wait(2) and not feed.wait(3, 0.01)
    assert rows(feed.read(after)[0]) == [(2, 3.0)]


def test_events_that_were_committed_before_a_restart_are_passed_over(stream: tuple[Node, Wanted]) -> None:
    feed = PushedFeed(*stream, lambda: NOW)
    assert feed.read(7) == (None, 7)
    for number in range(1, 10):
        feed.push(number, event(number, float(number)))
    assert rows(feed.read(7)[0]) == [(8, 8.0), (9, 9.0)]


def test_events_that_are_none_are_refused_where_they_are_pushed(stream: tuple[Node, Wanted]) -> None:
    feed = PushedFeed(*stream, lambda: NOW)
    feed.push(1, event(0, 1.0))
    with pytest.raises(UserError, match="ascend"):
        feed.push(1, event(1, 1.0))
    with pytest.raises(UserError, match="another stream"):
        feed.push(2, Event("B", 0, {"close": 1.0}))
    with pytest.raises(UserError, match="close"):
        feed.push(2, Event("A", BEGIN * 10**9, {"open": 1.0}))
    assert rows(feed.read(0)[0]) == [(0, 1.0)]


@pytest.fixture
def table(stream: tuple[Node, Wanted]) -> Callable[..., TableFeed]:
    def make(**more: Any) -> TableFeed:
        arrivals = load([event(n, float(n), at=event(n + 1, 0.0).ts) for n in range(10)], [stream[1]])
        return TableFeed(stream[0], arrivals, **more)

    return make


def test_a_replay_goes_as_fast_as_it_is_told(table: Callable[..., TableFeed]) -> None:
    seconds = [100.0]
    feed = table(pace=Pace(60.0, lambda: seconds[0]))
    assert rows(feed.read(0)[0]) == [(0, 0.0)]
    assert feed.read(1) == (None, 1)
    seconds[0] += 3.0
    assert rows(feed.read(1)[0]) == [(1, 1.0), (2, 2.0), (3, 3.0)]
    seconds[0] += 100.0
    assert all_of_but_the_end(feed, 4) == [(n, float(n)) for n in range(4, 10)]


def test_a_replay_that_goes_on_begins_with_its_next_event(table: Callable[..., TableFeed]) -> None:
    feed = table(pace=Pace(1.0, lambda: 5.0))
    assert rows(feed.read(6)[0]) == [(6, 6.0)]
    assert feed.read(7) == (None, 7)


def all_of_but_the_end(feed: TableFeed, position: int | str) -> list[tuple[int, float]]:
    found: list[tuple[int, float]] = []
    while True:
        message, position = feed.read(position)
        if isinstance(message, Finished):
            return found
        found += rows(message)


def test_a_stream_is_told_of_the_time_once_in_every_silence() -> None:
    node = StreamInput("A", interval="1m", fields=("close",), idle_timeout="2m")._node()
    now = [0]
    silence = Silence(lambda: now[0])

    def after(minutes: float, came: bool = False, caught_up: bool = True) -> Clock | None:
        now[0] += int(minutes * MINUTE)
        return silence.of(node, came, caught_up)

    assert after(0) is None
    assert after(1.9) is None
    assert after(0.2) == Clock(node.node_id, int(2.1 * MINUTE))
    assert after(9) is None
    assert after(0, came=True) is None
    assert after(1, caught_up=False) is None
    assert after(1.5) is None
    assert after(0.5) == Clock(node.node_id, int(14.1 * MINUTE))
