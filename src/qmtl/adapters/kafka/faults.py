"""Kafka's errors, in the words of the port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from qmtl.core.errors import QmtlError, Unavailable, UserError

# Somebody else owns the slot by now, or may: the group has gone on without this member, or the slot's
# transactional id was taken over (a transaction that timed out looks the same).
FENCED = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.UNKNOWN_MEMBER_ID,
    }
)

# No retry mends these.
REFUSED = {
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "let this user describe the cluster",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "let this user read the group",
    KafkaError.SASL_AUTHENTICATION_FAILED: "correct the user and the password among the Kafka options",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "let this user read and write the topics",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "let this user write with transactional ids of that name",
    KafkaError._AUTHENTICATION: "correct the user and the password among the Kafka options",
    KafkaError._INVALID_ARG: "correct the Kafka options: librdkafka does not accept them",
    KafkaError.MSG_SIZE_TOO_LARGE: "commit in smaller slices",
}


def translated(error: KafkaException, doing: str) -> QmtlError:
    """Of an error after which nothing was done."""
    what: KafkaError = error.args[0]
    message = f"{doing}: {what.str()} ({what.name()})"
    cure = REFUSED.get(what.code())
    return UserError(message, place="Kafka", cure=cure) if cure else Unavailable(message)


@contextmanager
def unavailable(doing: str) -> Iterator[None]:
    """For calls that only read, or that may be done twice."""
    try:
        yield
    except KafkaException as error:
        raise translated(error, doing) from error


@contextmanager
def told_as_kafka_does() -> Iterator[None]:
    """For calls that serve callbacks. Where a fatal error comes up while one of them waits (the producer was fenced),
    confluent-kafka mixes its own exception with the call's, and Python makes a SystemError of it."""
    try:
        yield
    except SystemError as error:
        raise KafkaException(
            KafkaError(KafkaError._FATAL, f"a fatal error of the client: {error}")
        ) from error
