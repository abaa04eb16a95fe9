"""Who reads the log beside the workers, sees every commit as it becomes visible, and compares it with what must be.

An independent reader of all partitions, a reference plan per slot that nothing ever interrupts, and the book of all
steps that were attempted. Every promise is checked when the record appears that could break it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from qmtl.core.flow.commit import STEP_KEY, Batch, Entry, Position, Record, Slot, Step, StepRecord, Topic
from qmtl.runtime.worker.slot import SlotState
from qmtl.testing.simulation.reference import Reference, Wrong
from qmtl.testing.simulation.story import Story, Violation

Partition = tuple[Topic, Slot]


@dataclass(frozen=True)
class Sent(Step):
    """A step on its way; tells which record its step record became."""

    wrote: Callable[[Record], None] = lambda record: None

    def writes(self) -> dict[Partition, list[Record]]:
        found = Step.writes(self)
        self.wrote(found[Topic.COMMITS, self.slot][-1])
        return found


@dataclass(eq=False)
class Attempt:
    """A step that a worker asked for. `visible`: its step record is; `others`: how many of its other records are."""

    step: Step
    by: str
    told: str
    refused: bool = False
    visible: bool = False
    others: Counter[tuple[Partition, int]] = field(default_factory=Counter)  # by identity of the record

    def wanted(self) -> Counter[tuple[Partition, int]]:
        """Its records outside of the commit log."""
        onward = [((Topic.SLOTS, slot), id(record)) for slot, record in self.step.onward]
        return Counter(
            [*onward, *(((topic, self.step.slot), id(record)) for topic, record in self.step.side)]
        )


class Witness:
    """Reads everything once, in the order of its positions. `read(topic, slot, start)`: all committed records."""

    def __init__(
        self, slots: int, read: Callable[[Topic, Slot, Position], Batch], reference: Reference, story: Story
    ) -> None:
        self._read, self._reference, self._story = read, reference, story
        self.seen: dict[Partition, list[Entry]] = {
            (topic, Slot(slot)): []
            for topic in (Topic.SLOTS, Topic.COMMITS, Topic.CONTROL)
            for slot in range(slots)
        }
        self.next: dict[Partition, Position] = dict.fromkeys(self.seen, Position(0))
        self.attempts: list[Attempt] = []
        self.last: dict[Slot, StepRecord] = {}
        self._pending: dict[Slot, list[Record]] = {}  # results before their step record
        self._sender: dict[int, Attempt] = {}  # by identity of a record sent onward
        self._wrote: dict[int, tuple[Attempt, Record]] = {}  # by identity of a step record
        self._touched: dict[Attempt, None] = {}  # something of them has become visible since all was whole

    # --- what workers say -----------------------------------------------------------------------------------

    def attempted(self, step: Step, by: str) -> Attempt:
        onward = ",".join(sorted({str(slot) for slot, _ in step.onward}))
        told = f"step {len(self.attempts)} of slot {step.slot}: epoch {step.epoch}, position {step.position}"
        told += f", {len(step.results)} results" + (f", onward to {onward}" if onward else "")
        attempt = Attempt(step, by, told)
        parts = step.slot, step.epoch, step.position, step.results, step.onward, step.side, step.body
        attempt.step = Sent(*parts, wrote=lambda record: self._written(attempt, record))
        self.attempts.append(attempt)
        for _, record in (*step.onward, *step.side):
            self._sender[id(record)] = attempt
        return attempt

    def _written(self, attempt: Attempt, record: Record) -> None:
        self._wrote[id(record)] = attempt, record

    def refused(self, attempt: Attempt) -> None:
        """Its worker was told that nothing of it is or becomes visible."""
        attempt.refused = True
        if attempt.visible or attempt.others:
            raise self.violation(f"P7: {attempt.told} was refused, and is visible")

    def accepted(self, attempt: Attempt, state: SlotState | None) -> None:
        """Its worker was told that it is done, and has this state now."""
        if attempt.refused:
            raise self.violation(f"P2: {attempt.told} was refused, and accepted later")
        if state is not None:
            self._told(self._reference.alike, state, attempt.step.position)

    def violation(self, what: str) -> Violation:
        return self._story.violation("witness", what)

    # --- what readers see -----------------------------------------------------------------------------------

    def look(self) -> None:
        """Read on in every partition: inputs first, for what is consumed has been visible before."""
        for at in self.seen:
            batch = self._read(*at, self.next[at])
            self.next[at] = batch.next
            for entry in batch.entries:
                self._add(at, entry)

    def _add(self, at: Partition, entry: Entry) -> None:
        topic, slot = at
        before = self.seen[at]
        if before and entry.position <= before[-1].position:
            raise self.violation(f"P5: {topic} {slot}: position {entry.position} after {before[-1].position}")
        before.append(entry)
        if topic is not Topic.COMMITS:
            self._other(at, entry)
        elif entry.record.key == STEP_KEY:
            self._step(slot, entry)
        else:
            self._pending.setdefault(slot, []).append(entry.record)

    def _other(self, at: Partition, entry: Entry) -> None:
        topic, slot = at
        attempt = self._sender.get(id(entry.record))
        if attempt is None:
            raise self.violation(f"C2: slot {slot}: a record that no step sent, {entry.record.key!r}")
        if attempt.refused:
            raise self.violation(f"C2: slot {slot}: a record of {attempt.told}, which was refused")
        attempt.others[at, id(entry.record)] += 1
        self._touched[attempt] = None
        if attempt.others[at, id(entry.record)] > attempt.wanted()[at, id(entry.record)]:
            raise self.violation(f"C2: slot {slot}: a record of {attempt.told} appears again")
        if topic is Topic.SLOTS:
            self._told(self._reference.came, slot, entry)

    def _step(self, slot: Slot, entry: Entry) -> None:
        record, results = StepRecord.of(entry.record), self._pending.pop(slot, [])
        attempt = self._attempt(slot, entry.record, results)
        if attempt.visible:
            raise self.violation(f"P1: {attempt.told} becomes visible again")
        attempt.visible = True
        self._touched[attempt] = None
        self._story.tell("witness", f"sees {attempt.told}, by {attempt.by}")
        before = self.last.get(slot)
        self.last[slot] = record
        if before is not None and record.epoch < before.epoch:
            raise self.violation(f"C5: slot {slot}: epoch {record.epoch} after {before.epoch}")
        if before is not None and record.position < before.position:
            raise self.violation(f"C2: slot {slot}: position {record.position} after {before.position}")
        self._told(self._reference.committed, attempt.step)

    def _attempt(self, slot: Slot, record: Record, results: list[Record]) -> Attempt:
        """The one that these records are of."""
        attempt, _ = self._wrote.get(id(record), (None, None))
        if attempt is None:
            raise self.violation(f"P1: slot {slot}: a step is visible that nobody attempted")
        if attempt.refused:
            raise self.violation(f"P2: {attempt.told} is visible, and was refused")
        wanted = attempt.step.results
        if len(wanted) != len(results) or any(a is not b for a, b in zip(wanted, results, strict=True)):
            raise self.violation(f"P1: {attempt.told} is visible with {len(results)} results")
        return attempt

    def _told(self, check: Callable[..., None], *given: object) -> None:
        try:
            check(*given)
        except Wrong as wrong:
            raise self.violation(str(wrong)) from None

    # --- when no transaction is open ------------------------------------------------------------------------

    def whole(self) -> None:
        """C2: every step is visible with all its parts, or none of them is. Asked when no transaction is open."""
        for attempt in self._touched:
            wanted = attempt.wanted() if attempt.visible else Counter()
            if attempt.others != wanted:
                raise self.violation(
                    f"C2: {attempt.told} is {'visible' if attempt.visible else 'not visible'}, "
                    f"and {attempt.others.total()} of its {attempt.wanted().total()} other records are"
                )
        self._touched.clear()
        for slot, results in self._pending.items():
            if results:
                raise self.violation(f"C2: slot {slot}: {len(results)} results without a step record")
