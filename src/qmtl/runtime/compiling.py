"""Telling people that operators are being compiled: the first run of a strategy waits for it, later ones do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def when_compiling(say: Callable[[], None]) -> Iterator[None]:
    """Calls `say` once, when the first function is compiled and not taken from the cache."""
    from numba.core import event

    class Listener(event.Listener):  # type: ignore[misc]
        said = False

        def on_start(self, happened: Any) -> None:
            if not self.said:
                self.said = True
                say()

        def on_end(self, happened: Any) -> None:
            """Nothing to tell."""

    with event.install_listener("numba:compile", Listener()):
        yield
