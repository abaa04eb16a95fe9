"""Prints the versions of the servers that the contracts ran on."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = terminalreporter.stats.get("passed", [])
    found = {value for report in passed for name, value in report.user_properties if name == "server"}
    if found:
        terminalreporter.write_line(f"contracts ran on: {', '.join(sorted(map(str, found)))}")
