"""Which sources make a panel: bar streams of one group whose rows may be taken at once (see `panel_kernels`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qmtl.core.flow import layout as at
from qmtl.core.flow.clock import Clocks
from qmtl.core.flow.feed import Source
from qmtl.core.flow.plan import Group
from qmtl.core.flow.timeline import FOREVER, NEVER

Later = list[tuple[int, int, int, int]]


@dataclass(frozen=True, slots=True)
class PanelRows:
    """A panel: its first source and its group.

    `later`: the clocks that follow its own, ascending; None where one might move before the last of its inputs has:
    then the clocks of a row go arrival by arrival. `most`: how many clocks can close something because of one row.
    """

    first: int
    group: Group
    later: Later | None
    most: int


def panels(sources: Sequence[Source], clocks: Clocks) -> list[PanelRows]:
    """The panels of an engine.

    A panel is a run of sources in the order of the lanes of a group, each read by that lane alone.
    """
    found = []
    for first, source in enumerate(sources):
        if not source.bars:
            continue
        group = source.bars[0].group
        members = sources[first : first + group.lanes]
        if len(members) == group.lanes and _in_order(members, group):
            found.append(PanelRows(first, group, *_later(clocks, [int(clock) for clock in group.clocks])))
    return found


def _in_order(members: Sequence[Source], group: Group) -> bool:
    clocks, take = group.clocks, members[0].bars[0].take
    together = bool(np.all(clocks == clocks[0] + np.arange(len(clocks))))
    return together and all(
        len(one.bars) == 1
        and not one.ticks
        and one.bars[0].group is group
        and one.bars[0].lane == lane
        and np.array_equal(one.bars[0].take, take)
        for lane, one in enumerate(members)
    )


def _later(clocks: Clocks, own: list[int]) -> tuple[Later | None, int]:
    """Clocks that the panel's move: (clock, lane of its last input, whether it has no others, slack); and `most`."""
    lanes = {clock: {lane} for lane, clock in enumerate(own)}  # that each clock depends on
    found: Later = []
    ordered = True
    for clock in range(clocks.count):
        first, stop = clocks.table[[at.C_FIRST_INPUT, at.C_END_INPUT], clock].tolist()
        inputs = clocks.inputs[first:stop].tolist()
        moved = [one for one in inputs if one[0] in lanes]
        if clock in lanes or not moved:
            continue
        direct = all(one[0] in own for one in moved) and len({one[1] for one in moved}) == 1
        always = all(tuple(one[2:]) == (NEVER, FOREVER) for one in moved)
        ordered &= always and (direct or len({max(lanes[one[0]]) for one in moved}) == 1)
        lanes[clock] = set().union(*(lanes[one[0]] for one in moved))
        found.append((clock, max(lanes[clock]), int(direct and len(moved) == len(inputs)), moved[0][1]))
    return (found if ordered else None), sum(map(len, lanes.values()))
