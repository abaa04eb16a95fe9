"""Slots are shared fairly, few move, and everybody finds the same sharing."""

from __future__ import annotations

from collections import Counter
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.flow.balance import MemberId, balance
from qmtl.core.flow.commit import Slot

MEMBERS = st.sets(st.integers(1, 9).map(MemberId), min_size=1, max_size=6)


@st.composite
def sharings(draw, most_slots=32):
    owner = st.none() | st.integers(1, 9).map(MemberId)
    owners = draw(st.lists(owner, min_size=1, max_size=most_slots))
    return {Slot(slot): member for slot, member in enumerate(owners)}


@given(MEMBERS, sharings())
def test_every_slot_has_a_live_owner_and_counts_differ_by_one_at_most(live, owners):
    shared = balance(live, owners)
    assert shared.keys() == owners.keys()
    assert set(shared.values()) <= live
    counts = Counter(shared.values())
    each = [counts[member] for member in live]
    assert max(each) - min(each) <= 1


@given(st.sets(st.integers(1, 3).map(MemberId), min_size=1), sharings(most_slots=6))
def test_no_fair_sharing_moves_fewer(live, owners):
    """Against all sharings there are."""

    def moved(sharing):
        return sum(owners[slot] != member for slot, member in sharing.items())

    def fair(sharing):
        counts = [list(sharing.values()).count(member) for member in live]
        return max(counts) - min(counts) <= 1

    everything = (dict(zip(owners, each, strict=True)) for each in product(sorted(live), repeat=len(owners)))
    assert moved(balance(live, owners)) == min(moved(each) for each in everything if fair(each))


@given(MEMBERS, sharings(), st.randoms(use_true_random=False))
def test_the_order_of_arguments_does_not_matter_and_balanced_stays(live, owners, random):
    shared = balance(live, owners)
    mixed = list(owners.items())
    random.shuffle(mixed)
    assert balance(list(live)[::-1], dict(mixed)) == shared
    assert balance(live, shared) == shared


@given(MEMBERS, sharings())
def test_what_is_handed_over_in_two_steps_arrives(live, owners):
    """First the old owners let go, later the new ones take: seen from in between, the end is the same sharing."""
    shared = balance(live, owners)
    between = {slot: owner if shared[slot] == owner else None for slot, owner in owners.items()}
    kept = {slot: owner for slot, owner in between.items() if owner is not None}
    after = balance(live, between)
    assert all(after[slot] == owner for slot, owner in kept.items())


def test_nobody_alive_owns_nothing():
    assert balance([], {Slot(0): MemberId(1)}) == {Slot(0): None}
