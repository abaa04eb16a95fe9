"""Where the brokers are, and how every client of them is set up."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError

from qmtl.core.errors import UserError
from qmtl.core.flow.commit import Slot, Topic

LOGGER = logging.getLogger("qmtl.kafka")

SESSION_TIMEOUT_MS = 6_000  # a slot of a killed owner is handed on after this long
TRANSACTION_TIMEOUT_MS = 10_000  # readers wait at most this long for a transaction nobody ends
MAX_RECORD_BYTES = 8 << 20  # a record is a slice: 64 KiB and up

NAMES = {Topic.SLOTS: "slots", Topic.COMMITS: "node-commit-log", Topic.CONTROL: "control"}

# What the promises rest on is not a matter of options (SEMANTICS C3).
OURS = frozenset(
    {
        "acks",
        "auto.offset.reset",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "enable.partition.eof",
        "group.id",
        "group.instance.id",
        "group.protocol",
        "isolation.level",
        "max.poll.interval.ms",
        "partition.assignment.strategy",
        "session.timeout.ms",
        "transaction.timeout.ms",
        "transactional.id",
    }
)


@dataclass(frozen=True)
class Cluster:
    """`name` is the first part of topic names, of the group's id and of transactional ids: installations
    that share brokers have different ones. `options` (TLS, SASL, …) go to every client as they are, under
    librdkafka's names; they are never shown, since they may hold secrets. `poll_seconds`: a member that does
    not poll so long loses its slots, though its process lives; one whose process is silent, after
    SESSION_TIMEOUT_MS."""

    bootstrap: str
    name: str = "qmtl"
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    poll_seconds: float = 300.0

    def __post_init__(self) -> None:
        wrong = sorted(OURS & self.options.keys())
        if wrong:
            raise UserError(
                f"the Kafka option {wrong[0]} is set by qmtl: exactly-once commits rest on it",
                place="kafka options",
                cure=f"leave out {', '.join(wrong)}",
            )

    def topic(self, topic: Topic) -> str:
        """Slot i is partition i of each. Partition i of the commit log is written by slot i's owner only (C5)."""
        return f"{self.name}.{NAMES[topic]}"

    @property
    def group(self) -> str:
        return self.topic(Topic.SLOTS)

    def transactional_id(self, slot: Slot) -> str:
        """One for each slot, not for each process: the successor's first call ends what its predecessor
        left open, instead of waiting for the transaction's time-out (C3)."""
        return f"{self.name}/{slot}"

    def client(self) -> dict[str, Any]:
        return {
            "log_level": 4,
            **self.options,
            "bootstrap.servers": self.bootstrap,
            "error_cb": _tell,
            "logger": LOGGER,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 1_000,
        }

    def reader(self) -> dict[str, Any]:
        """A consumer outside the group; its group id is never used, librdkafka demands one."""
        return self.client() | {
            "auto.offset.reset": "error",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "group.id": f"{self.name}.readers",
            "isolation.level": "read_committed",
        }

    def member(self) -> dict[str, Any]:
        """A consumer of the group. Positions are never reset silently: they come from step records."""
        return self.client() | {
            "auto.offset.reset": "error",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "fetch.wait.max.ms": 100,
            "group.id": self.group,
            "group.protocol": "classic",
            "heartbeat.interval.ms": SESSION_TIMEOUT_MS // 4,
            "isolation.level": "read_committed",
            "max.poll.interval.ms": max(SESSION_TIMEOUT_MS, round(self.poll_seconds * 1000)),
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": SESSION_TIMEOUT_MS,
        }

    def producer(self) -> dict[str, Any]:
        return (
            self.client()
            | {
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 5,  # makes larger batches while records are handed over; flushing does not wait for it
                "message.max.bytes": MAX_RECORD_BYTES,
                "queue.buffering.max.messages": 0,  # a step is never cut in two
                "queue.buffering.max.kbytes": (1 << 21) - 1,
                # Otherwise librdkafka forgets a broker that is away for a moment, and where that was the group's
                # coordinator `send_offsets_to_transaction` never comes back (its issues 5456, 5511).
                "metadata.recovery.strategy": "none",
                "retry.backoff.ms": 1,  # the broker is asked again while it ends the transaction before
                "retry.backoff.max.ms": 100,
            }
        )

    def transactions(self, transactional_id: str) -> dict[str, Any]:
        return self.producer() | {
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "transactional.id": transactional_id,
        }


def _tell(error: KafkaError) -> None:
    """What a client says between calls. What matters fails a call; a broker that is away is told once a second
    or so by every client."""
    level = logging.DEBUG if error.code() == KafkaError._TRANSPORT else logging.WARNING
    LOGGER.log(level, "kafka client: %s", error.str())
