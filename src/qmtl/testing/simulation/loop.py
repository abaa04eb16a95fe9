"""An event loop without threads, clocks or files: virtual time, and a seeded choice of what runs next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, TypeVar

from qmtl.testing.simulation.process import Process, current

T = TypeVar("T")
STEP_LIMIT = 50_000  # no run needs so many: somebody is running in circles
UNWIND_ROUNDS = 100


class Stuck(AssertionError):  # noqa: N818
    """Nothing will ever happen again, or too much has."""


class Callback:
    """One call to come; `when` in true seconds."""

    __slots__ = ("_cancelled", "args", "call", "context", "process", "when")

    def __init__(
        self, when: float, call: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> None:
        self.when, self.call, self.args = when, call, args
        self.context = copy_context() if context is None else context
        self.process = self.context.get(current)
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True

    def cancelled(self) -> bool:
        return self._cancelled


class _Task(asyncio.Task[Any]):
    """Hashed by its number: the order of a set of tasks is the same in every process."""

    def __init__(self, number: int, work: Any, **given: Any) -> None:
        self.number = number  # first: asyncio keeps tasks in sets
        super().__init__(work, **given)

    def __hash__(self) -> int:
        return self.number


class SimulatedLoop:
    """Runs one of the ready callbacks, chosen at random; when none is, time jumps to the next timer.

    It is as much of an event loop as tasks, futures, timeouts and task groups ask for.

    `steps`: callbacks run so far. `after`: called after each of them.
    """

    def __init__(self, chance: Random) -> None:
        self.now, self.steps = 0.0, 0
        self.after: Callable[[], None] = lambda: None
        self._itself: Any = self  # a loop, to asyncio
        self._chance = chance
        self._ready: list[Callback] = []
        self._timers: list[tuple[float, int, Callback]] = []
        self._parked: dict[Process, list[Callback]] = {}
        self._numbers = count(1)
        self._tasks: list[_Task] = []  # kept: a killed task must not be unwound by the collector
        self._failure: BaseException | None = None

    # --- what asyncio asks for ------------------------------------------------------------------------------

    def time(self) -> float:
        """As the clock of the process shows it whose code asks."""
        process = current.get()
        return self.now if process is None else process.shown(self.now)

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        made = Callback(self.now, callback, args, context)
        self._ready.append(made)
        return made

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        process = current.get()
        true = when if process is None else process.true(when)
        made = Callback(max(true, self.now), callback, args, context)
        heappush(self._timers, (made.when, next(self._numbers), made))
        return made

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self._itself)

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None, **_: Any) -> Any:
        return self._made(coro, name, context)

    def _made(self, work: Any, name: str | None, context: Context | None) -> _Task:
        task = _Task(next(self._numbers), work, loop=self._itself, name=name, context=context)
        self._tasks.append(task)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What nobody awaits ends the run, unless it belonged to a process that is dead."""
        process = current.get()
        if process is None or not process.dead:
            self._failure = self._failure or context.get("exception") or Stuck(context["message"])

    # --- what the simulation asks for -----------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, object], process: Process | None = None) -> asyncio.Task[Any]:
        """A task of a process; what it raises ends the run."""
        context = copy_context()
        context.run(current.set, process)
        task = self._made(work, None, context)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._failure = self._failure or task.exception()

    def wake(self, process: Process) -> None:
        """A paused process goes on: all that came up meanwhile is ready now."""
        process.paused = False
        self._ready += self._parked.pop(process, [])

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """`main` to its end; whatever else still runs is left as it stands. Raises what any task raised."""
        asyncio.events._set_running_loop(self._itself)
        try:
            task = self.spawn(main)
            while not task.done():
                self._step()
                if self._failure is not None:
                    raise self._failure
            result: T = task.result()
            return result
        finally:
            self._unwind()
            asyncio.events._set_running_loop(None)

    def _step(self) -> None:
        if self.steps > STEP_LIMIT:
            raise Stuck(f"more than {STEP_LIMIT} steps by {self.now:.3f} s")
        if not self._ready:
            self._jump()
        at = int(self._chance.random() * len(self._ready))
        chosen, self._ready[at] = self._ready[at], self._ready[-1]
        self._ready.pop()
        process = chosen.process
        if chosen.cancelled():
            return
        if process is not None and (process.paused or process.dead):
            self._parked.setdefault(process, []).append(chosen)
            return
        self.steps += 1
        chosen.context.run(chosen.call, *chosen.args)
        self.after()

    def _jump(self) -> None:
        while self._timers and not self._ready:
            when, _, first = heappop(self._timers)
            if not first.cancelled():
                self.now = max(self.now, when)
                self._ready.append(first)
                while self._timers and self._timers[0][0] <= self.now:
                    self._ready.append(heappop(self._timers)[2])
        if not self._ready:
            raise Stuck(f"nothing is left to happen at {self.now:.3f} s")

    def _unwind(self) -> None:
        """Let every task end, so that none complains of it later; what they still do is not part of the run."""
        self.after = lambda: None
        for parked in self._parked.values():
            self._ready += parked
        for _ in range(UNWIND_ROUNDS):
            left = [task for task in self._tasks if not task.done()]
            for task in left:
                task.cancel()
            if not left:
                break
            ready, self._ready = self._ready, []
            for one in ready:
                if not one.cancelled():
                    one.context.run(one.call, *one.args)
        self._timers.clear()
