"""`@pytest.mark.server("kafka")`: needs that server, is skipped without it, and where CI=true it fails.

A set of tests that was skipped looks green. So where CI=true every skip of such a test is a failure, whether
it comes from a missing server, from a fixture, or from a module that skips itself while it is collected.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from servers import PROBES

ON = frozenset({"1", "true", "yes"})
MARK = "mark.server("


def skips_are_failures() -> bool:
    return os.environ.get("CI", "").lower() in ON


def missing_server(names: list[str], probes: dict[str, Callable[[], str]]) -> str:
    """Why the first of these servers cannot be had, or "" where all can."""
    for name in names:
        if name not in probes:
            known = ", ".join(sorted(probes)) or "none yet"
            raise pytest.UsageError(f"no server is named {name!r} in tests/server_marker.py (known: {known})")
        reason = probes[name]()
        if reason:
            return f"needs {name}: {reason}"
    return ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    reason = missing_server([mark.args[0] for mark in item.iter_markers("server")], PROBES)
    if reason:
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and skips_are_failures() and item.get_closest_marker("server"):
        _fail(report, item.nodeid)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    skipped = report.skipped and isinstance(collector, pytest.Module)
    if skipped and skips_are_failures() and MARK in Path(collector.path).read_text(encoding="utf-8"):
        _fail(report, collector.nodeid)
    return report


def _fail(report: pytest.TestReport | pytest.CollectReport, nodeid: str) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{nodeid} needs a server and was skipped, which CI=true does not allow: {reason}"
