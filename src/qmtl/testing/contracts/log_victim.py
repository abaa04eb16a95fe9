"""A worker in a process of its own, that stops or kills itself at one Point of one commit.

Run as `python -m qmtl.testing.contracts.log_victim ORDERS`, ORDERS being JSON. It says what it does line by line.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from importlib import import_module
from operator import attrgetter

import msgspec

from qmtl.core.errors import Fault
from qmtl.core.flow.commit import Slot
from qmtl.ports.log import Log, Point
from qmtl.testing.contracts.log_world import Victim, owner_of_all


class Orders(msgspec.Struct, frozen=True):
    """Commits of slot 0 go well `before` times, the next one meets its fate: the signal SIGKILL or SIGSTOP."""

    opener: str
    arguments: dict[str, object]
    point: str
    signal: str
    before: int = 2


def orders(victim: Victim, point: Point, sent: signal.Signals) -> str:
    made = Orders(victim.opener, victim.arguments, point.name, sent.name)
    return msgspec.json.encode(made).decode()


def say(text: str) -> None:
    print(text, flush=True)


async def live(given: Orders) -> None:
    commits = 0

    def at(point: Point, slot: Slot) -> None:
        if point.name == given.point and commits == given.before:
            say("struck")
            # To this thread: sent to the process, another thread may take it while this one runs on.
            signal.pthread_kill(threading.get_ident(), signal.Signals[given.signal])

    module, _, name = given.opener.partition(":")
    log: Log = await attrgetter(name)(import_module(module))(at=at, **given.arguments)
    me = await owner_of_all(log, "victim")
    say("owns")
    for commits in range(given.before + 1):
        await me.poll(0)
        try:
            await me.commit(Slot(0), f"victim-{commits}")
        except Fault as fault:
            say(type(fault).__name__)
            return
        say(f"committed {commits}")


if __name__ == "__main__":
    asyncio.run(live(msgspec.json.decode(sys.argv[1], type=Orders)))
