"""The topics of an installation: made with explicit settings, and checked where they exist."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]
from confluent_kafka.cimpl import NewTopic

from qmtl.adapters.kafka.cluster import MAX_RECORD_BYTES, Cluster
from qmtl.core.errors import UserError

REPLICAS = 3  # where there are so many brokers
TIMEOUT_SECONDS = 30.0

KEEP = {  # the state of a slot is a function of its partition: nothing goes by age or size (C6, C8)
    "cleanup.policy": "delete",
    "retention.bytes": "-1",
    "retention.ms": "-1",
}
COMPACT = {"cleanup.policy": "compact"}  # the newest record of each key is kept (C9)
ALL = {"max.message.bytes": str(MAX_RECORD_BYTES), "message.timestamp.type": "CreateTime"}


def make_topics(cluster: Cluster, topics: Mapping[str, tuple[int, Mapping[str, str]]]) -> None:
    """`topics`: partitions and settings by name. Returns when each exists as asked for.

    Raises UserError where one exists with another number of partitions or other settings: the number is
    part of where every node lives, so it is fixed at creation, and a changed setting breaks a promise.
    """
    admin = AdminClient(cluster.client())
    brokers = len(admin.list_topics(timeout=TIMEOUT_SECONDS).brokers)
    replicas = min(REPLICAS, brokers)
    asked = [
        NewTopic(
            name,
            num_partitions=partitions,
            replication_factor=replicas,
            config={**ALL, "min.insync.replicas": str(max(1, replicas - 1)), **settings},
        )
        for name, (partitions, settings) in topics.items()
    ]
    for made in admin.create_topics(asked, operation_timeout=TIMEOUT_SECONDS).values():
        try:
            made.result(TIMEOUT_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    for name, (partitions, settings) in topics.items():
        _check_partitions(admin, name, partitions)
        _check_settings(admin, name, settings)


def _check_partitions(admin: AdminClient, name: str, partitions: int) -> None:
    found = len(admin.list_topics(name, timeout=TIMEOUT_SECONDS).topics[name].partitions)
    if found != partitions:
        raise UserError(
            f"{partitions} slots were asked for and the topic has {found} partitions",
            place=f"Kafka topic {name}",
            cure="the number of slots is fixed when an installation is made: ask for the number it has, "
            "or choose another name for a new one",
        )


def _check_settings(admin: AdminClient, name: str, settings: Mapping[str, str]) -> None:
    resource = ConfigResource(ResourceType.TOPIC, name)
    described = admin.describe_configs([resource])[resource].result(TIMEOUT_SECONDS)
    for key, value in settings.items():
        if described[key].value != value:
            raise UserError(
                f"{key} is not {value}",
                place=f"Kafka topic {name}",
                value=described[key].value,
                cure=f"set it back with kafka-configs: what is in the log depends on {key}={value}",
            )
