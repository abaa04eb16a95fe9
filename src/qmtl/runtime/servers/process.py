"""One process of a server: started, stopped, killed, paused, and found again by its pid and start time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launch.py")
STOP_SECONDS = 15.0  # the last broker of three waits for a majority that is gone: what it has is safe by then
GONE_SECONDS = 30.0  # after SIGKILL: the kernel may still be writing
TAIL_LINES = 25
LOOK_SECONDS = 0.02


class Process:
    """`pid` and `started` (clock ticks since boot) name it; both are 0 while it does not run.

    It is killed when the process that started it ends, however that ends, unless it is detached.
    """

    def __init__(
        self,
        command: list[str],
        log: Path,
        *,
        detached: bool,
        stop_signal: signal.Signals = signal.SIGTERM,
        user: tuple[int, int] = (0, 0),
        environment: dict[str, str] | None = None,
    ) -> None:
        self.command, self.log, self.detached = command, log, detached
        self.stop_signal, self.user, self.environment = stop_signal, user, environment or {}
        self.pid = self.started = 0
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        _starter().submit(self._start).result()

    def _start(self) -> None:
        parent = 0 if self.detached else os.getpid()
        launch = [sys.executable, "-I", "-S", str(LAUNCHER), str(parent), *map(str, self.user), *self.command]
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 - our own command
                launch,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.log.parent,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        self.pid = self._child.pid
        self.started = _started(self.pid)

    def alive(self) -> bool:
        """Does it run, and is it still the one that was started? A paused process is alive."""
        if self._child is not None and self._child.poll() is not None:
            return False
        return bool(self.pid) and _started(self.pid) == self.started != 0

    def stop(self) -> None:
        """End it in good order; where that takes more than 15 seconds, kill it."""
        if self.alive():
            self.ask_to_stop()
            if not until(lambda: not self.alive(), STOP_SECONDS):
                self.kill()
        self._forget()

    def ask_to_stop(self) -> None:
        if self.alive():
            self.resume()
            _signal(self.pid, self.stop_signal)

    def kill(self) -> None:
        """SIGKILL, to it and to what it has started; returns when all are gone."""
        family = self._family()
        for pid in family:
            _signal(pid, signal.SIGKILL)
        if not until(lambda: not any(map(_started, family)), GONE_SECONDS):
            raise TimeoutError(f"processes {family} still run {GONE_SECONDS:.0f} s after SIGKILL")
        self._forget()

    def pause(self) -> None:
        for pid in self._family():
            _signal(pid, signal.SIGSTOP)

    def resume(self) -> None:
        for pid in reversed(self._family()):
            _signal(pid, signal.SIGCONT)

    def tail(self) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return "(no log)"
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:]) or "(its log is empty)"

    def _family(self) -> list[int]:
        return descendants(self.pid) if self.alive() else []

    def _forget(self) -> None:
        if self._child is not None:
            self._child.wait(GONE_SECONDS)
        self._child, self.pid, self.started = None, 0, 0


def descendants(pid: int) -> list[int]:
    """The process and those below it, parents first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for each in found:
        found.extend(children.get(each, []))
    return found


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Look at something that sends no event until it is so (True), or until time is up (False)."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it has ended by itself


def _started(pid: int) -> int:
    """When it was started, in clock ticks since boot; 0 where it has ended, reaped or not."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else 0


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third on (state, parent, …): the second may hold blanks."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


@cache
def _starter() -> ThreadPoolExecutor:
    """PR_SET_PDEATHSIG fires at the end of the thread that forked: this one lives as long as the process."""
    return ThreadPoolExecutor(1, thread_name_prefix="servers")
