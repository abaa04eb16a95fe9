"""What operators watch (R1, R4): counters and gauges of a process, as Prometheus text.

The names are those of ``deploy/alerts.yml``.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server
from prometheus_client import disable_created_metrics as _only_values

LATENCY_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


class Metrics:
    """Each is labelled with its slot, but for `snapshot_rejected_total`, which has a reason."""

    def __init__(self) -> None:
        _only_values()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()

        def counter(name: str, told: str, label: str = "slot") -> Counter:
            return Counter(name, told, (label,), registry=self.registry)

        def gauge(name: str, told: str) -> Gauge:
            return Gauge(name, told, ("slot",), registry=self.registry)

        self.warmup_seconds = gauge("warmup_seconds", "from taking a slot to its being ready")
        self.warmup_exceeded_seconds = gauge(
            "warmup_exceeded_seconds", "by how much that took longer than a tenth of the plan's warm-up"
        )
        self.snapshot_rejected = counter("snapshot_rejected", "snapshots not used, and why", "reason")
        self.snapshot_written = counter("snapshot_written", "snapshots written")
        self.owner_reassign = counter("owner_reassign", "slots taken over from another owner")
        self.lease_lost = counter("lease_lost", "slots lost to another owner")
        self.commit_duplicate = counter("commit_duplicate", "buckets about to be committed again")
        self.commit_refused = counter("commit_refused", "steps refused: the slot had another owner")
        self.replay_different = counter("replay_different", "last steps that computed other results again")
        self.node_failed = counter("node_failed", "failures of authors' functions")
        self.feed_rejected = counter("feed_rejected", "records of topics that were no events")
        self.history_jobs = counter("history_jobs", "jobs of history that this worker did")
        self.lso_lag = gauge("lso_lag", "records behind an open transaction")
        self.commit_latency = Histogram(
            "commit_latency", "seconds of a commit", buckets=LATENCY_SECONDS, registry=self.registry
        )

    def text(self) -> str:
        """All of them as they are now."""
        return generate_latest(self.registry).decode()

    def summary(self) -> dict[str, float]:
        """Sums over all labels of what was counted, by name."""
        found: dict[str, float] = {}
        for metric in self.registry.collect():
            for sample in metric.samples:
                if sample.name.endswith("_total"):
                    found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found

    def serve(self, host: str, port: int) -> int:
        """Answer scrapes over HTTP; returns the port (that of the system's choice where `port` is 0)."""
        server, _ = start_http_server(port, host, self.registry)
        return int(server.server_port)

    def value(self, name: str, **labels: object) -> float:
        """One value; 0 where there is none yet."""
        found = self.registry.get_sample_value(name, {key: str(one) for key, one in labels.items()})
        return 0.0 if found is None else found
