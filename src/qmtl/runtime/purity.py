"""`verify`: whether authors' functions are functions of what they are shown, and of nothing else.

Each function is shown windows of a real run again: twice each, so that chance and state show; in another order and in
processes of their own, so that what calls leave behind and what differs between processes shows; watched for clocks,
chance, files and the network; with inputs that can be written, so that it shows who writes them. And the run is cut
otherwise: every way must come to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmtl.core.flow.answer import answers, called, taken
from qmtl.core.flow.view import Columns, View, make_table
from qmtl.core.graph.ir import Node
from qmtl.runtime.author_code import code_of
from qmtl.runtime.tables import table
from qmtl.runtime.watching import Said, watched

make_table["of"] = table  # for functions that ask their view for a frame, in a process that runs no engine
FIRST = 10  # of a node's buckets that are always shown, beside those drawn

Answer = tuple[float, ...] | str | None  # values, why it raised, or a gap


class Rule(StrEnum):
    """What an author's function may break."""

    REPEATS = "not repeatable"  # two calls with equal views answer differently
    READS = "writes its inputs"
    ALONE = "depends on more than its view"  # on other calls, or on the process
    PURE = "asks the world"  # for the clock, chance, environment, files, network
    CUT = "depends on the cut"  # of the run: on which rows are computed together


@dataclass(frozen=True, slots=True)
class Input:
    """One input as it is shown: column names, and whether the view has one array or columns by name."""

    name: str
    columns: tuple[str, ...]
    single: bool


@dataclass(frozen=True, slots=True)
class Shows:
    """One bucket: per input its times (ns) and values (n, columns)."""

    bucket: int
    windows: tuple[tuple[NDArray[np.int64], NDArray[np.float64]], ...]


@dataclass(frozen=True, slots=True)
class Job:
    """What a node's function is asked; `key` finds it in another process."""

    node_id: str
    key: tuple[str, str, str]
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    params: tuple[tuple[str, Any], ...]
    interval: int
    vectorized: bool
    wants_watermark: bool
    shows: tuple[Shows, ...]


@dataclass(slots=True)
class Observed:
    """What one process saw of a job; lists by number of the bucket."""

    answers: list[Answer] = field(default_factory=list)
    again: list[Answer] = field(default_factory=list)
    wrote: list[str] = field(default_factory=list)  # the inputs written, "" for none
    said: dict[str, tuple[int, str]] = field(default_factory=dict)  # what is asked for: first bucket, how


Functions = Mapping[tuple[str, str, str], Callable[..., Any]]


def key_of(node: Node) -> tuple[str, str, str]:
    """What tells one function of a strategy from another, in any process."""
    code = code_of(node.function)
    line = "" if code is None else str(code.co_firstlineno)
    return (node.operator, node.code_hash, line)


def observe(functions: Functions, jobs: Sequence[Job], seed: int | None) -> list[Observed]:
    """Ask every job in this process, in order of time and watched; with a `seed`, in another order and not watched."""
    found = [Observed() for _ in jobs]
    for seen, job in zip(found, jobs, strict=True):
        count = len(job.shows)
        seen.answers, seen.again, seen.wrote = [None] * count, [None] * count, [""] * count
    order = [(number, at) for number, job in enumerate(jobs) for at in range(len(job.shows))]
    if seed is None:
        order.sort(key=lambda one: (jobs[one[0]].shows[one[1]].bucket, one[0]))
    else:
        np.random.default_rng(seed).shuffle(order)
        order = [(int(number), int(at)) for number, at in order]
    for number, at in order:
        _ask(functions[jobs[number].key], jobs[number], at, found[number], seed is None)
    return found


def _ask(function: Callable[..., Any], job: Job, at: int, seen: Observed, watch: bool) -> None:
    shows, said = job.shows[at], Said()
    code = code_of(function)
    windows = [_copied(shows), _copied(shows)]
    for number, given in enumerate(windows):
        if watch and number == 0:
            with watched(said, "" if code is None else code.co_filename):
                answer = _answer(function, job, shows.bucket, given)
        else:
            answer = _answer(function, job, shows.bucket, given)
        (seen.again if number else seen.answers)[at] = answer
    compared = zip(job.inputs, windows[0], shows.windows, strict=True)
    seen.wrote[at] = ", ".join(
        one.name
        for one, (times, values), (before, shown) in compared
        if not (np.array_equal(times, before) and _same_bits(values, shown.T))
    )
    for what, how in said.items():
        seen.said.setdefault(what, (shows.bucket, how))


Windows = list[tuple[NDArray[np.int64], NDArray[np.float64]]]


def _copied(shows: Shows) -> Windows:
    """Copies that can be written, columns first."""
    return [(times.copy(), np.ascontiguousarray(values.T).copy()) for times, values in shows.windows]


def _answer(function: Callable[..., Any], job: Job, bucket: int, windows: Windows) -> Answer:
    rows = job.vectorized
    inputs = {one.name: _shown(one, given, rows) for one, given in zip(job.inputs, windows, strict=True)}
    when: Any = np.array([bucket]) if rows else bucket
    watermark = (when + job.interval,) if job.wants_watermark else ()

    def take(answer: object) -> Answer:
        if not rows:
            made = taken(answer, job.outputs)
            return None if made is None else tuple(made.tolist())
        several = answers(answer, job.outputs, 1)
        return None if several is None else tuple(several[0].tolist())

    found, cause = called(function, [(View(inputs, when), *watermark)], dict(job.params), take)
    return found[0] if found else cause


def _shown(one: Input, given: tuple[NDArray[np.int64], NDArray[np.float64]], rows: bool) -> Any:
    times, values = given
    columns = [each[None] if rows else each for each in values]
    if one.single:
        return columns[0]
    return Columns(
        dict(zip(one.columns, columns, strict=True)), times[None] if rows else times, 0, len(times)
    )


def _same_bits(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


def alike(one: Answer, other: Answer) -> bool:
    """Equal bits, every NaN the same; two that raise are alike."""
    if isinstance(one, str) or isinstance(other, str) or one is None or other is None:
        return type(one) is type(other)
    return np.array_equal(_bits(one), _bits(other))


def _bits(values: tuple[float, ...]) -> NDArray[np.int64]:
    array = np.array(values, np.float64)
    return np.where(np.isnan(array), np.nan, array).view(np.int64)
