"""Who of the live members owns which slot: fair, and with as few moves as can be (ARCHITECTURE, Ownership)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NewType

from qmtl.core.flow.commit import Slot

MemberId = NewType("MemberId", int)  # one joining of one process; never given twice


def balance(live: Iterable[MemberId], owners: Mapping[Slot, MemberId | None]) -> dict[Slot, MemberId | None]:
    """The owner that each slot should have: counts differ by one at most, and no fair sharing moves fewer.

    A function of its arguments alone, so that every member finds the same. An owner that does not live owns
    nothing. With nobody alive all slots are None. Balancing what was balanced changes nothing.
    """
    held: dict[MemberId, list[Slot]] = {member: [] for member in sorted(live)}
    if not held:
        return dict.fromkeys(owners)
    free = []
    for slot in sorted(owners):
        owner = owners[slot]
        if owner is not None and owner in held:
            held[owner].append(slot)
        else:
            free.append(slot)
    quota, larger = divmod(len(owners), len(held))
    most_first = sorted(held, key=lambda member: (-len(held[member]), member))
    quotas = {member: quota + (place < larger) for place, member in enumerate(most_first)}
    for member, slots in held.items():
        free += slots[quotas[member] :]
        del slots[quotas[member] :]
    free.sort(reverse=True)
    for member, slots in held.items():
        while len(slots) < quotas[member]:
            slots.append(free.pop())
    return {slot: member for member, slots in held.items() for slot in slots}
