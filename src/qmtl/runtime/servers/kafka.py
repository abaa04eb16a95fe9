"""Apache Kafka (KRaft) of one broker or three, every one of them a controller too."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path
from typing import ClassVar

from qmtl.core.errors import UserError
from qmtl.runtime.servers.java import OLDEST, java
from qmtl.runtime.servers.kafka_jars import VERSION, jars
from qmtl.runtime.servers.process import Process
from qmtl.runtime.servers.server import HOST, Progress, Server, ServerFailed

FORMAT_SECONDS = 60.0
ASK_SECONDS = 5.0
HEAP = "384m"

LOGGING = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


class Kafka(Server):
    """`address` is what clients call bootstrap servers. Topics are created by clients, never by themselves.

    With three brokers `processes[i].kill()` and `.start()` take one of them away and bring it back.
    """

    kind = "kafka"
    port_count = 2
    needs: ClassVar[dict[str, str]] = {"jgo": "servers", "confluent_kafka": "kafka"}

    def __init__(
        self,
        folder: Path | None = None,
        *,
        brokers: int = 1,
        ports: tuple[int, ...] = (),
        detached: bool = False,
    ) -> None:
        if brokers not in (1, 3):
            raise UserError("Kafka has one broker or three", value=brokers, cure="use 1 or 3")
        self.brokers = brokers
        self._jars: list[Path] = []
        super().__init__(folder, ports=ports, detached=detached)

    @classmethod
    def missing(cls) -> str:
        lacking = super().missing()
        if not lacking and java() is None:
            return f"there is no Java of version {OLDEST} or later: pip install 'qmtl[servers]'"
        return lacking

    @property
    def address(self) -> str:
        return ",".join(f"{HOST}:{port}" for port in self.ports[: self.brokers])

    @property
    def version(self) -> str:
        return VERSION

    @property
    def environment(self) -> dict[str, str]:
        return {"KAFKA_BOOTSTRAP_SERVERS": self.address}

    def fetch(self, progress: Progress | None = None) -> None:
        self._jars = jars(progress)
        for node, process in enumerate(self.processes):
            process.command = self._command("kafka.Kafka", str(self._node(node) / "server.properties"))

    def port_count_of(self) -> int:
        return self.port_count * self.brokers

    def _node(self, node: int) -> Path:
        return self.folder / f"broker-{node + 1}"

    def _processes(self) -> list[Process]:
        return [
            Process(
                self._command("kafka.Kafka", str(self._node(node) / "server.properties")),
                self._node(node) / "server.log",
                detached=self.detached,
            )
            for node in range(self.brokers)
        ]

    def _command(self, program: str, *arguments: str) -> list[str]:
        options = [
            f"-Xmx{HEAP}",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Djava.net.preferIPv4Stack=true",
        ]
        options.append(f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}")
        return [str(java()), *options, "-cp", ":".join(map(str, self._jars)), program, *arguments]

    def _prepare(self) -> None:
        (self.folder / "log4j2.properties").write_text(LOGGING, encoding="ascii")
        # Any 16 bytes will do; of the same folder always the same.
        digest = hashlib.sha256(str(self.folder).encode()).digest()[:16]
        cluster = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        for node in range(self.brokers):
            self._node(node).mkdir(exist_ok=True)
            properties = self._node(node) / "server.properties"
            properties.write_text(self._properties(node), encoding="utf-8")
            if not (self._node(node) / "data" / "meta.properties").exists():
                self._format(properties, cluster)

    def _format(self, properties: Path, cluster: str) -> None:
        # With "=": an id may begin with a dash.
        command = self._command(
            "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties)
        )
        done = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, text=True, timeout=FORMAT_SECONDS, check=False
        )
        if done.returncode:
            raise ServerFailed(f"Kafka's storage cannot be formatted:\n{done.stdout}{done.stderr}")

    def _properties(self, node: int) -> str:
        clients, controllers = self.ports[: self.brokers], self.ports[self.brokers :]
        factor = self.brokers
        least = 2 if factor == 3 else 1
        voters = ",".join(f"{each + 1}@{HOST}:{port}" for each, port in enumerate(controllers))
        lines = {
            "process.roles": "broker,controller",
            "node.id": node + 1,
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://{HOST}:{clients[node]},CONTROLLER://{HOST}:{controllers[node]}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{clients[node]}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self._node(node) / "data",
            "auto.create.topics.enable": "false",
            "default.replication.factor": factor,
            "min.insync.replicas": least,
            "offsets.topic.replication.factor": factor,
            "transaction.state.log.replication.factor": factor,
            "transaction.state.log.min.isr": least,
            "share.coordinator.state.topic.replication.factor": factor,
            "share.coordinator.state.topic.min.isr": least,
            "group.initial.rebalance.delay.ms": 0,
            # A broker killed with -9 and started again is let in when its session has ended: 9 s by default.
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
            # A laptop's cluster: fifty partitions of each of these would be most of its start.
            "offsets.topic.num.partitions": 8,
            "transaction.state.log.num.partitions": 8,
        }
        return "".join(f"{key}={value}\n" for key, value in lines.items())

    def _asked(self) -> str:
        from confluent_kafka import KafkaException, Producer
        from confluent_kafka.admin import AdminClient

        client: dict[str, str | int | float | bool] = {"bootstrap.servers": self.address, "log_level": 0}
        try:
            known = AdminClient(client).list_topics(timeout=ASK_SECONDS).brokers
            if len(known) < self.brokers:
                return f"it knows {len(known)} brokers of {self.brokers}"
            producer = Producer({**client, "transactional.id": "qmtl-servers-ask"})
            producer.init_transactions(ASK_SECONDS)
        except KafkaException as error:
            return str(error)
        return ""
