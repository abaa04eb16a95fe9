"""The members that live and the slots they own, with a generation that every change raises."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from qmtl.core.flow.balance import MemberId, balance
from qmtl.core.flow.commit import Slot


class Group:
    """A slot goes from one to another in two steps: its owner lets go at a poll of its own, or expires."""

    def __init__(self, slots: int, clock: Callable[[], float], lease_seconds: float) -> None:
        self._clock, self.lease_seconds = clock, lease_seconds
        self._expires: dict[MemberId, float] = {}
        self._ids = count(1)
        self.owners: dict[Slot, MemberId | None] = {Slot(slot): None for slot in range(slots)}
        self.generation = 0
        self._target: tuple[int, dict[Slot, MemberId | None]] = (-1, {})  # of which generation, by slot

    def join(self) -> MemberId:
        member = MemberId(next(self._ids))
        self._expires[member] = self._clock() + self.lease_seconds
        self.generation += 1
        return member

    def leave(self, member: MemberId) -> None:
        if self._expires.pop(member, None) is not None:
            self._changed()

    def renew(self, member: MemberId) -> bool:
        """False where it has expired: it must join again."""
        self.expire()
        if member not in self._expires:
            return False
        self._expires[member] = self._clock() + self.lease_seconds
        return True

    def expire(self) -> None:
        now = self._clock()
        dead = [member for member, expires in self._expires.items() if expires <= now]
        for member in dead:
            del self._expires[member]
        if dead:
            self._changed()

    def turn(self, member: MemberId) -> frozenset[Slot]:
        """This member lets go of what others should have, gets what is free for it, and learns what it owns."""
        if self._target[0] != self.generation:
            self._target = self.generation, {**balance(self._expires, self.owners)}
        target, before = self._target[1], dict(self.owners)
        for slot, owner in before.items():
            if owner == member and target[slot] != member:
                self.owners[slot] = None
            elif owner is None and target[slot] == member:
                self.owners[slot] = member
        if self.owners != before:
            self.generation += 1
        return frozenset(slot for slot, owner in self.owners.items() if owner == member)

    def _changed(self) -> None:
        for slot, owner in self.owners.items():
            if owner not in self._expires:
                self.owners[slot] = None
        self.generation += 1

    def is_current(self, member: MemberId, generation: int) -> bool:
        self.expire()
        return member in self._expires and generation == self.generation
