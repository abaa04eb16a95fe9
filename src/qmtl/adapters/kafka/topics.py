"""The topics of an installation: made with explicit settings, and checked where they exist."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType, TopicMetadata  # type: ignore[attr-defined]
from confluent_kafka.cimpl import NewTopic

from qmtl.adapters.kafka.cluster import MAX_RECORD_BYTES, Cluster
from qmtl.core.errors import Unavailable, UserError
from qmtl.core.flow.commit import Position, Slot, Topic

REPLICAS = 3  # where there are so many brokers
TIMEOUT_SECONDS = 30.0
LOOK_SECONDS, LOOKS = 0.05, 600

KEEP = {  # the state of a slot is a function of its partition: nothing goes by age or size (C6, C8)
    "cleanup.policy": "delete",
    "retention.bytes": "-1",
    "retention.ms": "-1",
}
COMPACT = {"cleanup.policy": "compact"}  # the newest record of each key is kept (C9)
ALL = {"max.message.bytes": str(MAX_RECORD_BYTES), "message.timestamp.type": "CreateTime"}


SETTINGS = {Topic.SLOTS: KEEP, Topic.COMMITS: COMPACT, Topic.CONTROL: KEEP}


def make_topics(cluster: Cluster, slots: int) -> None:
    """Returns when each topic exists with `slots` partitions and its settings.

    Raises UserError where one exists with another number of partitions or other settings: the number is
    part of where every node lives, so it is fixed at creation, and a changed setting breaks a promise.
    """
    admin = AdminClient(cluster.client())
    brokers = len(admin.list_topics(timeout=TIMEOUT_SECONDS).brokers)
    replicas = min(REPLICAS, brokers)
    asked = [
        NewTopic(
            cluster.topic(topic),
            num_partitions=slots,
            replication_factor=replicas,
            config={**ALL, "min.insync.replicas": str(max(1, replicas - 1)), **settings},
        )
        for topic, settings in SETTINGS.items()
    ]
    for made in admin.create_topics(asked, request_timeout=TIMEOUT_SECONDS).values():
        try:
            made.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    for topic, settings in SETTINGS.items():
        _check_partitions(admin, cluster.topic(topic), slots)
        _check_settings(admin, cluster.topic(topic), settings)


def count_slots(cluster: Cluster) -> int:
    """Of an installation that exists. Raises UserError where there is none."""
    name = cluster.topic(Topic.SLOTS)
    found = AdminClient(cluster.client()).list_topics(name, timeout=TIMEOUT_SECONDS).topics[name]
    if found.error is not None:
        raise UserError(
            f"there is no topic {name}: {found.error.str()}",
            place=f"Kafka at {cluster.bootstrap}",
            cure="make the installation first (KafkaLog.create), or correct its name",
        )
    return len(found.partitions)


def trim_inputs(cluster: Cluster, slot: Slot, before: Position) -> None:
    at = TopicPartition(cluster.topic(Topic.SLOTS), slot, before)
    admin = AdminClient(cluster.client())  # kept by name: without it the answer would never come
    admin.delete_records([at], request_timeout=TIMEOUT_SECONDS)[at].result()


def _check_partitions(admin: AdminClient, name: str, partitions: int) -> None:
    found = len(_described(admin, name).partitions)
    if found != partitions:
        raise UserError(
            f"{partitions} slots were asked for and the topic has {found} partitions",
            place=f"Kafka topic {name}",
            cure="the number of slots is fixed when an installation is made: ask for the number it has, "
            "or choose another name for a new one",
        )


def _described(admin: AdminClient, name: str) -> TopicMetadata:
    """Of a topic that is there; brokers hear of a new one, and of its leaders, a moment after it was made."""
    for _ in range(LOOKS):
        found = admin.list_topics(name, timeout=TIMEOUT_SECONDS).topics[name]
        settled = found.error is None and found.partitions
        if settled and all(each.leader >= 0 for each in found.partitions.values()):
            return found
        admin.poll(LOOK_SECONDS)
    raise Unavailable(f"topic {name} has no leaders: {found.error or 'they are not elected yet'}")


def _check_settings(admin: AdminClient, name: str, settings: Mapping[str, str]) -> None:
    resource = ConfigResource(ResourceType.TOPIC, name)
    described = admin.describe_configs([resource], request_timeout=TIMEOUT_SECONDS)[resource].result()
    for key, value in settings.items():
        if described[key].value != value:
            raise UserError(
                f"{key} is not {value}",
                place=f"Kafka topic {name}",
                value=described[key].value,
                cure=f"set it back with kafka-configs: what is in the log depends on {key}={value}",
            )
