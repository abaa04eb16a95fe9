"""Arrivals for random cases: mostly in order, with everything that can go wrong with time mixed in."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any


@dataclass(frozen=True)
class Manner:
    """How arrivals misbehave."""

    clocked: bool  # they have processing times, and there are clock ticks
    finished: bool  # sources end
    repeats: float  # the chance that an arrival repeats, revises or moves an earlier one
    lowest: int  # of the values; the greatest is 9
    holes: float  # the chance that a bar is left out, perhaps to come later


class Feed:
    """Draws arrivals of some sources around a present that moves on."""

    def __init__(
        self, rng: Random, sources: list[dict[str, Any]], manner: Manner, start: int, speed: int
    ) -> None:
        """`speed`: by how much the present moves on between two arrivals, roughly."""
        self.rng, self.sources, self.manner, self.speed = rng, sources, manner, speed
        self.now = start
        self.clock = 0  # processing time
        self.next_bar = {
            one["name"]: start // (one["interval"] or 1) * (one["interval"] or 1) for one in sources
        }
        self.past: dict[str, list[dict[str, Any]]] = {one["name"]: [] for one in sources}
        self.skipped: dict[str, list[int]] = {one["name"]: [] for one in sources}
        self.numbered = {one["name"]: rng.random() < 0.3 for one in sources}

    def draw(self, source: dict[str, Any]) -> dict[str, Any]:
        """The next arrival of a source."""
        rng, name = self.rng, source["name"]
        self.now += rng.choice((0, 1, self.speed // 2, self.speed, self.speed, self.speed * 2))
        self.clock += rng.choice((0, 1, 2, 5, 9))
        if rng.random() < self.manner.repeats and self.past[name]:
            event = self._again(name)
        elif rng.random() < 0.03 and source["origin"] is not None:
            event = self._event(source, self._aligned(source, source["origin"] - rng.randint(1, 80)))
        elif source["interval"] is None:
            event = self._tick(source)
        else:
            event = self._bar(source)
        self.past[name].append(event)
        return event

    def _event(self, source: dict[str, Any], ts: int) -> dict[str, Any]:
        event: dict[str, Any] = {"source": source["name"], "event_ts": ts, "value": self._value()}
        if source["interval"] is None and source["identity"] == "event_id":
            event["event_id"] = f"e{self.rng.randrange(10_000):04d}"
        if self.numbered[source["name"]]:
            event["revision"] = self.rng.randint(1, 3)
        return event

    def _value(self) -> float:
        return float("nan") if self.rng.random() < 0.04 else float(self.rng.randint(self.manner.lowest, 9))

    def _aligned(self, source: dict[str, Any], ts: int) -> int:
        return ts // (source["interval"] or 1) * (source["interval"] or 1)

    def _again(self, name: str) -> dict[str, Any]:
        """An earlier event of the source: the same, revised, or (ticks with an id) moved."""
        past = self.past[name]
        event = dict(self.rng.choice(self.rng.choice((past[:5], past, past[-8:], past[-8:], past[-8:]))))
        event.pop("at", None)
        if self.rng.random() < 0.5:
            event["value"] = self._value()
        if "revision" in event:
            event["revision"] = max(1, event["revision"] + self.rng.choice((-1, 0, 1, 1)))
        if "event_id" in event and self.rng.random() < 0.2:
            event["event_ts"] += self.rng.choice((-20, -7, 7, 20))
        return event

    def _tick(self, source: dict[str, Any]) -> dict[str, Any]:
        ts = self.now + self.rng.randint(-3, 3)
        if self.rng.random() < 0.2:
            ts -= self.rng.choice((5, 17, 40, 90))
        return self._event(source, ts)

    def _bar(self, source: dict[str, Any]) -> dict[str, Any]:
        name, interval, rng = source["name"], source["interval"], self.rng
        if self.skipped[name] and rng.random() < 0.4:
            return self._event(source, self.skipped[name].pop(rng.randrange(len(self.skipped[name]))))
        while rng.random() < self.manner.holes:
            self.skipped[name].append(self.next_bar[name])
            self.next_bar[name] += interval
        bar = self.next_bar[name]
        self.next_bar[name] += interval
        self.now = max(self.now, bar)
        return self._event(source, bar)

    def choose(self) -> dict[str, Any]:
        """A source whose turn it is: bars that would run ahead of the present wait."""
        soon = self.now + self.speed
        ready = [one for one in self.sources if one["interval"] is None or self.next_bar[one["name"]] <= soon]
        return self.rng.choice(ready or self.sources)


def draw_arrivals(
    rng: Random, sources: list[dict[str, Any]], manner: Manner, *, start: int, speed: int, count: int
) -> list[dict[str, Any]]:
    """About `count` arrivals of `sources`, from about `start` on."""
    feed = Feed(rng, sources, manner, start, speed)
    arrivals: list[dict[str, Any]] = []
    while len(arrivals) < count and feed.sources:
        if manner.clocked and rng.random() < 0.2:
            feed.clock += rng.choice((1, 10, 25, 50))
            arrivals.append({"tick": feed.clock})
            if rng.random() < 0.5:
                feed.now += speed * rng.randint(1, 3)
            continue
        source = feed.choose()
        if manner.finished and rng.random() < 0.03:
            feed.sources = [one for one in feed.sources if one is not source]
            arrivals.append({"finished": source["name"]})
            continue
        event = feed.draw(source)
        arrivals.append(event | {"at": feed.clock} if manner.clocked else event)
    if manner.finished and rng.random() < 0.9:
        arrivals += [{"finished": one["name"]} for one in feed.sources]
    return arrivals
