"""E16: a queue joins a tag query at a recorded bucket and leaves at one."""

from __future__ import annotations

import pytest

from qmtl import Event, Runner, Strategy, TagQueryNode, UserError, cross

MINUTE = 60_000_000_000
FIELDS = ("open", "high", "low", "close", "volume")
Silent = frozenset[tuple[str, int]]
PRICES = {"A": 1.0, "B": 2.0, "C": 30.0}


class Mean(Strategy):
    """The mean of a moving average over all streams."""

    def define(self) -> None:
        everyone = TagQueryNode("interval=1m", interval="1m")
        self.output("mean", cross.mean(everyone.close.sma(3)))


def bars(count: int, silent: Silent = frozenset()) -> dict[str, list[Event]]:
    """Minutes 0 to `count`, without those of (stream, minute) in `silent`."""
    return {
        stream: [
            Event(stream, n * MINUTE, dict.fromkeys(FIELDS, price), interval="1m")
            for n in range(count)
            if (stream, n) not in silent
        ]
        for stream, price in PRICES.items()
    }


def at(minute: int) -> str:
    return f"1970-01-01T00:{minute:02d}Z"


def means(silent: Silent = frozenset(), *, finished: bool = True, **membership: object) -> dict[int, float]:
    """The mean of every minute that has one."""
    strategy = Mean()
    run = Runner.backtest(strategy, bars(8, silent), finished=finished, membership=membership)
    frame = run[strategy].frame("mean", kind="arrow").to_pydict()
    minutes = [int(each.timestamp()) // 60 for each in frame["bucket"]]
    values = next(value for name, value in frame.items() if name != "bucket")
    return {minute: value for minute, value in zip(minutes, values, strict=True) if value == value}


def test_a_member_counts_from_the_bucket_at_which_it_joins() -> None:
    found = means(C=(at(5), None))
    assert [found[n] for n in range(2, 8)] == [1.5, 1.5, 1.5, 11.0, 11.0, 11.0]


def test_its_earlier_history_fills_windows_only() -> None:
    """At minute 5 its average over minutes 3 to 5 is there at once."""
    assert means(C=(at(5), None))[5] == 11.0
    assert means(C=(at(0), None)) == means()


def test_a_member_leaves_at_a_bucket() -> None:
    found = means(C=(None, at(4)))
    assert [found[n] for n in range(2, 8)] == [11.0, 11.0, 1.5, 1.5, 1.5, 1.5]


def test_it_is_waited_for_from_its_join_on_only() -> None:
    """Without its bars the watermark stops at the bucket at which it joins."""
    silent = frozenset(("C", n) for n in range(3, 8))
    assert max(means(silent, finished=False)) == 2
    assert max(means(silent, finished=False, C=(at(5), None))) == 4


def test_a_member_that_has_left_is_not_waited_for() -> None:
    silent = frozenset(("C", n) for n in range(4, 8))
    assert max(means(silent, finished=False)) == 3
    assert max(means(silent, finished=False, C=(None, at(4)))) == 7


def test_ids_do_not_depend_on_membership() -> None:
    one, other = Mean(), Mean()
    always = Runner.backtest(one, bars(5))
    joined = Runner.backtest(other, bars(5), membership={"C": (at(1), None)})
    assert always.manifest["nodes"] == joined.manifest["nodes"]


def test_leaving_before_joining_is_refused() -> None:
    with pytest.raises(UserError, match="leaves before it joins"):
        means(C=(at(2), at(1)))
