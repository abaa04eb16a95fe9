"""Transactions under one transactional id: whoever opens that id anew fences its owner before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from qmtl.adapters.kafka.cluster import LOGGER, Cluster
from qmtl.adapters.kafka.faults import FENCED, told_as_kafka_does, translated, unavailable
from qmtl.core.errors import Fenced, QmtlError, Unknown
from qmtl.core.flow.commit import Record, Slot
from qmtl.ports.log import Point

P = ParamSpec("P")
T = TypeVar("T")

Out = Mapping[tuple[str, Slot], Sequence[Record]]  # the records of a transaction by topic and partition
COMMIT_ATTEMPTS = 3
MOST_CALLS = COMMIT_ATTEMPTS + 3  # of the broker, each with its timeout, in one commit


@dataclass(frozen=True)
class Consumed:
    """The next position of a slot, and who says so."""

    at: TopicPartition
    metadata: bytes


class Owner:
    """Used by one thread at a time. After Fenced and Unknown it is of no more use."""

    def __init__(self, cluster: Cluster, transactional_id: str, timeout: float) -> None:
        """Fences the owner before, and waits until a transaction that it left open has ended.

        Raises KafkaException.
        """
        self._name, self._timeout = transactional_id, timeout
        self._undelivered: KafkaError | None = None
        self._producer = Producer(cluster.transactions(transactional_id))
        with told_as_kafka_does():
            self._producer.init_transactions(timeout)

    def commit(self, out: Out, consumed: Consumed | None, at: Callable[[Point], None]) -> None:
        """All of `out` and what was `consumed` become visible together, or not at all (C2).

        The offset is what checks the generation, so it is sent even when it has not changed: an empty list would be
        checked by nobody (C3). Records are on their way meanwhile; each request, the first one too, is refused where
        the transactional id was taken over. Raises Fenced, Unavailable, Unknown as the port says.
        """
        at(Point.BEGIN)
        try:
            self._producer.begin_transaction()
            self._hand_over(out)
            if consumed is not None:
                self._producer.send_offsets_to_transaction([consumed.at], consumed.metadata, self._timeout)
            self._flush()
        except KafkaException as error:
            raise self._aborted(error) from error
        at(Point.OPEN)
        self._end()
        at(Point.DONE)

    def close(self) -> None:
        self._producer.close()

    def _hand_over(self, out: Out) -> None:
        self._undelivered = None
        for (topic, partition), records in out.items():
            given: list[dict[str, Any]] = [{"key": each.key, "value": each.value} for each in records]
            given[-1]["callback"] = self._delivered  # of another that fails, the commit's failing tells
            self._producer.produce_batch(topic, given, partition=partition)
            refused = next((each["_error"] for each in given if "_error" in each), None)
            if refused is not None:
                raise KafkaException(refused)

    def _flush(self) -> None:
        with told_as_kafka_does():
            left = self._producer.flush(self._timeout)
        if self._undelivered is not None:
            raise KafkaException(self._undelivered)
        if left:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{left} records were not acknowledged"))

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._undelivered = error

    def _end(self) -> None:
        """The commit may have been asked for in any of the attempts, so no failure tells that it was not."""
        for attempt in range(1, COMMIT_ATTEMPTS + 1):
            try:
                with told_as_kafka_does():
                    self._producer.commit_transaction(self._timeout)
            except KafkaException as error:
                what: KafkaError = error.args[0]
                if attempt == COMMIT_ATTEMPTS or not what.retriable():
                    raise Unknown(self._said(what)) from error
            else:
                return

    def _aborted(self, error: KafkaException) -> QmtlError:
        """No commit was asked for, so none can happen, whatever comes of this call: the broker or the next
        owner aborts. Only where it succeeds the producer can go on."""
        what: KafkaError = error.args[0]
        fenced = what.code() in FENCED
        try:
            with told_as_kafka_does():
                self._producer.abort_transaction(self._timeout)
        except KafkaException as second:
            if not fenced:
                LOGGER.warning("%s; and not aborted: %s", self._said(what), second.args[0].str())
            fenced = True
        return Fenced(self._said(what)) if fenced else translated(error, f"transaction of {self._name}")

    def _said(self, what: KafkaError) -> str:
        return f"transaction of {self._name}: {what.str()} ({what.name()})"


class OwnerThread:
    """An owner on a thread of its own, so that whatever is asked of it, closing too, comes after what it is doing:
    a commit whose caller was cancelled goes on in its thread."""

    def __init__(self, cluster: Cluster, transactional_id: str, timeout: float) -> None:
        self._made_of = (cluster, transactional_id, timeout)
        self._thread = ThreadPoolExecutor(1, transactional_id)
        self._owner: Owner | None = None

    async def open(self) -> None:
        """Raises UserError, Unavailable."""
        with unavailable(f"takeover of {self._made_of[1]}"):
            await self._run(self._open)

    async def commit(self, out: Out, consumed: Consumed | None, at: Callable[[Point], None]) -> None:
        """Raises Unknown also where librdkafka does not come back, which its own timeouts do not exclude."""
        assert self._owner is not None
        most = MOST_CALLS * self._made_of[2]
        try:
            async with asyncio.timeout(most):
                await self._run(self._owner.commit, out, consumed, at)
        except TimeoutError as late:
            raise Unknown(f"transaction of {self._made_of[1]}: no answer within {most:.0f} s") from late

    def drop(self) -> Future[None]:
        """When its thread comes to it."""
        dropped = self._thread.submit(self._close)
        self._thread.shutdown(wait=False)
        return dropped

    def _open(self) -> None:
        self._owner = Owner(*self._made_of)

    def _close(self) -> None:
        if self._owner is not None:
            self._owner.close()

    async def _run(self, what: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        asked = partial(what, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._thread, asked)
