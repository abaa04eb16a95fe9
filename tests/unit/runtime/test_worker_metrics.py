"""What workers say of themselves, and the alert rules that read it."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path

from qmtl.runtime.metrics import Metrics

RULES = Path(__file__).parents[3] / "deploy" / "alerts.yml"


def test_every_metric_of_the_alert_rules_is_told() -> None:
    metrics = Metrics()
    told = {
        name
        for one in metrics.registry.collect()
        for name in (one.name, f"{one.name}_total", f"{one.name}_count")
    }
    wanted = {
        name
        for expression in re.findall(r"expr: (.*)", RULES.read_text())
        for name in re.findall(r"[a-z]+_[a-z_]+", expression)
    }
    assert {
        "warmup_exceeded_seconds",
        "snapshot_rejected_total",
        "commit_duplicate_total",
        "lso_lag",
    } <= wanted
    assert wanted <= told


def test_they_are_served_as_text_on_this_machine_alone() -> None:
    metrics = Metrics()
    metrics.snapshot_rejected.labels("corrupt").inc()
    port = metrics.serve("127.0.0.1", 0)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert 'snapshot_rejected_total{reason="corrupt"} 1.0' in text
    assert metrics.summary()["snapshot_rejected_total"] == 1.0
