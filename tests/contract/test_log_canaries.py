"""The contract must fail where an adapter is wrong: each of these breaks one, and names the promise that finds it."""

from __future__ import annotations

import asyncio
import threading

import pytest
import worlds
from sqlalchemy import bindparam, update

from qmtl.adapters.memory import group
from qmtl.adapters.memory.member import MemoryMember
from qmtl.adapters.memory.store import Store
from qmtl.adapters.sql import commit
from qmtl.adapters.sql.schema import SLOTS
from qmtl.core.errors import Unknown
from qmtl.testing.contracts import log as promises


def no_fence_in_sql(patch):
    """The slot's row is updated whatever its epoch."""
    patch(
        commit,
        "FENCE",
        update(SLOTS).where(SLOTS.c.slot == bindparam("of_slot")).values(position=bindparam("to_position")),
    )


def published_before_the_check(patch):
    """Records become visible in a transaction of their own, then the epoch is checked."""

    def broken(connection, dialect, ids, step, at):
        with commit.transaction(connection, dialect.begin):
            commit._write(connection, dialect, commit.prepared(ids, step.writes()))
        with commit.transaction(connection, dialect.begin):
            values = {"of_slot": step.slot, "of_epoch": step.epoch, "to_position": step.position}
            if connection.execute(commit.FENCE, values).rowcount != 1:
                raise commit.Fenced("too late")

    patch(commit, "commit", broken)


def positions_out_of_commit_order(patch):
    """Positions are given in one transaction, records written in the next; the first writer waits in between."""
    inserted, turns = threading.Event(), []

    def broken(connection, dialect, ids, writes):
        ((partition, rows),) = commit.prepared(ids, writes)
        with commit.transaction(connection, dialect.begin):
            count = {"of_partition": partition, "records": len(rows)}
            after = connection.execute(commit.COUNT, count).scalar_one()
        turns.append(after)
        if len(turns) == 1:
            inserted.wait(5)
        rows = [(partition, position, *row) for position, row in enumerate(rows, after - len(rows))]
        with commit.transaction(connection, dialect.begin):
            dialect.insert(connection, commit.RECORDS, rows)
        if len(turns) > 30:
            inserted.set()

    patch(commit, "append", broken)


def the_step_record_left_out(patch):
    original = commit.prepared

    def broken(ids, writes):
        return original(
            ids, {at: records[:-1] if at[0] == "commits" else records for at, records in writes.items()}
        )

    patch(commit, "prepared", broken)


def no_fence_in_memory(patch):
    patch(Store, "is_fenced", lambda self, slot, fence: False)
    patch(Store, "fence", lambda self, slot: 0)
    patch(group.Group, "is_current", lambda self, member, generation: True)


def kept_after_an_unknown_end(patch):
    original = MemoryMember._transaction

    async def broken(self, step, generation, owned):
        try:
            await original(self, step, generation, owned)
        except Unknown:
            self._owned[step.slot] = owned
            raise

    patch(MemoryMember, "_transaction", broken)


def shared_unfairly(patch):
    """The first to come keeps everything."""
    patch(group, "balance", lambda live, owners: dict.fromkeys(owners, min(live, default=None)))


CANARIES = [
    (no_fence_in_sql, "sqlite", promises.the_elder_of_two_owners_is_refused),
    (published_before_the_check, "sqlite", promises.the_elder_of_two_owners_is_refused),
    (positions_out_of_commit_order, "sqlite", promises.readers_never_skip_a_position),
    (the_step_record_left_out, "sqlite", promises.a_step_is_seen_whole_and_its_position_with_it),
    (no_fence_in_memory, "memory", promises.the_elder_of_two_owners_is_refused),
    (kept_after_an_unknown_end, "memory", promises.an_unknown_end_is_told_by_the_log),
    (shared_unfairly, "memory", promises.slots_are_shared_fairly_and_handed_over),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("canary", "world", "promise"), CANARIES, ids=lambda each: getattr(each, "__name__", each)
)
def test_the_contract_finds(canary, world, promise, monkeypatch, tmp_path):
    monkeypatch.setattr(promises, "PATIENCE_SECONDS", 3.0)
    monkeypatch.setattr("qmtl.testing.contracts.log_world.PATIENCE_SECONDS", 3.0)
    canary(monkeypatch.setattr)

    async def run():
        async with worlds.memory() if world == "memory" else worlds.sqlite(tmp_path) as made:
            await promise(made)

    with pytest.raises((AssertionError, ExceptionGroup)) as found:
        asyncio.run(run())
    assert {type(each) for each in leaves(found.value)} <= {AssertionError, TimeoutError}, found.value


def leaves(error):
    return (
        [each for one in error.exceptions for each in leaves(one)]
        if isinstance(error, ExceptionGroup)
        else [error]
    )
