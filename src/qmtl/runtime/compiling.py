"""The first run of a strategy compiles what it uses: people are told, and a second process helps.

A run compiles its operators first, then parts of the engine, and the account's last. The helper begins with the
engine's driver and goes on with the account; what one has compiled the other takes from the cache on disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def ahead() -> None:
    """Compile the engine's largest part, the account, and what may be left of the engine."""
    from qmtl.core.control.costs import Costs
    from qmtl.core.control.portfolio import simulate
    from qmtl.core.control.round_trips import round_trips
    from qmtl.core.flow import address_kernels as addresses
    from qmtl.core.flow.correct_kernels import correct_group
    from qmtl.core.flow.drive_kernels import drive
    from qmtl.core.flow.rectangle_kernels import close_rectangle

    drive.compile(addresses.DRIVE)
    round_trips(simulate([], Costs(), 0, 1).fills)
    addresses.address_of(correct_group, addresses.CORRECT)
    addresses.address_of(close_rectangle, addresses.PART)


@contextmanager
def when_compiling(say: Callable[[], None]) -> Iterator[None]:
    """Calls `say` once, when the first function is compiled and not taken from the cache, and starts the helper."""
    from numba.core import event

    helpers: list[subprocess.Popen[bytes]] = []

    class Listener(event.Listener):  # type: ignore[misc]
        said = False

        def on_start(self, happened: Any) -> None:
            if not self.said:
                self.said = True
                say()
                if sys.executable and (os.cpu_count() or 1) > 1:
                    helpers.append(_helper())

        def on_end(self, happened: Any) -> None:
            """Nothing to tell."""

    try:
        with event.install_listener("numba:compile", Listener()):
            yield
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()


def _helper() -> subprocess.Popen[bytes]:
    code = "from qmtl.runtime.compiling import ahead; ahead()"
    quiet = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-c", code], stdin=quiet, stdout=quiet, stderr=quiet)  # noqa: S603
