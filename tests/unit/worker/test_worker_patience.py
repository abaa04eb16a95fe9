"""What is not there yet comes later: events of a feed, the answer to a takeover, records that a reader is not shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from qmtl.adapters.memory.log import MemoryLog
from qmtl.adapters.memory.member import MemoryMember
from qmtl.core.errors import Unavailable
from qmtl.core.flow.commit import Batch, Position, Slot, Taken, Topic
from qmtl.runtime.worker.feed import Feed
from qmtl.runtime.worker.reading import CommitLog, read_all
from qmtl.runtime.worker.worker import Worker

from unit.worker.test_worker import Laid, idle

SLOTS = 4


@pytest.fixture(scope="module")
def laid() -> Laid:
    return Laid(SLOTS)


class Hesitant(MemoryMember):
    """The first answer to the takeover of each slot does not arrive."""

    async def take(self, slot: Slot) -> Taken:
        first = slot not in self._epochs
        taken = await super().take(slot)
        if first:
            raise Unavailable(f"take {slot}: no answer")
        return taken


class HesitantLog(MemoryLog):
    async def member(self, name: str) -> MemoryMember:
        return Hesitant(self._store, self._group, name, self._cut)


class Away(HesitantLog):
    """Nobody can join at first."""

    calls = 0

    async def member(self, name: str) -> MemoryMember:
        self.calls += 1
        if self.calls < 4:
            raise Unavailable("no answer")
        return await super().member(name)


class Behind(MemoryLog):
    """Who reads is shown nothing at every other call, and a part of what there is at the others."""

    calls = 0

    async def read(self, topic: Topic, slot: Slot, start: Position, limit: int = 1000) -> Batch:
        self.calls += 1
        if self.calls % 2:
            return Batch((), start)
        return await super().read(topic, slot, start, min(limit, 3))


class Later(Feed):
    """Another feed's events, after so many questions that found nothing."""

    def __init__(self, feed: Feed, questions: int) -> None:
        self._feed, self._left = feed, questions

    def read(self, position: int | str) -> Any:
        if self._left:
            self._left -= 1
            return None, position
        return self._feed.read(position)


def run(
    log: Callable[..., MemoryLog], laid: Laid, feeds: Any, stops: list[Callable[[bool], bool]]
) -> CommitLog:
    """The commit log, as a reader finds it who is shown everything, after one worker after another."""

    async def main() -> CommitLog:
        opened = log(SLOTS, asyncio.get_running_loop().time, lease_seconds=30.0)
        for stop in stops:
            await Worker(opened, laid.spread, feeds, "patient", 0.01).run(stop)
        return await read_all(MemoryLog(SLOTS, lambda: 0.0, store=opened._store))

    return asyncio.run(main())


def rounds(count: int) -> Callable[[bool], bool]:
    left = [count]

    def stop(nothing: bool) -> bool:
        left[0] -= 1
        return left[0] == 0

    return stop


def test_a_feed_that_had_nothing_is_asked_again(laid: Laid) -> None:
    feeds = {key: Later(feed, 4) for key, feed in laid.feeds.items()}
    laid.check(run(MemoryLog, laid, feeds, [idle(20)]))


def test_a_takeover_without_an_answer_is_tried_again(laid: Laid) -> None:
    """No poll says again that the slot is this member's."""
    laid.check(run(HesitantLog, laid, laid.feeds, [idle(20)]))


def test_a_group_that_cannot_be_joined_is_asked_again(laid: Laid) -> None:
    laid.check(run(Away, laid, laid.feeds, [idle(20)]))


def test_who_waits_to_join_can_be_stopped(laid: Laid) -> None:
    assert run(Away, laid, laid.feeds, [rounds(1)]).results == 0


def test_a_replay_waits_for_what_a_reader_is_not_shown(laid: Laid) -> None:
    laid.check(run(Behind, laid, laid.feeds, [rounds(9), rounds(9), idle(20)]))
