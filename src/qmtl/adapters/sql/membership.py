"""Members and the slots they own: lease rows, renewed by the database's clock. Each function is one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from qmtl.adapters.sql.dialect import Dialect
from qmtl.adapters.sql.schema import MEMBERS, SLOTS
from qmtl.adapters.sql.session import transaction
from qmtl.adapters.sql.wake import MEMBERS_CHANGED
from qmtl.core.flow.balance import MemberId, balance
from qmtl.core.flow.commit import Slot


@dataclass(frozen=True)
class Turn:
    """`member` is another one than before where that had expired; `mine` was then all lost meanwhile."""

    member: MemberId
    mine: frozenset[Slot]


def join(connection: Connection, dialect: Dialect, name: str) -> MemberId:
    with transaction(connection, dialect.begin):
        member = _join(connection, dialect, name)
        dialect.notify(connection, MEMBERS_CHANGED)
    return member


def heartbeat(connection: Connection, dialect: Dialect, member: MemberId) -> bool:
    """False where it has expired: it owns nothing any more."""
    with transaction(connection, dialect.begin):
        return _renew(connection, dialect, member)


def turn(connection: Connection, dialect: Dialect, member: MemberId, name: str) -> Turn:
    """Renews; lets go of what others should have and takes what is free for it, as `balance` says.

    Every member does the same for itself. Two that see different members disagree until their next turns.
    """
    with transaction(connection, dialect.begin):
        if not _renew(connection, dialect, member):
            member = _join(connection, dialect, name)
        expired = select(MEMBERS.c.id).where(MEMBERS.c.expires <= dialect.now())
        connection.execute(delete(MEMBERS).where(MEMBERS.c.id.in_(expired.with_for_update(skip_locked=True))))
        live = [MemberId(found) for found in connection.execute(select(MEMBERS.c.id)).scalars()]
        rows = connection.execute(select(SLOTS.c.slot, SLOTS.c.owner)).all()
        owners = {Slot(slot): owner for slot, owner in rows}
        target = balance(live, owners)
        changed = _let_go(connection, [s for s in owners if owners[s] == member and target[s] != member])
        changed |= _claim(connection, member, [s for s in owners if owners[s] != member == target[s]])
        if changed:
            dialect.notify(connection, MEMBERS_CHANGED)
        mine = connection.execute(select(SLOTS.c.slot).where(SLOTS.c.owner == member)).scalars()
        return Turn(member, frozenset(Slot(slot) for slot in mine))


def leave(connection: Connection, dialect: Dialect, member: MemberId) -> None:
    with transaction(connection, dialect.begin):
        connection.execute(delete(MEMBERS).where(MEMBERS.c.id == member))
        connection.execute(update(SLOTS).where(SLOTS.c.owner == member).values(owner=None))
        dialect.notify(connection, MEMBERS_CHANGED)


def _join(connection: Connection, dialect: Dialect, name: str) -> MemberId:
    row = insert(MEMBERS).values(name=name, expires=_expires(dialect)).returning(MEMBERS.c.id)
    return MemberId(connection.execute(row).scalar_one())


def _renew(connection: Connection, dialect: Dialect, member: MemberId) -> bool:
    alive = (MEMBERS.c.id == member) & (MEMBERS.c.expires > dialect.now())
    row = update(MEMBERS).where(alive).values(expires=_expires(dialect))
    return connection.execute(row).rowcount == 1


def _expires(dialect: Dialect) -> ColumnElement[float]:
    return dialect.now() + dialect.lease_seconds


def _let_go(connection: Connection, slots: list[Slot]) -> bool:
    if slots:
        connection.execute(update(SLOTS).where(SLOTS.c.slot.in_(slots)).values(owner=None))
    return bool(slots)


def _claim(connection: Connection, member: MemberId, slots: list[Slot]) -> bool:
    """A slot whose row is locked is being committed to at this moment: the next turn gets it."""
    free = SLOTS.c.owner.is_(None) | SLOTS.c.owner.not_in(select(MEMBERS.c.id))
    wanted = select(SLOTS.c.slot).where(SLOTS.c.slot.in_(slots), free).with_for_update(skip_locked=True)
    if slots:
        connection.execute(update(SLOTS).where(SLOTS.c.slot.in_(wanted)).values(owner=member))
    return bool(slots)
