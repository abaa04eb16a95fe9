"""`verify`: runs, and asks of authors' functions, put together to what was found (the rules are in `purity`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from qmtl.core.flow.instant import instant_text
from qmtl.core.flow.timeline import FAILED, GAP, VALUE
from qmtl.core.flow.windows import decide, shown_at
from qmtl.core.graph.ir import Node, NodeKind
from qmtl.core.graph.walk import ancestry
from qmtl.runtime.arrivals import ArrivalKind, Arrivals
from qmtl.runtime.author_code import place_of
from qmtl.runtime.backtest import Executed
from qmtl.runtime.ledger import changes_by_lane, emissions
from qmtl.runtime.lookahead import first_difference
from qmtl.runtime.purity import FIRST, Answer, Input, Job, Observed, Rule, Shows, alike, key_of, observe

Run = Callable[[Arrivals, Sequence[int] | None], Executed]
# What processes of their own observe, one for each order of calls; a text: why there are none.
Fresh = Callable[[Sequence[Job], Sequence[int | None]], list[list[Observed]] | str]
SEEDS = (None, 1, 2)  # orders in which jobs are asked: that of time, and two others


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a node breaks, the first bucket where it showed, and what was seen."""

    node: str
    name: str
    place: str
    rule: Rule
    bucket: str
    seen: str

    def __str__(self) -> str:
        return f"{self.name} ({self.place}) at {self.bucket}: {self.seen}"


@dataclass(frozen=True, slots=True)
class Checked:
    """One author's node: how many buckets it was shown."""

    node: str
    name: str
    place: str
    buckets: int


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found; true when nothing was."""

    nodes: tuple[Checked, ...]
    findings: tuple[Finding, ...]
    arrivals: int
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not self.findings

    def __str__(self) -> str:
        if self:
            return f"{len(self.nodes)} authors' nodes are functions of what they are shown"
        return "\n".join(map(str, self.findings))

    def document(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {"ok": bool(self)} | asdict(self)


def verify(run: Run, given: Iterable[Arrivals], fresh: Fresh, *, buckets: int, seed: int) -> Verified:
    """Verify the authors' nodes of a run over the first of `given` (less data first) in which all are called.

    `buckets`: how many of each node are shown again; `seed` draws them.
    """
    for arrivals in given:
        truth = run(arrivals, None)
        jobs = _jobs(truth, buckets, seed)
        if all(job.shows for job in jobs):
            break
    nodes = [truth.nodes[job.node_id] for job in jobs]
    checked = [
        Checked(n.node_id, _name(n), _place(n), len(job.shows)) for n, job in zip(nodes, jobs, strict=True)
    ]
    notes = [
        f"{one.name} ({one.place}) was never called: more data is needed"
        for one in checked
        if not one.buckets
    ]
    findings: list[Finding] = []
    seen, said = _observed(jobs, nodes, fresh)
    for number, (node, job) in enumerate(zip(nodes, jobs, strict=True)):
        findings += _of_node(truth, node, job, [each[number] for each in seen])
    findings += _of_cuts(run, truth, findings, seed)
    place = {node_id: number for number, node_id in enumerate(truth.nodes)}
    findings.sort(key=lambda one: place[one.node])
    return Verified(tuple(checked), tuple(findings), len(truth.arrivals), (*notes, *said))


def first_of(arrivals: Arrivals, count: int) -> Arrivals:
    """The first `count` arrivals, after which every source ends that does."""
    keep = (np.arange(len(arrivals)) < count) | (arrivals.kind == ArrivalKind.FINISHED)
    if keep.all():
        return arrivals
    names = ("kind", "source", "row", "event_ns", "available_ns")
    columns: dict[str, Any] = {name: getattr(arrivals, name)[keep] for name in names}
    return replace(arrivals, **columns)


def _name(node: Node) -> str:
    return node.label or node.operator


def _place(node: Node) -> str:
    return place_of(node.function) or node.place


# --- what functions are shown again ----------------------------------------------------------------------------


def _jobs(truth: Executed, buckets: int, seed: int) -> list[Job]:
    chance = np.random.default_rng(seed)
    return [
        _job(truth, node, buckets, chance) for node in truth.nodes.values() if node.kind is NodeKind.FUNCTION
    ]


def _job(truth: Executed, node: Node, buckets: int, chance: np.random.Generator) -> Job:
    group, lane = truth.engine.plan.home[node.node_id]
    timeline, ticks = group.timeline, truth.engine.flow.ticks
    assert timeline is not None
    rows = np.flatnonzero(np.isin(group.S[: timeline.rows, lane], (VALUE, GAP, FAILED)))
    drawn = chance.choice(rows[FIRST:], min(buckets, len(rows[FIRST:])), replace=False)
    shows = []
    for row in [*rows[:FIRST].tolist(), *np.sort(drawn).tolist()]:
        bucket = int(timeline.bucket[row])
        shown = shown_at(group, lane, bucket, ticks)
        if decide(group, lane, bucket, shown)[0] == VALUE:
            shows.append(Shows(bucket, tuple((one.times, one.values) for one in shown)))
    return Job(
        node.node_id,
        key_of(node),
        tuple(Input(edge.name, edge.names, edge.single) for edge in group.edges),
        node.outputs,
        node.params,
        group.interval,
        node.vectorized,
        node.wants_watermark,
        tuple(shows),
    )


def _observed(
    jobs: Sequence[Job], nodes: Sequence[Node], fresh: Fresh
) -> tuple[list[list[Observed]], list[str]]:
    """By order in which they were asked; and what a person should know about how."""
    found = fresh(jobs, SEEDS)
    if not isinstance(found, str):
        return found, []
    functions = {key_of(node): node.function for node in nodes if node.function is not None}
    return [observe(functions, jobs, seed) for seed in SEEDS], [f"all calls were in this process: {found}"]


def _of_node(truth: Executed, node: Node, job: Job, seen: Sequence[Observed]) -> list[Finding]:
    first, *others = seen
    found: dict[Rule, tuple[int, str]] = {}
    for at, shows in enumerate(job.shows):
        one, again = first.answers[at], first.again[at]
        if not alike(one, again):
            said = f"two calls with equal views gave {_text(one)} and {_text(again)}"
            found.setdefault(Rule.REPEATS, (shows.bucket, said))
        if first.wrote[at]:
            found.setdefault(Rule.READS, (shows.bucket, f"it writes its input {first.wrote[at]}"))
        told = _in_the_run(truth, node, shows.bucket)
        if not isinstance(told, type) and not alike(told, one):
            rule, how = (Rule.CUT, "with its row alone") if node.vectorized else (Rule.ALONE, ELSEWHERE)
            found.setdefault(rule, (shows.bucket, f"{_text(told)} in the run, {_text(one)} {how}"))
        for other in others:
            if not alike(one, other.answers[at]):
                said = f"{_text(one)}, and {_text(other.answers[at])} {ELSEWHERE} and in another order"
                found.setdefault(Rule.ALONE, (shows.bucket, said))
    if Rule.REPEATS in found or Rule.READS in found:
        found.pop(Rule.ALONE, None)  # it follows
    if first.said:
        bucket = min(bucket for bucket, _ in first.said.values())
        told = ", ".join(f"{what} ({how})" for what, (_, how) in sorted(first.said.items()))
        found[Rule.PURE] = (bucket, f"it asks for {told}")
    return [
        Finding(node.node_id, _name(node), _place(node), rule, instant_text(bucket), seen)
        for rule, (bucket, seen) in found.items()
    ]


ELSEWHERE = "with the same view in a process of its own"


class NotTold:
    """The run has no answer of the function at a bucket."""


def _in_the_run(truth: Executed, node: Node, bucket: int) -> Answer | type[NotTold]:
    group, lane = truth.engine.plan.home[node.node_id]
    assert group.timeline is not None
    row = group.timeline.row(bucket)
    status = int(group.S[row, lane])
    if status == VALUE:
        return tuple(group.timeline.V[row, group.out + lane].tolist())
    if status == FAILED:
        failures = truth.engine.flow.log.failures
        return next(f.cause for f in failures if (f.group, f.lane) == (group.index, lane))
    return None if status == GAP else NotTold


def _text(answer: Answer | type[NotTold]) -> str:
    if answer is None:
        return "None"
    if isinstance(answer, tuple):
        return repr(answer[0]) if len(answer) == 1 else repr(answer)
    return str(answer)


# --- how the run is cut ----------------------------------------------------------------------------------------


def _of_cuts(run: Run, truth: Executed, known: Sequence[Finding], seed: int) -> list[Finding]:
    """Nodes that came to something else when the run was cut otherwise, though their authors' inputs did not.

    Those that already differ between two equal runs are not asked: they keep something.
    """
    total = len(truth.arrivals)
    chance = np.random.default_rng(seed)
    drawn = np.unique(chance.integers(0, max(total, 1), max(1, total // 7))).tolist()
    ways: list[tuple[str, Sequence[int] | None]] = [
        ("again", None),
        ("arrival by arrival", range(total)),
        ("at random", drawn),
    ]
    impure = {one.node for one in known}
    found: list[Finding] = []
    for way, cuts in ways:
        other = run(truth.arrivals, cuts)
        for node, bucket, before, after in _changed(truth, other, impure):
            impure.add(node.node_id)
            rule, seen = Rule.CUT, f"{before!r} with the run in one piece, {after!r} cut {way}"
            if cuts is None:
                rule, seen = Rule.ALONE, f"{before!r} in the first run, {after!r} when it was repeated"
            found.append(Finding(node.node_id, _name(node), _place(node), rule, instant_text(bucket), seen))
    return found


def _changed(truth: Executed, other: Executed, impure: set[str]) -> Iterable[tuple[Node, int, float, float]]:
    known, again = changes_by_lane(truth.engine), changes_by_lane(other.engine)
    wrong = set(impure)
    for node in truth.nodes.values():
        if node.kind is not NodeKind.FUNCTION or node.node_id in wrong:
            continue
        if any(one.node_id in wrong for one in ancestry(node)):
            continue
        one, two = (
            emissions(run.engine, *run.engine.plan.home[node.node_id], run.start, changes)
            for run, changes in ((truth, known), (other, again))
        )
        at = first_difference(one, two)
        if at is not None:
            wrong.add(node.node_id)
            told = one if at < len(one.step) else two
            before, after = (float(e.value[at, 0]) if at < len(e.step) else float("nan") for e in (one, two))
            yield node, int(told.bucket[at]), before, after
