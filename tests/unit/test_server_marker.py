"""Without its server a test is skipped on a developer's machine and fails where CI=true."""

from __future__ import annotations

import pytest

import server_marker

pytest_plugins = ["pytester"]

SETTINGS = """
[pytest]
markers =
    server(name): needs a real server
"""
NEEDS_ONE = 'import pytest\n\n@pytest.mark.server("{name}")\ndef test_it():\n    pass\n'


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(server_marker, "PROBES", {"here": lambda: "", "gone": lambda: "no jar"})
    pytester.makefile(".ini", pytest=SETTINGS)
    return pytester


def outcomes(inner: pytest.Pytester, text: str) -> dict[str, int]:
    inner.makepyfile(text)
    return inner.runpytest_inprocess("-p", "no:xdist", plugins=[server_marker]).parseoutcomes()


def test_it_runs_with_its_server(inner: pytest.Pytester) -> None:
    assert outcomes(inner, NEEDS_ONE.format(name="here")) == {"passed": 1}


def test_it_is_skipped_without(inner: pytest.Pytester) -> None:
    assert outcomes(inner, NEEDS_ONE.format(name="gone")) == {"skipped": 1}


def test_with_ci_a_missing_server_is_a_failure(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    found = outcomes(inner, NEEDS_ONE.format(name="gone"))
    assert "skipped" not in found
    assert found.get("failed", 0) + found.get("errors", 0) == 1


def test_with_ci_a_skip_inside_the_test_is_a_failure(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    text = NEEDS_ONE.format(name="here").replace("pass", 'pytest.skip("not today")')
    assert outcomes(inner, text) == {"failed": 1}


def test_with_ci_a_module_that_skips_itself_is_a_failure(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    text = NEEDS_ONE.format(name="here").replace("\n", '\npytest.importorskip("no_such_driver")\n', 1)
    assert outcomes(inner, text) == {"errors": 1}


def test_with_ci_other_skips_and_expected_failures_stay(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    xfail = (
        NEEDS_ONE.format(name="here").replace("pass", "assert False").replace("@", "@pytest.mark.xfail\n@")
    )
    text = xfail + '\ndef test_other():\n    pytest.skip("by choice")\n'
    assert outcomes(inner, text) == {"xfailed": 1, "skipped": 1}


def test_an_unknown_server_is_a_mistake() -> None:
    with pytest.raises(pytest.UsageError, match="no server is named 'kafak'"):
        server_marker.missing_server(["kafak"], {"kafka": lambda: ""})
