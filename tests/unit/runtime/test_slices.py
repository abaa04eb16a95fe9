"""The slice cache (R6, R3): what is kept, what is believed, and what a changed node costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from qmtl import StreamInput, node
from qmtl.adapters.memory.blobs import MemoryBlobs
from qmtl.core.flow.reuse import Slice
from qmtl.runtime.slices import DISOWNED, FOLDER, Actions, SliceCache, What, decoded, encoded

from unit.flow.sdk import backtest, bar

MINUTES = 200
SPAN = 32
SLICES = -(-MINUTES // SPAN)


@node
def scaled(view, *, k: float):
    return float(view.x[-1] * k + view.x.sum())


def outputs(inner: float = 1.0) -> dict[str, Any]:
    x = StreamInput("A", interval="1m", fields=("value",)).value
    first, beside = scaled(x=x.window(3), k=inner), scaled(x=x.window(4), k=5.0)
    return {
        "first": first,
        "second": scaled(x=first.window(2), k=2.0),
        "third": scaled(x=(first - x).window(5), k=3.0),
        "beside": beside,
    }


def given(minutes: int = MINUTES) -> list[Any]:
    return [bar(60 * n, 100.0 + n % 17) for n in range(minutes)]


class Local:
    """A runtime by name."""

    def __init__(self, name: str = "here", strict: bool = False, tolerance: float = 1e-9) -> None:
        self._name, self._strict, self._tolerance = name, strict, tolerance

    def scope(self, node: Any) -> str:
        return self._name

    def strict(self, node: Any) -> bool:
        return self._strict

    def tolerance(self, node: Any) -> float:
        return self._tolerance


def opened(store: Any, runtime: Local | None = None, **options: Any) -> SliceCache:
    ticks: Iterator[float] = (float(n) for n in range(10**9))
    settings = {"check": 0.0, "cheap": 0.0, "span": SPAN} | options
    return SliceCache(store, runtime or Local(), watch=lambda: next(ticks), **settings)


def run(store: Any, runtime: Local | None = None, inner: float = 1.0, minutes: int = MINUTES, **options: Any):
    cache = opened(store, runtime, **options)
    made = backtest(lambda: outputs(inner), given(minutes), cache=cache)
    return made, cache


def values(made: Any) -> dict[str, list[str]]:
    return {
        name: list(map(repr, made.frame(name, kind="arrow").columns[1].to_pylist())) for name in outputs()
    }


@pytest.fixture
def filled() -> MemoryBlobs:
    store = MemoryBlobs()
    _, cache = run(store)
    assert cache.counts.stored == cache.counts.computed == 4 * SLICES
    return store


def test_the_same_again_is_all_known(filled: MemoryBlobs) -> None:
    made, cache = run(filled)
    assert (cache.counts.reused, cache.counts.computed) == (4 * SLICES, 0)
    assert cache.counts.hit_ratio == 1.0
    assert values(made) == values(backtest(outputs, given(), cache=False))


def test_a_changed_inner_node_recomputes_itself_and_what_depends_on_it(filled: MemoryBlobs) -> None:
    made, cache = run(filled, inner=1.5)
    computed = {one for one, events in cache.by_node().items() if {e.what for e in events} == {What.COMPUTED}}
    reused = {one for one, events in cache.by_node().items() if {e.what for e in events} == {What.REUSED}}
    of = {name: made.find(name).node.node_id for name in outputs()}
    assert computed == {of["first"], of["second"], of["third"]}
    assert reused == {of["beside"]}
    assert values(made) == values(backtest(lambda: outputs(1.5), given(), cache=False))


def test_a_longer_run_computes_what_is_new(filled: MemoryBlobs) -> None:
    made, cache = run(filled, minutes=MINUTES + SPAN)
    assert (
        cache.counts.reused == 4 * SLICES
    )  # the last one, cut by the end of the run, is a part of a longer one
    assert cache.counts.computed == 4 * 2
    assert len(values(made)["first"]) == MINUTES + SPAN


def test_what_is_cheap_is_computed_again() -> None:
    store = MemoryBlobs()
    _, cache = run(store, cheap=1e9)
    assert cache.counts.cheaper == 4 * SLICES
    assert not store.blobs
    assert {event.what for event in cache.events} == {What.CHEAPER}
    assert cache.counts.hit_ratio == 1.0  # of what is worth keeping


@pytest.mark.parametrize("said", ["auto", "always", "never"])
def test_an_author_may_say_what_is_kept(said: str) -> None:
    """Beyond any cost: all, or none; the node is the same node."""
    asked = node(cache=said)(scaled.function)

    def made() -> dict[str, Any]:
        x = StreamInput("A", interval="1m", fields=("value",)).value
        return {"out": asked(x=x.window(3), k=2.0)}

    store = MemoryBlobs()
    for first in (True, False):
        cache = opened(store, cheap=0.0 if said == "never" else 1e9)
        backtest(made, given(), cache=cache)
        known = not first and said == "always"
        assert cache.counts.reused == (SLICES if known else 0)
        assert cache.counts.stored == (SLICES if first and said == "always" else 0)
        what = {"auto": What.CHEAPER, "never": What.UNKEPT, "always": What.REUSED if known else What.COMPUTED}
        assert {event.what for event in cache.events} == {what[said]}


def test_a_pack_without_its_record_is_not_there(filled: MemoryBlobs) -> None:
    filled.records.clear()
    _, cache = run(filled)
    assert cache.counts.reused == 0
    assert cache.counts.stored == 4 * SLICES


def test_a_record_without_its_pack_answers_nothing(filled: MemoryBlobs) -> None:
    filled.blobs.clear()
    made, cache = run(filled)
    assert cache.counts.dangling > 0
    assert cache.counts.computed == 4 * SLICES
    assert values(made) == values(backtest(outputs, given(), cache=False))
    assert run(filled)[1].counts.computed == 0


def test_a_flipped_bit_is_never_believed_and_repaired(filled: MemoryBlobs) -> None:
    for digest, content in filled.blobs.items():
        filled.blobs[digest] = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
    made, cache = run(filled)
    assert cache.counts.corrupt > 0
    assert values(made) == values(backtest(outputs, given(), cache=False))
    assert run(filled)[1].counts.computed == 0


def test_an_unreadable_record_counts_as_none(filled: MemoryBlobs) -> None:
    name = filled.list_records(FOLDER)[0]
    filled.records[name] = filled.records[name][:50]
    assert run(filled)[1].counts.corrupt == 1


def forge(store: MemoryBlobs) -> None:
    """Every slice as somebody might have written it: with digests that are right, and another first value."""
    for name in store.list_records(FOLDER):
        actions = msgspec.msgpack.decode(store.get_record(name), type=Actions)
        store.delete_record(name)
        pack, forged = store.blobs.pop(actions.pack), []
        for action in actions.slices:
            known = decoded(pack[action.at : action.at + action.size], ("value",), action.rows)
            values = known.values.copy()
            values[-1] += 1.0
            forged.append(bytes(encoded(Slice(known.status, values), ("value",))))
        digest = store.put(forged)
        store.set_record(f"{FOLDER}{digest}/forged", msgspec.msgpack.encode(Actions(digest, actions.slices)))


def test_hits_are_checked_and_a_difference_is_told(filled: MemoryBlobs) -> None:
    assert run(filled, check=1.0)[1].counts.checked == 4 * SLICES
    forge(filled)
    made, cache = run(filled, check=1.0)
    assert cache.counts.differs == 4 * SLICES
    assert values(made) == values(backtest(outputs, given(), cache=False))
    assert any("differ" in note for note in made.notes)
    assert run(filled, check=1.0)[1].counts.differs == 0  # what was computed has taken their place


def test_results_can_be_disowned(filled: MemoryBlobs) -> None:
    made, _ = run(filled)
    filled.set_record(f"{DISOWNED}{made.find('second').node.node_id}", b"1")
    _, cache = run(filled)
    assert (cache.counts.computed, cache.counts.reused) == (SLICES, 3 * SLICES)
    assert run(filled)[1].counts.computed == 0


def test_a_strict_node_refuses_what_another_runtime_computed(filled: MemoryBlobs) -> None:
    _, cache = run(filled, Local("there", strict=True))
    assert (cache.counts.reused, cache.counts.computed) == (0, 4 * SLICES)
    assert run(filled)[1].counts.computed == 0  # both are kept beside each other


def test_a_loose_node_takes_it_once_a_sample_agrees(filled: MemoryBlobs) -> None:
    _, cache = run(filled, Local("there"))
    assert (cache.counts.checked, cache.counts.across) == (4, 4 * (SLICES - 1))
    assert {event.what for event in cache.events} == {What.CHECKED, What.ACROSS}


def test_a_loose_node_does_not_take_what_disagrees(filled: MemoryBlobs) -> None:
    forge(filled)
    made, cache = run(filled, Local("there"))
    assert (cache.counts.differs, cache.counts.computed, cache.counts.across) == (4, 4 * (SLICES - 1), 0)
    assert any("differ" in note for note in made.notes)
    assert values(made) == values(backtest(outputs, given(), cache=False))


def test_runtimes_that_agree_to_the_bit_keep_what_each_computed(filled: MemoryBlobs) -> None:
    """Their packs are one blob; a record of the one must not take the place of the other's."""
    run(filled, Local("there", strict=True))
    for name in ("here", "there"):
        _, cache = run(filled, Local(name, strict=True))
        assert (cache.counts.reused, cache.counts.computed) == (4 * SLICES, 0)


def test_two_runs_with_equal_slices_meet_though_they_begin_elsewhere(filled: MemoryBlobs) -> None:
    """From the fixed boundary after what the windows hold on, all is known."""
    cache = opened(filled)
    backtest(outputs, given()[SPAN:], cache=cache)
    assert cache.counts.reused >= 4 * (SLICES - 3)
