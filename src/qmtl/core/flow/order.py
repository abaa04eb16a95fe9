"""Which arrivals move their source forward: these cannot be late, repeated or revised, and run in blocks (E2, E8)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qmtl.core.flow.feed import EVENT, Arrivals, Source
from qmtl.core.flow.timeline import NEVER
from qmtl.core.graph.ir import TickIdentity

Flags = NDArray[np.bool_]


def in_order(sources: Sequence[Source], batch: Arrivals, start: int, stop: int) -> Flags:
    """Of arrivals ``[start, stop)``, those that only append; moves each source's `top` past them."""
    kind, source = batch.kind[start:stop], batch.source[start:stop]
    appends = np.zeros(stop - start, np.bool_)
    for number, state in enumerate(sources):
        mine = np.flatnonzero((source == number) & (kind == EVENT))
        if not len(mine) or state.idle or state.finished:
            continue
        ts = batch.event_ns[start:stop][mine]
        ahead_of_clock = batch.available_ns[start:stop][mine] + state.skew
        sane = (ts <= ahead_of_clock) & (ts >= _latest_origin(state))
        point = np.where(sane, ts + (state.interval or 0), NEVER)
        before = np.maximum.accumulate(np.concatenate([[state.top], point[:-1]]))
        strictly = state.interval is not None or state.ticks == [] or _keyed_by_time(state)
        ahead = point > before if strictly else point >= before
        if state.ticks and not strictly:
            ahead &= _fresh(batch, state, number, mine + start, ts)
        appends[mine] = ahead & sane
        state.top = max(state.top, int(point.max(initial=NEVER)))
    return appends


def _keyed_by_time(state: Source) -> bool:
    return any(e.settings.identity is TickIdentity.EVENT_TS for e in state.ticks)


def _latest_origin(state: Source) -> int:
    return max([e.origin for e in state.bars] + [e.origin for e in state.ticks], default=NEVER)


def _fresh(
    batch: Arrivals, state: Source, number: int, at: NDArray[np.int64], ts: NDArray[np.int64]
) -> Flags:
    """Ticks that append: a new identity, after all earlier ones in (ts, id)."""
    ids = batch.event_id[number]
    if ids is None or all(e.settings.identity is TickIdentity.POSITION for e in state.ticks):
        return np.ones(len(at), np.bool_)
    result = np.zeros(len(at), np.bool_)
    seen: set[object] = set()
    last = max((e.keys[-1] for e in state.ticks if e.keys), default=(NEVER, None))
    given = [ids[r] for r in batch.row[at]]
    plain = [i.item() if isinstance(i, np.generic) else i for i in given]
    for n, (time, identity) in enumerate(zip(ts.tolist(), plain, strict=True)):
        ordered = time > last[0] or (time == last[0] and last[1] is not None and identity > last[1])
        known = identity in seen or any(identity in e.known or identity in e.held for e in state.ticks)
        result[n] = ordered and not known
        seen.add(identity)
        last = max(last, (time, identity)) if last[1] is not None else (time, identity)
    return result
